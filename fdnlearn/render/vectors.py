"""Vector building blocks of the renderer, emitted as LLVM code: Numba cannot hold a vector in registers across a loop.

Every multiply-add is a fused one *by name*. Left to itself a compiler fuses or not, differently in the body and in
the rest of a loop, and the last bit of a sample would depend on its place in a block. Fused by name there is one
rounding everywhere, on every machine; hardware with narrower registers splits the vectors without changing a bit.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

#: Neighbouring samples of a product, or neighbouring lines of a filter, that advance in lock-step.
LANES = 8
#: Rows of a product that are computed together.
ROWS = 4

_DOUBLE = ir.DoubleType()
_VECTOR = ir.VectorType(_DOUBLE, LANES)


class _Array:
    """A contiguous float64 array argument, addressed by element."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        self._builder = builder
        self._data = context.make_array(kind)(context, builder, value).data

    def scalar(self, at: Any) -> Any:
        """Load one element into all lanes."""
        one = self._builder.insert_element(
            ir.Constant(_VECTOR, ir.Undefined), self._builder.load(self._pointer(at)), ir.IntType(32)(0)
        )
        return self._builder.shuffle_vector(
            one, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
        )

    def load(self, at: Any) -> Any:
        """Load `LANES` neighbours."""
        value = self._builder.load(self._vector_pointer(at))
        value.align = 8
        return value

    def store(self, value: Any, at: Any) -> None:
        """Store `LANES` neighbours."""
        self._builder.store(value, self._vector_pointer(at)).align = 8

    def _pointer(self, at: Any) -> Any:
        return self._builder.gep(self._data, [at])

    def _vector_pointer(self, at: Any) -> Any:
        return self._builder.bitcast(self._pointer(at), _VECTOR.as_pointer())


def _fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` lane by lane with a single rounding."""
    kind = ir.FunctionType(_VECTOR, (_VECTOR, _VECTOR, _VECTOR))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f64")
    return builder.call(function, (a, b, c))


def _zero(builder: Any) -> Any:
    return cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, None))


def _product_tile(
    _typing: Any, matrix: Any, i: Any, rows: Any, t: Any, count: Any, stride: Any, out: Any
) -> Any:  # fmt: skip
    """``out[i:i + ROWS, t:t + LANES] = matrix[i:i + ROWS] @ rows[:, t:t + LANES]``, terms in ascending order.

    `count` columns of `matrix`; `stride` columns of `rows` and `out`.
    """
    signature = types.void(matrix, types.intp, rows, types.intp, types.intp, types.intp, out)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, i, _, t, count, stride, _ = args
        weights, source, target = (_Array(context, builder, signature.args[k], args[k]) for k in (0, 2, 6))
        sums = [_zero(builder) for _ in range(ROWS)]
        lines = [builder.add(i, ir.Constant(i.type, r)) for r in range(ROWS)]
        starts = [builder.mul(line, count) for line in lines]
        with cgutils.for_range(builder, count) as loop:
            x = source.load(builder.add(builder.mul(loop.index, stride), t))
            for total, start in zip(sums, starts, strict=True):
                weight = weights.scalar(builder.add(start, loop.index))
                builder.store(_fused(builder, weight, x, builder.load(total)), total)
        for total, line in zip(sums, lines, strict=True):
            target.store(builder.load(total), builder.add(builder.mul(line, stride), t))
        return context.get_dummy_value()

    return signature, generate


def _section_lanes(
    _typing: Any, sos: Any, state: Any, columns: Any, size: Any, width: Any, s: Any, i: Any
) -> Any:
    """Run section `s` of lines ``i:i + LANES`` over ``columns[:size]`` in place, transposed direct form II.

    `sos` (S, 5, width) holds ``b0 b1 b2 a1 a2``, `state` is (S, 2, width), `columns` (time, width).
    """
    signature = types.void(sos, state, columns, *(types.intp,) * 4)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        table, memory, signal = (_Array(context, builder, signature.args[k], args[k]) for k in range(3))
        size, width, s, i = args[3:]

        def at(row: Any) -> Any:
            return builder.add(builder.mul(row, width), i)

        first = [builder.mul(s, ir.Constant(s.type, rows)) for rows in (5, 2)]
        places = [at(builder.add(first[0], ir.Constant(s.type, k))) for k in range(5)]
        b0, b1, b2, a1, a2 = (table.load(place) for place in places)
        minus_a1, minus_a2 = builder.fneg(a1), builder.fneg(a2)
        ends = [at(builder.add(first[1], ir.Constant(s.type, k))) for k in range(2)]
        z1, z2 = (cgutils.alloca_once_value(builder, memory.load(end)) for end in ends)
        with cgutils.for_range(builder, size) as loop:
            here = at(loop.index)
            x = signal.load(here)
            y = _fused(builder, b0, x, builder.load(z1))
            builder.store(_fused(builder, minus_a1, y, _fused(builder, b1, x, builder.load(z2))), z1)
            builder.store(_fused(builder, minus_a2, y, builder.fmul(b2, x)), z2)
            signal.store(y, here)
        for end, z in zip(ends, (z1, z2), strict=True):
            memory.store(builder.load(z), end)
        return context.get_dummy_value()

    return signature, generate


def _fma(_typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` in double precision with a single rounding."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), generate


product_tile: Any = intrinsic(_product_tile)
section_lanes: Any = intrinsic(_section_lanes)
fma: Any = intrinsic(_fma)
