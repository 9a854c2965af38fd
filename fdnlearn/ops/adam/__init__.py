"""One step of Adam (Kingma & Ba, 2015) on a batch of networks, the best iterate of each kept.

For every row with gradient g, at the t-th step and element by element

    m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,   x <- x - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from fdnlearn.base.types import Float, Float64, shapes_checked
from fdnlearn.ops.dispatch import form_for

#: Decay of the first and second moment, and what keeps the division finite.
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


Gradient = Float[Tensor, "batch parameters"]
Losses = Float64[Tensor, " batch"]
Rates = Float[Tensor, " parameters"]


class Rows(NamedTuple):
    """What a step writes to, one row a network.

    Attributes
    ----------
    values, first, second, best_values : Tensor, shape (B, P)
        Parameters, their moments and the best of them so far.
    best_loss : Tensor of float64, shape (B,)
        On the CPU, wherever the others are.
    """

    values: Float[Tensor, "batch parameters"]
    first: Float[Tensor, "batch parameters"]
    second: Float[Tensor, "batch parameters"]
    best_values: Float[Tensor, "batch parameters"]
    best_loss: Losses


@shapes_checked
def step(rows: Rows, gradient: Gradient, loss: Losses, rates: Rates, count: int) -> None:
    """Keep the rows whose `loss` is their best so far, then move all by the `count`-th step, in place.

    A row whose loss or gradient is not finite stays where it is and its moments see no gradient.

    Parameters
    ----------
    rows : Rows
    gradient : Tensor, shape (B, P)
    loss : Tensor of float64, shape (B,)
        On the CPU.
    rates : Tensor, shape (P,)
    count : int
        From 1.
    """
    form_for("adam", rows.values.device.type).step(rows, gradient, loss, rates, count)
