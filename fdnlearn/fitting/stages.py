"""The plan of a gradient fit: what happens in which order, how long, and at which learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fdnlearn.config import FitConfig
from fdnlearn.options import Gradient


@dataclass(frozen=True)
class Stage:
    """A descent of `rows` networks side by side.

    Attributes
    ----------
    name : str
    rows : int
        Networks that enter: the best of the stage before, or their roundings.
    iterations : int
    rate : float
        Learning rate at the start; it follows a cosine to zero.
    snapped : bool
        Whether the delays are integers and stay so.
    budget_share : float
        Share of a time budget by whose end this stage is over.
    """

    name: str
    rows: int
    iterations: int
    rate: float
    snapped: bool
    budget_share: float


def plan(config: FitConfig, *, in_time: bool = False) -> tuple[Stage, ...]:
    """Stages of a fit: many short starts, one long descent; between them what delays between samples need.

    The loss has many minima: a start decides more than a long descent does, and a batch of starts costs little. Where
    networks are run sample by sample (`in_time`), delays are whole in every step, and what remains after the starts is
    the descent. Where spectra are sampled, delays move between samples: the starts are thinned out, then candidate
    roundings of the best compete. Rounding early costs nothing: the long descent adapts everything else.
    """
    method = config.method
    assert isinstance(method, Gradient)
    long = method.iterations

    def some(share: float) -> int:
        return max(1, round(share * long))

    starts = max(1, method.restarts)
    explore = Stage("explore", starts, some(0.125), 0.1, False, 0.25)
    if in_time:
        return (
            Stage("explore", starts, some(0.1), 0.2, False, 0.25),
            Stage("settle", 1, long, 0.3, True, 1.0),
        )
    thin_out = Stage("thin out", math.ceil(starts / 4), some(0.375), 0.1, False, 0.55)
    if config.delays == "fractional":
        return (explore, thin_out, Stage("descend", 1, long, 0.06, False, 1.0))
    return (
        explore,
        thin_out,
        Stage("snap", 4, some(0.25), 0.08, True, 0.75),
        Stage("settle", 1, long, 0.06, True, 1.0),
    )
