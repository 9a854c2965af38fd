"""Vector building blocks of the CPU kernel: complex multiply-subtract over a lane of frequency bins.

One *lane* is `LANES` neighbouring bins stored side by side (structure of arrays: real and imaginary parts
apart). Numba cannot hold a vector in registers across an inner loop, so the two loops that carry all the
arithmetic are emitted here as LLVM vector code: the accumulator of a complex dot product stays in registers
while its terms stream past. LLVM splits the vectors into what the registers of a processor hold.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

#: Bins that advance in lock-step: four AVX-512 registers of float32, 16 in each, or eight of float64. The two parts of
#: an accumulator are then 8 or 16 of the 32 registers there are.
LANES = 64

_INT = ir.IntType(64)


def _vector_pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    element = builder.gep(data, [offset])
    vector = ir.VectorType(context.get_data_type(array_type.dtype), LANES)
    return builder.bitcast(element, vector.as_pointer())


def _load(builder: Any, pointer: Any, element_bytes: int) -> Any:
    value = builder.load(pointer)
    value.align = element_bytes
    return value


def _store(builder: Any, value: Any, pointer: Any, element_bytes: int) -> None:
    builder.store(value, pointer).align = element_bytes


def _complex_product(builder: Any, ar: Any, ai: Any, br: Any, bi: Any) -> tuple[Any, Any]:
    fast = ("contract", "nsz")
    re = builder.fsub(builder.fmul(ar, br, flags=fast), builder.fmul(ai, bi, flags=fast), flags=fast)
    im = builder.fadd(builder.fmul(ar, bi, flags=fast), builder.fmul(ai, br, flags=fast), flags=fast)
    return re, im


def _emit_subtract_dot(
    context: Any, builder: Any, signature: Any, args: Any, scale_by: tuple[Any, Any] | None = None
) -> None:
    """Emit ``dst -= sum_p a[p] b[p]`` over one lane, then ``dst *= scale`` if asked."""
    kinds = signature.args
    _, _, od, _, _, oa, sa, _, _, ob, sb, count = args[:12]
    size = kinds[0].dtype.bitwidth // 8
    fast = ("contract", "nsz")

    def pointer(index: int, offset: Any) -> Any:
        return _vector_pointer(context, builder, kinds[index], args[index], offset)

    dst_re, dst_im = pointer(0, od), pointer(1, od)
    re = cgutils.alloca_once_value(builder, _load(builder, dst_re, size))
    im = cgutils.alloca_once_value(builder, _load(builder, dst_im, size))
    with cgutils.for_range(builder, count) as loop:
        offset_a = builder.add(oa, builder.mul(loop.index, sa))
        offset_b = builder.add(ob, builder.mul(loop.index, sb))
        xr = _load(builder, pointer(3, offset_a), size)
        xi = _load(builder, pointer(4, offset_a), size)
        yr = _load(builder, pointer(7, offset_b), size)
        yi = _load(builder, pointer(8, offset_b), size)
        # Two fused multiply-adds on each part of the accumulator, one after the other; its registers do not wait for
        # each other, and there are enough of them to hide the latency.
        for chain, sign, x, y in ((re, "-", xr, yr), (im, "-", xr, yi), (re, "+", xi, yi), (im, "-", xi, yr)):
            term = builder.fmul(x, y, flags=fast)
            combine = builder.fadd if sign == "+" else builder.fsub
            builder.store(combine(builder.load(chain), term, flags=fast), chain)
    out_re, out_im = builder.load(re), builder.load(im)
    if scale_by is not None:
        sr = _load(builder, pointer(12, scale_by[1]), size)
        si = _load(builder, pointer(13, scale_by[1]), size)
        out_re, out_im = _complex_product(builder, out_re, out_im, sr, si)
    _store(builder, out_re, dst_re, size)
    _store(builder, out_im, dst_im, size)


_DOT_TYPES = 12


@intrinsic
def subtract_dot(typing, dr, di, od, ar, ai, oa, sa, br, bi, ob, sb, count):
    """``dst[od] -= sum_p a[oa + p sa] * b[ob + p sb]`` for one lane; offsets and strides in elements."""
    signature = types.void(dr, di, types.int64, ar, ai, *[types.int64] * 2, br, bi, *[types.int64] * 3)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _emit_subtract_dot(context, builder, sig, args)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def subtract_dot_scale(typing, dr, di, od, ar, ai, oa, sa, br, bi, ob, sb, count, cr, ci, oc):
    """`subtract_dot`, then ``dst[od] *= c[oc]``: one entry of a triangular factor or solve."""
    i64 = types.int64
    signature = types.void(dr, di, i64, ar, ai, i64, i64, br, bi, i64, i64, i64, cr, ci, i64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _emit_subtract_dot(context, builder, sig, args, scale_by=(args[12], args[14]))
        return context.get_dummy_value()

    return signature, codegen
