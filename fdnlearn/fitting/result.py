"""What a fit is told and what it returns: the same two objects for every method."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fdnlearn.fdn import FDN
from fdnlearn.registry import MODELS
from fdnlearn.rir.target import Target


class Status(enum.Enum):
    """How a fit ended."""

    COMPLETED = "completed"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class FitConfig:
    """Everything that decides a fit besides its target.

    `iterations` is the length of the long descent that ends the fit; the stages before it scale with it
    (`registry.AUTO`: as long as the room's length allows, see `effort`). For the
    methods that evolve a population it is the number of generations, all phases together, for ``analytic`` nothing.
    `budget_s` (seconds of wall clock) ends a fit early, snapping included; `patience` ends a stage of the gradient fit
    when the mean loss of as many steps is not below that of those before, for every room on its own. `kernel` names an
    implementation of the response; None takes the fastest for the device.

    `lines` may be `registry.AUTO` for as many as the room asks for; `early`, `slopes` and `knots` are of
    `registry.EARLY`, `SLOPES` and `KNOTS`, None for what the model usually has. The defaults here are those of the
    homogeneous model, `for_model` gives any model's.

    Two settings exist for ablations of the gradient fit: with `learn_delays` False the delays stay where they
    start, and `loss_terms` names the terms of the loss that count (None: all of `losses.objective.WEIGHTS`).
    """

    model: str = "homogeneous"
    early: str | None = None
    slopes: str | None = None
    knots: str | None = None
    method: str = "gradient"
    lines: int = 6
    sample_rate_hz: int = 16000
    iterations: int = 400
    budget_s: float | None = None
    patience: int | None = None
    restarts: int = 16
    seed: int = 0
    device: str = "auto"
    delays: str = "integer"
    kernel: str | None = None
    learn_delays: bool = True
    loss_terms: tuple[str, ...] | None = None

    @classmethod
    def for_model(cls, model: str, **settings: Any) -> FitConfig:
        """The model's usual settings, but for those given."""
        return cls(model=model, **MODELS[model].settings() | settings)


@dataclass(frozen=True)
class Progress:
    """One line of a fit's history, also what a callback receives after every iteration.

    `evaluations` counts the networks that have been evaluated so far; None where each iteration is one. `best` makes
    the best network so far, its delays perhaps not yet whole: only what a callback receives has it, and only while it
    is being called.
    """

    iteration: int
    total_iterations: int
    stage: str
    seconds: float
    loss: float
    best_loss: float
    terms: dict[str, float]
    evaluations: int | None = None
    best: Callable[[], FDN] | None = field(default=None, compare=False, repr=False)

    def with_best(self, best: Callable[[], FDN] | None) -> Progress:
        """The same, with a way to see the network."""
        return replace(self, best=best)


@dataclass(frozen=True)
class Solution:
    """A finished fit: the network, what it was fitted to, and everything that was decided on the way.

    Attributes
    ----------
    target : Target
    config : FitConfig
        As it was settled: lines, iterations, rate, device and kernel are those that were used.
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


#: Called after every iteration; return True to stop and keep the best so far.
Callback = Callable[[Progress], bool]


@dataclass(frozen=True)
class Checkpointing:
    """Where a fit keeps its state so that it can be resumed, and how often it writes it."""

    path: Path
    every_s: float = 2.0
    resume: bool = False

    @property
    def to_resume(self) -> bool:
        """Whether there is a state to take up, and it is wanted."""
        return self.resume and self.path.exists()
