"""The loop that every fit goes through: steps of a solver until it is over, out of time or interrupted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fdn import FDN
from fdnlearn.fitting import checkpoint
from fdnlearn.fitting.owner import NOBODY, Owner
from fdnlearn.fitting.progress import Callback, Checkpointing, Progress
from fdnlearn.fitting.solution import Solution, Status


@dataclass(frozen=True)
class Step:
    """What one step of a solver has come to for one room.

    Attributes
    ----------
    loss : float
        Of the best network of this step.
    best_loss : float
        Of the best one of this stage.
    terms : mapping of str to float
        Of that loss, unweighted.
    evaluations : int
        Networks that were evaluated.
    share_done : float or None
        Of the time that all steps are expected to take, if that is not their number.
    """

    loss: float
    best_loss: float
    terms: Mapping[str, float]
    evaluations: int
    share_done: float | None = None


def _now() -> float:
    return time.perf_counter()


@dataclass
class Run:
    """Time and history of a fit under way.

    Attributes
    ----------
    histories : tuple of list of Progress
        One for each room.
    seconds_before : float
        Of earlier runs of the same fit.
    status : Status
    """

    histories: tuple[list[Progress], ...]
    seconds_before: float = 0.0
    status: Status = Status.COMPLETED
    started: float = field(default_factory=_now)

    @property
    def seconds(self) -> float:
        """Since the fit began, earlier runs of it included."""
        return self.seconds_before + _now() - self.started


class CannotResumeError(Exception):
    """A solver cannot take up a state; says why."""


class Solver(Protocol):
    """A method at work on a problem, or on those of several rooms at once; it goes through stages of steps.

    Whether it is begun, resumed or interrupted is nothing to it: everything it does is a function of its problem and
    of what its steps have given.
    """

    @property
    def rooms(self) -> int:
        """How many are fitted."""

    @property
    def stage(self) -> str:
        """Name of the present stage."""

    @property
    def total_iterations(self) -> int:
        """Steps of all stages, if none ends early."""

    def stage_over(self, run: Run) -> Status | None:
        """Whether the present stage is over: completed, or out of its share of the budget; None if it goes on."""

    def next_stage(self) -> bool:
        """Begin the next stage; False after the last."""

    def step(self, run: Run) -> Sequence[Step | None]:
        """Go one step; of every room what it has come to, None for a room that has left the stage."""

    def network(self) -> FDN:
        """The best network of the first room so far, its delays perhaps not yet whole."""

    def state(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """Tensors and JSON-able values that, with the history, are all that `restore` needs."""

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Take up what `state` gave, in a solver that has just been made.

        Raises
        ------
        CannotResumeError
        """

    def solution(self, room: int, run: Run) -> Solution:
        """What became of a room.

        Raises
        ------
        FdnlearnError
            If nothing did.
        """


def run(
    solver: Solver,
    callback: Callback | None = None,
    checkpointing: Checkpointing | None = None,
    owner: Owner = NOBODY,
) -> Run:
    """Let a solver go its way; it then holds the best so far.

    Parameters
    ----------
    solver : Solver
    callback : callable, optional
        Called after every step with the progress of the first room; returning True ends the run.
    checkpointing : Checkpointing, optional
        Of a fit of one room.
    owner : Owner
        The fit that a checkpoint has to belong to.

    Raises
    ------
    FdnlearnError
        If there is a checkpoint to resume that belongs to another fit, or that this program cannot take up.
    """
    running = _resumed(solver, checkpointing, owner)
    saved = _now()
    while True:
        over = solver.stage_over(running)
        if over is not None:
            if over is Status.BUDGET:
                running.status = Status.BUDGET
            if not solver.next_stage():
                return running
            continue
        _note(solver, running, solver.step(running))
        if checkpointing is not None and _now() - saved > checkpointing.every_s:
            _save(solver, running, checkpointing, owner)
            saved = _now()
        if callback is not None and callback(running.histories[0][-1].with_best(solver.network)):
            if checkpointing is not None:
                _save(solver, running, checkpointing, owner)
            running.status = Status.INTERRUPTED
            return running


def _note(solver: Solver, running: Run, steps: Sequence[Step | None]) -> None:
    """Add a line to the history of every room that is under way."""
    seconds, total, stage = running.seconds / solver.rooms, solver.total_iterations, solver.stage
    for history, step in zip(running.histories, steps, strict=True):
        if step is None:
            continue
        history.append(
            Progress(
                iteration=len(history) + 1,
                total_iterations=total,
                stage=stage,
                seconds=seconds,
                loss=step.loss,
                best_loss=step.best_loss,
                terms=dict(step.terms),
                evaluations=step.evaluations + (history[-1].evaluations or 0 if history else 0),
                share_done=step.share_done,
            )
        )


def _save(solver: Solver, running: Run, checkpointing: Checkpointing, owner: Owner) -> None:
    tensors, state = solver.state()
    state = {**state, "seconds": running.seconds}
    checkpoint.save(checkpointing.path, tensors, state, running.histories[0], owner)


def _resumed(solver: Solver, checkpointing: Checkpointing | None, owner: Owner) -> Run:
    if checkpointing is None or not checkpointing.to_resume:
        return Run(tuple([] for _ in range(solver.rooms)))
    tensors, state, history = checkpoint.load(checkpointing.path, owner)
    try:
        solver.restore(tensors, state)
    except CannotResumeError as error:
        raise FdnlearnError(str(checkpointing.path), str(error), "start again with --force") from error
    return Run((history,), seconds_before=state["seconds"])
