"""The distances of energy decays on the CPU: integration, comparison and gradient in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.jit import KERNEL_LOCK, jit
from fdnlearn.base.types import Float, Float64, shapes_checked
from fdnlearn.ops.decay import EARLY_FLOOR, TERMS, DecayTarget


@jit()
def early_to_late_db(start, late):
    """Energy before a boundary over energy after it, given the totals from the start and from the boundary."""
    return 10 / math.log(10) * math.log(max(start - late, EARLY_FLOOR) / (late + EARLY_FLOOR))


@jit(parallel=True)
def _compare(h, hop, goal, goal_db, counted, level_weight, slopes, boundaries, heard, weights, terms, d_h):
    """The three terms of `fdnlearn.ops.decay` and the gradient of their weighted sum, in one pass.

    Row r of `h` is compared with channel ``r % channels`` of the target arrays; `terms` is (rows, 3). The gradient
    `d_h` is left out where it has no columns.
    """
    rows, length = h.shape
    channels, points = goal.shape
    to_db = 10 / math.log(10)
    for r in numba.prange(rows):
        c = r % channels
        decay = np.empty(points)
        missed = np.empty(points)
        grad = np.empty(points)
        total = 0.0
        end = length
        for k in range(points - 1, -1, -1):
            part = 0.0
            for n in range(k * hop, end):
                part += h[r, n] * h[r, n]
            total += part
            decay[k] = total
            end = k * hop

        square = 0.0
        scale = 0.0
        level = 0.0
        slope = np.zeros(slopes.shape[1])
        for k in range(points):
            miss = decay[k] - goal[c, k]
            square += counted[c, k] * miss * miss
            scale += goal[c, k] * goal[c, k]
            miss_db = to_db * math.log(decay[k] + 1e-12) - goal_db[c, k]
            missed[k] = miss_db
            level += level_weight[c, k] * abs(miss_db)
            for q in range(slopes.shape[1]):
                slope[q] += slopes[c, q, k] * miss_db
        attributes = 0.0
        for q in range(slopes.shape[1]):
            attributes += abs(slope[q])
        start = decay[0] + 1e-12
        count = slopes.shape[1] + boundaries.shape[0]
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
            miss = decay[k] - goal[c, k]
            pull = weights[1] / 10 * level_weight[c, k] * np.sign(missed[k])
            for q in range(slopes.shape[1]):
                pull += weights[2] / count * np.sign(slope[q]) * slopes[c, q, k]
            grad[k] = weights[0] * 2 * counted[c, k] * miss / scale + pull * to_db / (decay[k] + 1e-12)
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
        compare: Callable[..., None] = _compare
        with KERNEL_LOCK:
            compare(rows, target.hop, *target.arrays(), np.array(weights), terms, grad)
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
