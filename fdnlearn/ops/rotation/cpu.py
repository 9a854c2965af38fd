"""Rotations on the CPU: matrix exponential and derivative of small matrices, by scaling, Taylor series and squaring.

Stock implementations spend their time on overhead at these sizes (N = 6: a third of a gradient step).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.jit import jit
from fdnlearn.base.types import Float, FloatArray, shapes_checked

#: Terms of the series; with the norm scaled below 1/2 the first one left out is under 1e-17.
_TERMS = 13


@jit()
def _add_product(out, a, b, factor):
    """Out += factor * a b, in plain loops: array expressions would take seconds to compile."""
    n = out.shape[0]
    for i in range(n):
        for k in range(n):
            x = factor * a[i, k]
            for j in range(n):
                out[i, j] += x * b[k, j]


@jit()
def exponentials(matrices, directions, values, derivatives):
    """values[b] = exp(matrices[b]); derivatives[b] = its Frechet derivative in directions[b] (none if empty)."""
    n = matrices.shape[1]
    wanted = derivatives.shape[0] > 0
    value, slope = np.empty((n, n)), np.empty((n, n))
    new_value, new_slope = np.empty((n, n)), np.empty((n, n))
    x, dx = np.empty((n, n)), np.empty((n, n))
    for b in range(matrices.shape[0]):
        norm = 0.0
        for j in range(n):
            column = 0.0
            for i in range(n):
                column += abs(matrices[b, i, j])
            norm = max(norm, column)
        squarings = 0
        while norm > 0.5 and squarings < 1000:
            norm *= 0.5
            squarings += 1
        scale = 2.0**-squarings
        for i in range(n):
            for j in range(n):
                x[i, j] = scale * matrices[b, i, j]
                dx[i, j] = scale * directions[b, i, j] if wanted else 0.0
                value[i, j] = 1.0 if i == j else 0.0
                slope[i, j] = 0.0
        for step in range(_TERMS + squarings):
            for i in range(n):
                for j in range(n):
                    new_value[i, j] = 1.0 if i == j and step < _TERMS else 0.0
                    new_slope[i, j] = 0.0
            if step < _TERMS:  # Horner: 1 + x (1 + x (...) / (k + 1)) / k
                factor = 1.0 / (_TERMS - step)
                _add_product(new_value, x, value, factor)
                if wanted:
                    _add_product(new_slope, dx, value, factor)
                    _add_product(new_slope, x, slope, factor)
            else:
                _add_product(new_value, value, value, 1.0)
                if wanted:
                    _add_product(new_slope, slope, value, 1.0)
                    _add_product(new_slope, value, slope, 1.0)
            value, new_value = new_value, value
            slope, new_slope = new_slope, slope
        for i in range(n):
            for j in range(n):
                values[b, i, j] = value[i, j]
                if wanted:
                    derivatives[b, i, j] = slope[i, j]


@functools.cache
def _strictly_upper(n: int) -> FloatArray:
    return np.triu(np.ones((n, n)), 1)


class _Rotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, free: Tensor) -> Tensor:
        upper = free.detach().numpy() * _strictly_upper(free.shape[-1])
        skew = upper - upper.swapaxes(1, 2)
        values, empty = np.empty_like(skew), np.empty((0, 0, 0))
        exponentials(skew, empty, values, empty)
        ctx.skew, ctx.dtype = skew, free.dtype
        return torch.from_numpy(values).to(free.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        # The adjoint of the derivative at X is the derivative at X^T, here -X.
        slope = np.empty_like(ctx.skew)
        direction = np.ascontiguousarray(grad.numpy(), np.float64)
        exponentials(-ctx.skew, direction, np.empty_like(slope), slope)
        return torch.from_numpy((slope - slope.swapaxes(1, 2)) * _strictly_upper(slope.shape[1])).to(
            ctx.dtype
        )


@shapes_checked
def rotation(free: Float[Tensor, "batch lines lines"]) -> Float[Tensor, "batch lines lines"]:
    """Rotations (B, N, N) of free matrices; see `fdnlearn.ops.rotation`."""
    result: Tensor = _Rotation.apply(free)
    return result
