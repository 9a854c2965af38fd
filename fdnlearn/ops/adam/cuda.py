"""A step of Adam on the GPU, in Triton: one launch."""

from __future__ import annotations

import torch

from fdnlearn.base.types import shapes_checked
from fdnlearn.ops import launching
from fdnlearn.ops.adam import BETA1, BETA2, EPS, Gradient, Losses, Rates, Rows
from fdnlearn.ops.launching import jit
from fdnlearn.ops.launching import language as tl

_BETA1, _BETA2, _EPS = tl.constexpr(BETA1), tl.constexpr(BETA2), tl.constexpr(EPS)


@jit
def _step(
    values, first, second, best, gradient, flags, rates, columns, one, two,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """A row; `flags` (rows, 2) says whether its loss is the best so far, and whether it is finite."""
    row = tl.program_id(0).to(tl.int64)
    none = tl.zeros((BLOCK,), tl.float64)
    better = none + tl.load(flags + 2 * row) > 0
    poison = none
    for start in range(0, columns, BLOCK):
        p = start + tl.arange(0, BLOCK)
        there = p < columns
        at = row * columns + p
        # Zero times what is not finite is not a number.
        poison += tl.load(gradient + at, mask=there, other=0.0).to(tl.float64) * 0.0
        old = tl.load(values + at, mask=there, other=0.0)
        tl.store(best + at, old, mask=there & better)
    sound = (none + tl.load(flags + 2 * row + 1) > 0) & (none + tl.sum(poison, axis=0) == 0.0)
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


@shapes_checked
def step(rows: Rows, gradient: Gradient, loss: Losses, rates: Rates, count: int) -> None:
    """Take the `count`-th step of all rows, in place; see `fdnlearn.ops.adam`."""
    values, first, second, best_values, best_loss = rows
    better = loss < best_loss
    # The losses are on the CPU already: what the kernel needs of them goes to the device in one transfer.
    flags = torch.stack((better, loss.isfinite()), dim=1).double().to(values.device)
    best_loss.copy_(torch.where(better, loss, best_loss))
    _step[(len(values),)](
        values, first, second, best_values, gradient.contiguous(), flags, rates, values.shape[1],
        1 - BETA1**count, 1 - BETA2**count, BLOCK=launching.block(256),
    )  # fmt: skip
