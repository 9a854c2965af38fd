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
    """Stages of a fit: many short starts thinned out, candidate roundings of the best, one long descent.

    The loss has many minima: a start decides more than a long descent does, and a batch of starts costs little.
    Rounding the delays early costs nothing: the long descent adapts everything else to them.
    """
    method = config.method
    assert isinstance(method, Gradient)
    long = method.iterations

    def some(share: float) -> int:
        return max(1, round(share * long))

    starts = max(1, method.restarts)
    import os
    if os.environ.get("FDN_PLAN"):
        return tuple(Stage(n, int(r), some(float(sh)), float(lr), bool(int(sn)), float(b)) for n,r,sh,lr,sn,b in (x.split(":") for x in os.environ["FDN_PLAN"].split(",")))
    stages = [
        Stage("explore", starts, some(0.125), 0.1, False, 0.25),
        Stage("thin out", math.ceil(starts / 4), some(0.375), 0.1, False, 0.55),
    ]
    if config.delays == "fractional":
        return (*stages, Stage("descend", 1, long, 0.06, False, 1.0))
    return (
        *stages,
        Stage("snap", 4, some(0.25), 0.08, True, 0.75),
        Stage("settle", 1, long, 0.06, True, 1.0),
    )
