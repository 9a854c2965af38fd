"""One step of Adam on a batch of networks on the GPU, in Triton: `fdnlearn.ops.adam.cpu`, in one launch."""

from __future__ import annotations

from torch import Tensor

from fdnlearn.ops import launching
from fdnlearn.ops.adam.cpu import BETA1, BETA2, EPS
from fdnlearn.ops.launching import jit
from fdnlearn.ops.launching import language as tl

_BETA1, _BETA2, _EPS = tl.constexpr(BETA1), tl.constexpr(BETA2), tl.constexpr(EPS)


@jit
def _step(
    values, first, second, best, gradient, told, rates, columns, one, two,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """A row; `told` (rows, 2) says whether its loss is the best so far, and whether it is finite."""
    row = tl.program_id(0).to(tl.int64)
    none = tl.zeros((BLOCK,), tl.float64)
    better = none + tl.load(told + 2 * row) > 0
    poison = none
    for start in range(0, columns, BLOCK):
        p = start + tl.arange(0, BLOCK)
        there = p < columns
        at = row * columns + p
        # Zero times what is not finite is not a number.
        poison += tl.load(gradient + at, mask=there, other=0.0).to(tl.float64) * 0.0
        old = tl.load(values + at, mask=there, other=0.0)
        tl.store(best + at, old, mask=there & better)
    sound = (none + tl.load(told + 2 * row + 1) > 0) & (none + tl.sum(poison, axis=0) == 0.0)
    for start in range(0, columns, BLOCK):
        p = start + tl.arange(0, BLOCK)
        there = p < columns
        at = row * columns + p
        g = tl.where(sound, tl.load(gradient + at, mask=there, other=0.0).to(tl.float64), 0.0)
        m = _BETA1 * tl.load(first + at, mask=there, other=0.0) + (1 - _BETA1) * g
        v = _BETA2 * tl.load(second + at, mask=there, other=0.0) + (1 - _BETA2) * g * g
        tl.store(first + at, m, mask=there)
        tl.store(second + at, v, mask=there)
        move = tl.load(rates + p, mask=there, other=0.0) * (m / one) / (tl.sqrt(v / two) + _EPS)
        tl.store(values + at, tl.load(values + at, mask=there, other=0.0) - move, mask=there & sound)


def step(
    values: Tensor,
    first: Tensor,
    second: Tensor,
    best_values: Tensor,
    gradient: Tensor,
    told: Tensor,
    rates: Tensor,
    count: int,
) -> None:
    """Take the `count`-th step of all rows (B, P), in place; see `fdnlearn.ops.adam.cpu.step`.

    Parameters
    ----------
    values, first, second, best_values, gradient : Tensor, shape (B, P)
    told : Tensor, shape (B, 2)
        One where the loss of a row is its best so far, and one where it is finite; else zero.
    rates : Tensor, shape (P,)
    count : int
    """
    rows, columns = values.shape
    _step[(rows,)](
        values, first, second, best_values, gradient.contiguous(), told, rates, columns,
        1 - BETA1**count, 1 - BETA2**count, BLOCK=launching.block(256),
    )  # fmt: skip
