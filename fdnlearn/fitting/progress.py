"""What a fit tells while it runs, and where it keeps its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fdnlearn.fdn import FDN


@dataclass(frozen=True)
class Progress:
    """One line of a fit's history, also what a callback receives after every iteration.

    `evaluations` counts the networks that have been evaluated so far; None where each iteration is one. `share_done` is
    of the time that the whole fit is expected to take; None where iterations take equally long. `best` makes the best
    network so far, its delays perhaps not yet whole: only what a callback receives has it, and only while it is being
    called.
    """

    iteration: int
    total_iterations: int
    stage: str
    seconds: float
    loss: float
    best_loss: float
    terms: dict[str, float]
    evaluations: int | None = None
    share_done: float | None = field(default=None, compare=False, repr=False)
    best: Callable[[], FDN] | None = field(default=None, compare=False, repr=False)

    @property
    def left_s(self) -> float:
        """Seconds that the rest of the fit is expected to take."""
        share = self.share_done or self.iteration / self.total_iterations
        return self.seconds * max(1.0 / share - 1.0, 0.0)

    def with_best(self, best: Callable[[], FDN] | None) -> Progress:
        """The same, with a way to see the network."""
        return replace(self, best=best)


#: Called after every iteration; return True to stop and keep the best so far.
Callback = Callable[[Progress], bool]


@dataclass(frozen=True)
class Checkpointing:
    """Where a fit keeps its state so that it can be resumed, and how often it writes it.

    `more` are settings, plain JSON values, that its results hang on beside those of the fit.
    """

    path: Path
    every_s: float = 2.0
    resume: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def to_resume(self) -> bool:
        """Whether there is a state to take up, and it is wanted."""
        return self.resume and self.path.exists()
