"""The distances of energy decays on the CPU: integration, comparison and gradient in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.jit import FAST, KERNEL_LOCK, jit
from fdnlearn.base.types import Float, Float64, shapes_checked
from fdnlearn.ops.decay import EARLY_FLOOR, TERMS, DecayTarget


@jit()
def early_to_late_db(start, late):
    """Energy before a boundary over energy after it, given the totals from the start and from the boundary."""
    return 10 / math.log(10) * math.log(max(start - late, EARLY_FLOOR) / (late + EARLY_FLOOR))


@jit(fastmath=FAST)
def _energy(x):
    """Sum of squares of so few samples that their own precision will do."""
    total = x.dtype.type(0)
    for n in range(x.shape[0]):
        total += x[n] * x[n]
    return total


@jit()
def _integrate(x, hop, decay):
    """Energy from every point of the grid to the end of x."""
    length = x.shape[0]
    points = decay.shape[0]
    total = 0.0
    for n in range(points * hop, length, hop):
        total += _energy(x[n : min(n + hop, length)])
    for k in range(points - 1, -1, -1):
        total += _energy(x[k * hop : min((k + 1) * hop, length)])
        decay[k] = total


@jit(parallel=True)
def compare(
    h, hop, goal, goal_db, counted, level_weight, slopes, boundaries, heard, spans, weights, terms, d_h
):
    """The three terms of `fdnlearn.ops.decay` and the gradient of their weighted sum, in one pass.

    Row r of `h` is compared with channel ``r % channels`` of the target's arrays; `terms` is (rows, 3). The gradient
    `d_h`, which may be `h` itself, is left out where it has no columns.
    """
    rows, length = h.shape
    channels, points = goal.shape
    quantities = slopes.shape[1]
    count = quantities + boundaries.shape[0]
    to_db = 10 / math.log(10)
    for r in numba.prange(rows):
        c = r % channels
        decay = np.empty(points)
        missed = np.empty(points)
        grad = np.empty(points)
        _integrate(h[r], hop, decay)

        square = 0.0
        scale = 0.0
        for k in range(points):
            miss = decay[k] - goal[c, k]
            square += counted[c, k] * miss * miss
            scale += goal[c, k] * goal[c, k]
        level = 0.0
        for k in range(spans[c, 0, 0], spans[c, 0, 1]):
            missed[k] = to_db * math.log(decay[k] + 1e-12) - goal_db[c, k]
            level += level_weight[c, k] * abs(missed[k])
        attributes = 0.0
        slope = np.zeros(quantities)
        for q in range(quantities):
            for k in range(spans[c, 1 + q, 0], spans[c, 1 + q, 1]):
                slope[q] += slopes[c, q, k] * missed[k]
            attributes += abs(slope[q])
        start = decay[0] + 1e-12
        clarity = np.zeros(boundaries.shape[0])
        for e in range(boundaries.shape[0]):
            clarity[e] = heard[c, e] * (
                early_to_late_db(start, decay[boundaries[e]])
                - early_to_late_db(goal[c, 0], goal[c, boundaries[e]])
            )
            attributes += abs(clarity[e])
        terms[r, 0] = square / scale
        terms[r, 1] = level / 10
        terms[r, 2] = attributes / count
        if d_h.shape[1] == 0:
            continue

        for k in range(points):
            grad[k] = weights[0] * 2 * counted[c, k] * (decay[k] - goal[c, k]) / scale
        for k in range(spans[c, 0, 0], spans[c, 0, 1]):
            pull = weights[1] / 10 * level_weight[c, k] * np.sign(missed[k])
            grad[k] += pull * to_db / (decay[k] + 1e-12)
        for q in range(quantities):
            pull = weights[2] / count * np.sign(slope[q]) * to_db
            for k in range(spans[c, 1 + q, 0], spans[c, 1 + q, 1]):
                grad[k] += pull * slopes[c, q, k] / (decay[k] + 1e-12)
        for e in range(boundaries.shape[0]):
            at = boundaries[e]
            pull = weights[2] / count * np.sign(clarity[e]) * heard[c, e] * to_db
            early = start - decay[at]
            if early > EARLY_FLOOR:
                grad[0] += pull / early
                grad[at] -= pull / early
            grad[at] -= pull / (decay[at] + EARLY_FLOOR)

        total = 0.0
        for k in range(points):
            total += grad[k]
            end = length if k == points - 1 else (k + 1) * hop
            factor = h.dtype.type(2 * total)
            for n in range(k * hop, end):
                d_h[r, n] = factor * h[r, n]


class _Distance(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, h: Tensor, target: DecayTarget, weights: tuple[float, ...]
    ) -> tuple[Tensor, Tensor]:
        rows = np.ascontiguousarray(h.detach().numpy()).reshape(-1, h.shape[-1])
        terms = np.empty((rows.shape[0], len(TERMS)))
        grad = np.empty_like(rows) if ctx.needs_input_grad[0] else np.empty((rows.shape[0], 0), rows.dtype)
        kernel: Callable[..., None] = compare
        with KERNEL_LOCK:
            kernel(rows, target.hop, *target.arrays(), target.spans, np.array(weights), terms, grad)
        ctx.grad, ctx.shape = torch.from_numpy(grad), h.shape
        each = torch.from_numpy(terms).reshape(*h.shape[:-1], len(TERMS))
        ctx.mark_non_differentiable(each)
        return torch.from_numpy(terms @ weights).reshape(h.shape[:-1]), each

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return (ctx.grad * grad.reshape(-1, 1).to(ctx.grad.dtype)).reshape(ctx.shape), None, None


@shapes_checked
def distance(
    h: Float[Tensor, "*batch channels samples"], target: DecayTarget, weights: tuple[float, float, float]
) -> tuple[Float64[Tensor, "*batch channels"], Float64[Tensor, "*batch channels 3"]]:
    """Weighted sum (...,) of the terms, and the terms (..., 3); see `fdnlearn.ops.decay`."""
    total, terms = _Distance.apply(h, target, weights)
    return total, terms
