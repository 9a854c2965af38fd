"""The distances of energy decays on the GPU, and the gradient of their weighted sum, in Triton.

As on the CPU (`fdnlearn.ops.decay.cpu`) terms and gradient come out of the same passes: in stock operations they are
a hundred launches a step. A program takes a row, from the end of its response to its beginning for the decay, and along
the grid for the rest; all sums are in double.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, shapes_checked
from fdnlearn.ops import launching
from fdnlearn.ops.decay import EARLY_FLOOR, DecayTarget
from fdnlearn.ops.launching import jit
from fdnlearn.ops.launching import language as tl

TO_DB = tl.constexpr(10 / math.log(10))
FLOOR = tl.constexpr(EARLY_FLOOR)
#: Keeps the logarithm of a decay finite.
TINY = tl.constexpr(1e-12)


@jit
def _decay(h, decay, length, points, hop, BLOCK: tl.constexpr, HOP: tl.constexpr, TAIL: tl.constexpr):
    """Energy (rows, points) from each point of the grid to the end of h (rows, length)."""
    row = tl.program_id(0).to(tl.int64)
    # What comes after the grid; it is part of every sum.
    later = tl.zeros((TAIL,), tl.float64)
    for first in range(points * hop, length, TAIL):
        n = first + tl.arange(0, TAIL)
        x = tl.load(h + row * length + n, mask=n < length, other=0.0).to(tl.float64)
        later += x * x
    total = tl.sum(later, axis=0)
    inner = tl.arange(0, HOP)
    for back in range(0, tl.cdiv(points, BLOCK)):
        k = points - 1 - back * BLOCK - tl.arange(0, BLOCK)
        n = k[:, None] * hop + inner[None, :]
        inside = (k >= 0)[:, None] & (inner < hop)[None, :] & (n < length)
        x = tl.load(h + row * length + n, mask=inside, other=0.0).to(tl.float64)
        energy = tl.sum(x * x, axis=1)
        tl.store(decay + row * points + k, total + tl.cumsum(energy, axis=0), mask=k >= 0)
        total += tl.sum(energy, axis=0)


@jit
def _ratio_db(start, late):
    """Early energy over late, in dB."""
    return TO_DB * tl.log(tl.maximum(start - late, FLOOR) / (late + FLOOR))


@jit
def _compare(
    decay, goal, goal_db, counted, weight, slopes, boundaries, heard, terms, pull,
    points, channels, w_edc, w_level, w_attributes,
    Q: tl.constexpr, ROWS: tl.constexpr, E: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Terms and their weighted sum (rows, 4); by how much it rises with the energy between two points, (rows, points).

    `ROWS` is the number Q of regressions padded to a power of two.
    """
    row = tl.program_id(0).to(tl.int64)
    c = row % channels
    mine = decay + row * points
    at_q = tl.arange(0, ROWS)
    there_q = (at_q < Q)[:, None]
    square = tl.zeros((BLOCK,), tl.float64)
    scale = tl.zeros((BLOCK,), tl.float64)
    level = tl.zeros((BLOCK,), tl.float64)
    slope = tl.zeros((ROWS, BLOCK), tl.float64)
    for first in range(0, points, BLOCK):
        k = first + tl.arange(0, BLOCK)
        there = k < points
        d = tl.load(mine + k, mask=there, other=1.0)
        g = tl.load(goal + c * points + k, mask=there, other=0.0)
        miss = tl.where(there, d - g, 0.0)
        square += tl.load(counted + c * points + k, mask=there, other=0.0) * miss * miss
        scale += g * g
        miss_db = TO_DB * tl.log(d + TINY) - tl.load(goal_db + c * points + k, mask=there, other=0.0)
        level += tl.load(weight + c * points + k, mask=there, other=0.0) * tl.abs(miss_db)
        row_of = slopes + (c * Q + at_q)[:, None] * points + k[None, :]
        slope += tl.load(row_of, mask=there_q & there[None, :], other=0.0) * miss_db[None, :]
    whole = tl.sum(scale, axis=0)
    leaning = tl.sum(slope, axis=1)
    attributes = tl.sum(tl.abs(leaning), axis=0)
    start = tl.load(mine) + TINY
    goal_start = tl.load(goal + c * points)
    for e in tl.static_range(E):
        at = tl.load(boundaries + e)
        clarity = _ratio_db(start, tl.load(mine + at)) - _ratio_db(
            goal_start, tl.load(goal + c * points + at)
        )
        attributes += tl.abs(clarity) * tl.load(heard + c * E + e)
    linear = tl.sum(square, axis=0) / whole
    decibel = tl.sum(level, axis=0) / 10
    attributes = attributes / (Q + E)
    tl.store(terms + row * 4, linear)
    tl.store(terms + row * 4 + 1, decibel)
    tl.store(terms + row * 4 + 2, attributes)
    tl.store(terms + row * 4 + 3, w_edc * linear + w_level * decibel + w_attributes * attributes)

    side = tl.where(leaning > 0, 1.0, tl.where(leaning < 0, -1.0, 0.0))
    before = tl.zeros((1,), tl.float64)
    for first in range(0, points, BLOCK):
        k = first + tl.arange(0, BLOCK)
        there = k < points
        d = tl.load(mine + k, mask=there, other=1.0)
        g = tl.load(goal + c * points + k, mask=there, other=0.0)
        miss_db = TO_DB * tl.log(d + TINY) - tl.load(goal_db + c * points + k, mask=there, other=0.0)
        sign = tl.where(miss_db > 0, 1.0, tl.where(miss_db < 0, -1.0, 0.0))
        up = w_level / 10 * tl.load(weight + c * points + k, mask=there, other=0.0) * sign
        row_of = slopes + (c * Q + at_q)[:, None] * points + k[None, :]
        leaned = tl.load(row_of, mask=there_q & there[None, :], other=0.0) * side[:, None]
        up += w_attributes / (Q + E) * tl.sum(leaned, axis=0)
        rise = w_edc * 2 * tl.load(counted + c * points + k, mask=there, other=0.0) * (d - g) / whole
        rise = tl.where(there, rise + up * TO_DB / (d + TINY), 0.0)
        for e in tl.static_range(E):
            at = tl.load(boundaries + e)
            late = tl.load(mine + at)
            clarity = _ratio_db(start, late) - _ratio_db(goal_start, tl.load(goal + c * points + at))
            towards = tl.where(clarity > 0, 1.0, tl.where(clarity < 0, -1.0, 0.0))
            force = w_attributes / (Q + E) * tl.load(heard + c * E + e) * TO_DB * towards
            early = start - late
            by_early = tl.where(early > FLOOR, force / tl.maximum(early, FLOOR), 0.0)
            rise += tl.where(k == 0, by_early, 0.0) - tl.where(
                k == at, by_early + force / (late + FLOOR), 0.0
            )
        # Energy between two points is in every sum that begins before it.
        tl.store(pull + row * points + k, before + tl.cumsum(rise, axis=0), mask=there)
        before += tl.sum(rise, axis=0)


