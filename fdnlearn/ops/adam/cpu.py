"""A step of Adam on the CPU, all of its small operations in one loop."""

from __future__ import annotations

import math

import numpy as np

from fdnlearn.base.jit import jit
from fdnlearn.base.types import shapes_checked
from fdnlearn.ops.adam import BETA1, BETA2, EPS, Gradient, Losses, Rates, Rows


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
def step(rows: Rows, gradient: Gradient, loss: Losses, rates: Rates, count: int) -> None:
    """Take the `count`-th step of all rows, in place; see `fdnlearn.ops.adam`."""
    values, first, second, best_values, best_loss = (one.numpy() for one in rows)
    g, losses = gradient.contiguous().numpy(), loss.numpy()
    _step(values, first, second, best_values, best_loss, g, losses, rates.numpy(), count)
