"""Vector building blocks of the loop, emitted as LLVM code: lines lie side by side in the lanes of a register.

Numba cannot hold a vector in registers across a loop. Here a section's coefficients and its state stay in registers
while samples stream past, a product's rows are accumulated in registers, and tiles are turned between the
order of the delay lines (samples of a line side by side) and that of the lanes by shuffles. A register holds
`lanes_of` values; where the processor's are narrower LLVM splits them.

All arrays are flat views with offsets and strides in elements; rows of a tile are `width` apart.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

#: Rows of a product that are accumulated side by side: as many as hide the latency of a multiply-add.
ROWS = 8

_INT = ir.IntType(64)
_FAST = ("contract", "nsz")
_BYTES = 64 if llvm.get_host_cpu_features().get("avx512f", False) else 32


def lanes_of(dtype: Any) -> int:
    """Values of a type in one register: 16 in single precision with AVX-512, 8 with AVX2, half as many in double."""
    return int(_BYTES // np.dtype(dtype).itemsize)


def _lanes(kind: Any) -> int:
    return _BYTES * 8 // int(kind.dtype.bitwidth)


class _Memory:
    """Loads and stores of vectors of one array."""

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any) -> None:
        self.builder = builder
        self.data = context.make_array(kind)(context, builder, array).data
        self.element = context.get_data_type(kind.dtype)
        self.size = int(kind.dtype.bitwidth) // 8
        # Of integers, only scalars are read.
        self.vector = ir.VectorType(self.element, _lanes(kind))

    def _place(self, offset: Any) -> Any:
        place = self.builder.gep(self.data, [offset])
        return self.builder.bitcast(place, self.vector.as_pointer())

    def load(self, offset: Any) -> Any:
        value = self.builder.load(self._place(offset))
        value.align = self.size
        return value

    def store(self, value: Any, offset: Any) -> None:
        self.builder.store(value, self._place(offset)).align = self.size

    def scalar(self, offset: Any) -> Any:
        return self.builder.load(self.builder.gep(self.data, [offset]))

    def splat(self, value: Any) -> Any:
        b, undefined = self.builder, ir.Constant(self.vector, ir.Undefined)
        one = b.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.vector.count), [0] * self.vector.count)
        return b.shuffle_vector(one, undefined, zeros)


class _Registers:
    """Values that live across the iterations of an emitted loop."""

    def __init__(self, builder: Any, values: list[Any]) -> None:
        self.builder = builder
        self.slots = [cgutils.alloca_once_value(builder, value) for value in values]

    def __getitem__(self, index: int) -> Any:
        return self.builder.load(self.slots[index])

    def __setitem__(self, index: int, value: Any) -> None:
        self.builder.store(value, self.slots[index])


def _times(builder: Any, a: Any, b: Any) -> Any:
    return builder.fmul(a, b, flags=_FAST)


def _plus(builder: Any, total: Any, a: Any, b: Any) -> Any:
    return builder.fadd(total, _times(builder, a, b), flags=_FAST)


def _minus(builder: Any, total: Any, a: Any, b: Any) -> Any:
    return builder.fsub(total, _times(builder, a, b), flags=_FAST)


def _int(value: int) -> Any:
    return ir.Constant(_INT, value)


def _emit_sections(context: Any, b: Any, kinds: Any, args: Any, *, many: int, keep: bool) -> None:
    """Several sections in one loop: what one of them waits for, the others fill."""
    x, y, known, state = (_Memory(context, b, kinds[i], args[i]) for i in (0, 2, 6, 8))
    ox, oy, count, width, oc, os = (args[i] for i in (1, 3, 4, 5, 7, 9))

    def row(base: Any, index: int) -> Any:
        return b.add(base, b.mul(width, _int(index)))

    coefficients = [[known.load(row(oc, 5 * s + k)) for k in range(5)] for s in range(many)]
    quicker = [b.fsub(a2, kappa, flags=_FAST) for *_, kappa, a2 in coefficients]
    held = _Registers(b, [state.load(row(os, k)) for k in range(4 * many)])
    older = _Registers(b, [b.fsub(held[4 * s + 2], held[4 * s + 3], flags=_FAST) for s in range(many)])
    with cgutils.for_range(b, count) as loop:
        step = b.mul(loop.index, width)
        now = x.load(b.add(ox, step))
        for s, (sigma, c0, c2, kappa, _) in enumerate(coefficients):
            before, risen, change, slope = (held[4 * s + k] for k in range(4))
            rise = b.fsub(now, before, flags=_FAST)
            driven = _times(b, sigma, before)
            driven = _plus(b, driven, c0, rise)
            driven = _minus(b, driven, c2, risen)
            driven = _minus(b, driven, kappa, older[s])
            slope = _plus(b, driven, quicker[s], slope)
            older[s] = change
            change = b.fadd(change, slope, flags=_FAST)
            for k, value in enumerate((now, rise, change, slope)):
                held[4 * s + k] = value
            now = b.fadd(now, change, flags=_FAST)
            if keep:
                changes, size = _Memory(context, b, kinds[10], args[10]), args[12]
                apart = b.add(step, b.mul(size, _int(s)))
                changes.store(change, b.add(args[11], apart))
                y.store(now, b.add(oy, apart))
        if not keep:
            y.store(now, b.add(oy, step))
    for k in range(4 * many):
        state.store(held[k], row(os, k))


def _sections(many: int) -> Any:
    @intrinsic
    def sections(typing, x, ox, y, oy, count, width, coefficients, oc, state, os):
        i64 = types.int64
        signature = types.void(x, i64, y, i64, i64, i64, coefficients, i64, state, i64)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            _emit_sections(context, builder, sig.args, args, many=many, keep=False)
            return context.get_dummy_value()

        return signature, codegen

    return sections


def _kept_sections(many: int) -> Any:
    @intrinsic
    def sections(typing, x, ox, y, oy, count, width, coefficients, oc, state, os, d, od, size):
        i64 = types.int64
        signature = types.void(x, i64, y, i64, i64, i64, coefficients, i64, state, i64, d, i64, i64)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            _emit_sections(context, builder, sig.args, args, many=many, keep=True)
            return context.get_dummy_value()

        return signature, codegen

    return sections


#: Sections that one loop runs: their coefficients and states fit into 32 registers of AVX-512, of AVX2's 16 one's do.
TOGETHER = 3 if _BYTES == 64 else 1

#: One section after the other over `count` rows of one register: ``y = x + d``, d being what a section adds to x.
#:
#: In differences, so that a pole near one costs no precision (with ``c_k = b_k - a_k``, c_0 = b_0 - 1):
#:
#:     e[t] = a2 e[t-1] - kappa d[t-1] + sigma x[t-1] + c0 (x[t] - x[t-1]) - c2 (x[t-1] - x[t-2])
#:     d[t] = d[t-1] + e[t]        kappa = 1 + a1 + a2        sigma = c0 + c1 + c2
#:
#: What decides how fast it runs is how long e[t] waits for e[t-1]: one multiply-add, d[t-1] being d[t-2] + e[t-1].
#:
#: A section has five rows ``sigma c0 c2 kappa a2`` from `oc` and four rows of state from `os`, ``x[t-1]``, its rise, d
#: and e, before the first row of x and then after the last.
one_section, some_sections = _sections(1), _sections(TOGETHER)

#: The same, where every section's output and d are kept, `size` apart.
one_section_kept, some_sections_kept = _kept_sections(1), _kept_sections(TOGETHER)


@intrinsic
def section_back(typing, x, ox, d, od, bar, ob, count, width, coefficients, oc, future, of, sums, os):
    """Pull the gradient `bar` of a section's output back to its input, in place, from the last row to the first.

    The recursion of `some_sections` backwards: ``s = a2 s[+1] - kappa r[+1] + bar``, ``r = r[+1] + s``, and
    ``bar <- bar + c0 s + sigma r[+1] - c2 s[+1]``. The two rows of `future` are r and s after the last row and become
    those at the first. To five rows of `sums` go the gradients of the five coefficients. Two rows before the first are
    the past of x and d.
    """
    i64 = types.int64
    signature = types.void(x, i64, d, i64, bar, i64, i64, i64, coefficients, i64, future, i64, sums, i64)

    def codegen(context: Any, b: Any, sig: Any, args: Any) -> Any:
        x, d, bar, known, future, sums = (
            _Memory(context, b, sig.args[i], args[i]) for i in (0, 2, 4, 8, 10, 12)
        )
        ox, od, ob, count, width, oc, of, os = (args[i] for i in (1, 3, 5, 6, 7, 9, 11, 13))
        sigma, c0, c2, kappa, a2 = (known.load(b.add(oc, b.mul(width, _int(k)))) for k in range(5))
        zero = ir.Constant(x.vector, [0.0] * x.vector.count)
        last = b.sub(count, _int(1))
        two = b.mul(width, _int(2))
        quicker = b.fsub(a2, kappa, flags=_FAST)
        end_x, end_d = b.add(ox, b.mul(last, width)), b.add(od, b.mul(last, width))
        held = _Registers(
            b,
            [
                future.load(of), future.load(b.add(of, width)), *[zero] * 5,
                x.load(end_x), x.load(b.sub(end_x, width)), d.load(b.sub(end_d, width)),
            ],
        )  # fmt: skip
        older = _Registers(b, [b.fsub(held[0], held[1], flags=_FAST)])
        with cgutils.for_range(b, count) as loop:
            step = b.mul(b.sub(last, loop.index), width)
            given = bar.load(b.add(ob, step))
            turn = _minus(b, given, kappa, older[0])
            turn = _plus(b, turn, quicker, held[1])
            older[0] = held[0]
            r = b.fadd(held[0], turn, flags=_FAST)
            back = _plus(b, given, sigma, held[0])
            back = _minus(b, back, c2, held[1])
            back = _plus(b, back, c0, turn)
            bar.store(back, b.add(ob, step))
            x0, x1, d1 = held[7], held[8], held[9]
            x2 = x.load(b.sub(b.add(ox, step), two))
            d2 = d.load(b.sub(b.add(od, step), two))
            held[2] = _plus(b, held[2], r, x1)
            held[3] = _plus(b, held[3], r, b.fsub(x0, x1, flags=_FAST))
            held[4] = _minus(b, held[4], r, b.fsub(x1, x2, flags=_FAST))
            held[5] = _minus(b, held[5], r, d1)
            held[6] = _plus(b, held[6], r, b.fsub(d1, d2, flags=_FAST))
            held[0], held[1] = r, turn
            held[7], held[8], held[9] = x1, x2, d2
        future.store(held[0], of)
        future.store(held[1], b.add(of, width))
        for k in range(5):
            sums.store(held[2 + k], b.add(os, b.mul(width, _int(k))))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def product(typing, a, oa, row, inner, b, ob, step, out, oo, stride, count):
    """``out[r] = sum_k a[r, k] b[k]`` for `ROWS` rows r of one register; a[r, k] is at ``oa + r row + k inner``."""
    i64 = types.int64
    signature = types.void(a, i64, i64, i64, b, i64, i64, out, i64, i64, i64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        left, right, out = (_Memory(context, builder, sig.args[i], args[i]) for i in (0, 4, 7))
        oa, row, inner, ob, step, oo, stride, count = (args[i] for i in (1, 2, 3, 5, 6, 8, 9, 10))
        zero = ir.Constant(out.vector, [0.0] * out.vector.count)
        totals = _Registers(builder, [zero] * ROWS)
        with cgutils.for_range(builder, count) as loop:
            vector = right.load(builder.add(ob, builder.mul(loop.index, step)))
            at = builder.add(oa, builder.mul(loop.index, inner))
            for r in range(ROWS):
                scalar = left.scalar(builder.add(at, builder.mul(row, _int(r))))
                totals[r] = _plus(builder, totals[r], out.splat(scalar), vector)
        for r in range(ROWS):
            out.store(totals[r], builder.add(oo, builder.mul(stride, _int(r))))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def copy(typing, source, at_source, target, at_target, count):
    """Some elements of one array to another; in a loop Numba would look at every index for its sign."""
    i64 = types.int64
    signature = types.void(source, i64, target, i64, i64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source, target = (context.make_array(sig.args[i])(context, builder, args[i]).data for i in (0, 2))
        size = _int(sig.args[0].dtype.bitwidth // 8)
        cgutils.raw_memcpy(
            builder, builder.gep(target, [args[3]]), builder.gep(source, [args[1]]), args[4], size
        )  # fmt: skip
        return context.get_dummy_value()

    return signature, codegen


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """The transpose of as many registers as they have lanes."""
    lanes = len(rows)
    low = [k // 2 + (lanes if k % 2 else 0) for k in range(lanes)]
    masks = [
        ir.Constant(ir.VectorType(ir.IntType(32), lanes), [i + shift for i in low])
        for shift in (0, lanes // 2)
    ]
    count = lanes
    while count > 1:
        half = lanes // 2
        rows = [builder.shuffle_vector(rows[i // 2], rows[i // 2 + half], masks[i % 2]) for i in range(lanes)]
        count //= 2
    return rows


def _turning(*, to_tile: bool) -> Any:
    """A square between delay lines and tile, in either direction."""

    @intrinsic
    def turn(typing, lines, starts, os, shift, tile, ot, width):
        i64 = types.int64
        signature = types.void(lines, starts, i64, i64, tile, i64, i64)

        def codegen(context: Any, b: Any, sig: Any, args: Any) -> Any:
            lines, starts, tile = (_Memory(context, b, sig.args[i], args[i]) for i in (0, 1, 4))
            os, shift, ot, width = (args[i] for i in (2, 3, 5, 6))
            along = [b.add(starts.scalar(b.add(os, _int(i))), shift) for i in range(lines.vector.count)]
            across = [b.add(ot, b.mul(width, _int(t))) for t in range(lines.vector.count)]
            pairs = (lines, along), (tile, across)
            (source, read), (target, written) = pairs if to_tile else pairs[::-1]
            for place, row in zip(written, _turned(b, [source.load(at) for at in read]), strict=True):
                target.store(row, place)
            return context.get_dummy_value()

        return signature, codegen

    return turn


#: A square of the tile, row t, lane i, is ``lines[starts[os + i] + shift + t]``: from the lines, and to them.
tile_from_lines, lines_from_tile = _turning(to_tile=True), _turning(to_tile=False)
