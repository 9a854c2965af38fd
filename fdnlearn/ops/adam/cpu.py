"""One step of Adam on a batch of networks, all of its small operations in one loop."""

from __future__ import annotations

import math

import numpy as np

from fdnlearn.base.jit import jit

#: Decay of the first and second moment, and what keeps the division finite (Kingma & Ba, 2015).
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


@jit()
def step(values, first, second, best_values, best_loss, gradient, loss, rates, count):
    """Keep the rows (B, P) whose `loss` (B,) is their best so far, then move all by the `count`-th step, in place.

    A row whose loss or gradient is not finite stays where it is and its moments see no gradient.
    """
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
