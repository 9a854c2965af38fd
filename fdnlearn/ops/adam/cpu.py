"""A step of Adam on the CPU, all of its small operations in one loop."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from fdnlearn.base.jit import jit
from fdnlearn.base.types import Float, Float64, shapes_checked
from fdnlearn.ops.adam import BETA1, BETA2, EPS


@jit()
def _step(values, first, second, best_values, best_loss, gradient, loss, rates, count):
    """`step` on arrays."""
    rows, columns = values.shape
    kind = values.dtype.type
    one = 1 - BETA1**count
    two = 1 - BETA2**count
    for r in range(rows):
        if loss[r] < best_loss[r]:
            best_loss[r] = loss[r]
            for p in range(columns):
                best_values[r, p] = values[r, p]
        total = float(loss[r])
        for p in range(columns):
            total += gradient[r, p]
        sound = np.isfinite(total)
        for p in range(columns):
            g = float(gradient[r, p]) if sound else 0.0
            m = BETA1 * first[r, p] + (1 - BETA1) * g
            v = BETA2 * second[r, p] + (1 - BETA2) * g * g
            first[r, p] = kind(m)
            second[r, p] = kind(v)
            if sound:
                values[r, p] -= kind(rates[p] * (m / one) / (math.sqrt(v / two) + EPS))


@shapes_checked
def step(
    values: Float[Tensor, "batch parameters"],
    first: Float[Tensor, "batch parameters"],
    second: Float[Tensor, "batch parameters"],
    best_values: Float[Tensor, "batch parameters"],
    best_loss: Float64[Tensor, " batch"],
    gradient: Float[Tensor, "batch parameters"],
    loss: Float64[Tensor, " batch"],
    rates: Float[Tensor, " parameters"],
    count: int,
) -> None:
    """Take the `count`-th step of all rows, in place; see `fdnlearn.ops.adam`."""
    _step(
        values.numpy(), first.numpy(), second.numpy(), best_values.numpy(), best_loss.numpy(),
        gradient.contiguous().numpy(), loss.numpy(), rates.numpy(), count,
    )  # fmt: skip