@jit
def _gradient(h, pull, outer, grad, length, points, hop, BLOCK: tl.constexpr):
    """``2 h pull outer`` (rows, length): the way from the energy back to the response."""
    row = tl.program_id(0).to(tl.int64)
    n = tl.program_id(1).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = n < length
    force = tl.load(pull + row * points + tl.minimum(n // hop, points - 1), mask=there, other=0.0)
    x = tl.load(h + row * length + n, mask=there, other=0.0)
    tl.store(grad + row * length + n, (2 * force * tl.load(outer + row)).to(x.dtype) * x, mask=there)


class _Distance(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, h: Tensor, target: DecayTarget, weights: tuple[float, ...]
    ) -> tuple[Tensor, Tensor]:
        rows = h.detach().reshape(-1, h.shape[-1]).contiguous()
        count, length = rows.shape
        arrays = target.tensors(h.device)
        goal, _, _, _, slopes, boundaries, _ = arrays
        points = goal.shape[1]
        decay, pull = torch.empty((2, count, points), dtype=torch.float64, device=h.device)
        terms = torch.empty((count, 4), dtype=torch.float64, device=h.device)
        size = launching.block(64)
        wide = launching.power_of_two(max(target.hop, 16))
        _decay[(count,)](rows, decay, length, points, target.hop, BLOCK=size, HOP=wide, TAIL=1024)
        _compare[(count,)](
            decay, *arrays, terms, pull, points, goal.shape[0], *map(float, weights),
            Q=slopes.shape[1], ROWS=launching.power_of_two(slopes.shape[1]), E=boundaries.shape[0], BLOCK=size,
        )  # fmt: skip
        ctx.saved = (rows, pull, target.hop, h.shape) if ctx.needs_input_grad[0] else None
        total, each = terms[:, 3].reshape(h.shape[:-1]), terms[:, :3].reshape(*h.shape[:-1], 3)
        ctx.mark_non_differentiable(each)
        return total, each

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        rows, pull, hop, shape = ctx.saved
        d_h = torch.empty_like(rows)
        size = launching.block(1024)
        _gradient[rows.shape[0], launching.blocks(rows.shape[1], size)](
            rows, pull, grad.reshape(-1).contiguous(), d_h, rows.shape[1], pull.shape[1], hop, BLOCK=size
        )
        return d_h.reshape(shape), None, None


@shapes_checked
def distance(
    h: Float[Tensor, "*batch channels samples"], target: DecayTarget, weights: tuple[float, float, float]
) -> tuple[Float64[Tensor, "*batch channels"], Float64[Tensor, "*batch channels 3"]]:
    """Weighted sum (...,) of the terms, and the terms (..., 3); see `fdnlearn.ops.decay`."""
    total, terms = _Distance.apply(h, target, weights)
    return total, terms
