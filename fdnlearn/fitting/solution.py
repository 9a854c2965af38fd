"""What a fit returns: the same object for every method."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from fdnlearn.config import FitConfig
from fdnlearn.fdn import FDN
from fdnlearn.fitting.progress import Progress
from fdnlearn.rir.target import Target


class Status(enum.Enum):
    """How a fit ended."""

    COMPLETED = "completed"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Solution:
    """A finished fit: the network, what it was fitted to, and everything that was decided on the way.

    Attributes
    ----------
    target : Target
    config : FitConfig
        As it was settled: what was left to the room, the model or the machine is what was used.
    fdn : FDN
        The network, delays as `FitConfig.delays` asks.
    unsnapped : FDN or None
        The best network before its delays were rounded, where there was one.
    status : Status
    loss : float
        Loss of `fdn`.
    iterations : int
        Gradient steps (or generations) done, all stages together; the history also counts evaluations.
    seconds : float
        Wall-clock time of the fit proper.
    history : tuple of Progress
    warnings : tuple of str
    """

    target: Target
    config: FitConfig
    fdn: FDN
    unsnapped: FDN | None
    status: Status
    loss: float
    iterations: int
    seconds: float
    history: tuple[Progress, ...]
    warnings: tuple[str, ...] = ()
