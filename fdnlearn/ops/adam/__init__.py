"""One step of Adam (Kingma & Ba, 2015) on a batch of networks, the best iterate of each kept.

For every row with gradient g, at the t-th step and element by element

    m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,   x <- x - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
"""

from __future__ import annotations

from torch import Tensor

from fdnlearn.base.types import Float, Float64, shapes_checked
from fdnlearn.ops.dispatch import form_for

#: Decay of the first and second moment, and what keeps the division finite.
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


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
    """Keep the rows whose `loss` is their best so far, then move all by the `count`-th step, in place.

    A row whose loss or gradient is not finite stays where it is and its moments see no gradient.

    Parameters
    ----------
    values, first, second, best_values, gradient : Tensor, shape (B, P)
        Parameters, their moments and the best of them so far; all but the gradient are written to.
    best_loss, loss : Tensor of float64, shape (B,)
        On the CPU, wherever the others are; `best_loss` is written to.
    rates : Tensor, shape (P,)
    count : int
        From 1.
    """
    form = form_for("adam", values.device.type)
    form.step(values, first, second, best_values, best_loss, gradient, loss, rates, count)
