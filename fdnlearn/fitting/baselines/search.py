"""Derivative-free fits: ask for candidates, evaluate them in one batched call, tell the losses, phase by phase.

What a search has been told is all there is to know about it: everything else follows from its seed. A checkpoint
therefore holds the losses alone, and resuming replays the search on them, which costs a few per cent of the time
that the evaluations took and needs no access to what an optimiser library keeps inside.
"""

from __future__ import annotations

import hashlib
import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.errors import UsageError
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.fdn import FDN
from fdnlearn.fitting.loop import CannotResumeError, Run, Step
from fdnlearn.fitting.problem import Problem
from fdnlearn.fitting.solution import Solution, Status
from fdnlearn.options import Iterative

#: What a candidate costs whose loss is not finite: worse than any network, yet harmless in sums and sorts.
DIVERGED = 1e6

#: Losses (n,) of candidates (n, P), and the terms of the loss.
Evaluate = Callable[[FloatArray], tuple[FloatArray, Mapping[str, FloatArray]]]


class Optimiser(Protocol):
    """A search that says what it wants evaluated, and is told the losses; a function of its seed alone."""

    def ask(self) -> Float64[FloatArray, "candidates genes"]:
        """Candidates (n, P) of the next generation."""

    def tell(self, losses: Float64[FloatArray, " candidates"]) -> None:
        """Take in the losses (n,) of the candidates last asked for."""


@dataclass(frozen=True)
class Phase:
    """A part of a search over one set of genes.

    Attributes
    ----------
    name : str
    optimiser : Optimiser
    evaluate : callable
    share : float
        Share of the iterations, and of a time budget, by whose end this phase is over.
    network : callable
        The network that a candidate (P,) stands for.
    """

    name: str
    optimiser: Optimiser
    evaluate: Evaluate
    share: float
    network: Callable[[FloatArray], FDN]


@shapes_checked
@dataclass
class Best:
    """The best that a phase has come across.

    Attributes
    ----------
    phase : Phase
    point : ndarray, shape (P,), or None
        None before the first generation.
    loss : float
    """

    phase: Phase
    point: Float64[FloatArray, " genes"] | None = None
    loss: float = math.inf

    @property
    @shapes_checked
    def known(self) -> Float64[FloatArray, " genes"]:
        """The point, of a phase that has begun."""
        assert self.point is not None
        return self.point


class Search(ABC):
    """A search as a `Solver`: a stage is a phase, a step one generation, evaluated in one call.

    The iterations are the generations of all phases together. The generation that would end after the budget by more
    than half its own length is not begun.

    Parameters
    ----------
    problem : Problem

    Attributes
    ----------
    bests : list of Best
        What each phase has found, in order; the last is under way.
    """

    rooms = 1

    def __init__(self, problem: Problem) -> None:
        method = problem.config.method
        assert isinstance(method, Iterative)
        self.problem = problem
        self.total_iterations = method.iterations
        self._told: list[FloatArray] = []
        #: Generations after which the phases changed.
        self._turns: list[int] = []
        self._last_asked = ""
        self._longest_s = 0.0
        first = self.phase(0, None)
        assert first is not None
        self.bests = [Best(first)]

    @abstractmethod
    def phase(self, index: int, before: Best | None) -> Phase | None:
        """The phase of that index, from what the phase before it has found; None after the last."""

    @abstractmethod
    def solution(self, room: int, run: Run) -> Solution:
        """The best network as every method returns it."""

    @property
    def stage(self) -> str:
        """Name of the present phase."""
        return self.bests[-1].phase.name

    def stage_over(self, run: Run) -> Status | None:
        """Over when its share of the generations is done, or of the budget spent."""
        best, budget_s = self.bests[-1], self.problem.config.budget_s
        if budget_s is not None and best.point is not None:
            likely_s = run.seconds + self._longest_s / 2
            if likely_s > best.phase.share * budget_s:
                return Status.BUDGET
        enough = max(1, int(best.phase.share * self.total_iterations))
        return Status.COMPLETED if len(self._told) >= enough else None

    def next_stage(self) -> bool:
        """Begin the next phase from the best of this one."""
        coming = self.phase(len(self.bests), self.bests[-1])
        if coming is None:
            return False
        self._turns.append(len(self._told))
        self.bests.append(Best(coming))
        return True

    def step(self, run: Run) -> Sequence[Step]:
        """One generation."""
        entered_s = run.seconds
        phase = self.bests[-1].phase
        points = phase.optimiser.ask()
        losses, terms = phase.evaluate(points)
        self._last_asked = _digest(points)
        lead = self._tell(points, losses)
        self._longest_s = max(self._longest_s, run.seconds - entered_s)
        parts = {name: float(values[lead]) for name, values in terms.items()}
        return [Step(float(losses[lead]), self.bests[-1].loss, parts, losses.size)]

    def _tell(self, points: FloatArray, losses: FloatArray) -> int:
        """Let the optimiser adapt and keep the best; which of the points is the best of these."""
        best = self.bests[-1]
        best.phase.optimiser.tell(losses)
        lead = int(losses.argmin())
        if losses[lead] < best.loss:
            best.point, best.loss = points[lead].copy(), float(losses[lead])
        self._told.append(losses)
        return lead

    def network(self) -> FDN:
        """The best network of the present phase."""
        best = self.bests[-1]
        return best.phase.network(best.known)

    def state(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """The losses, and when the phases changed."""
        tensors = {"losses": torch.from_numpy(np.concatenate(self._told))}
        sizes = [losses.size for losses in self._told]
        return tensors, {"sizes": sizes, "turns": self._turns, "last_asked": self._last_asked}

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Replay the search on the losses it has been told.

        Raises
        ------
        CannotResumeError
            If the optimisers ask for something else than they did.
        """
        told = np.split(tensors["losses"].numpy(), np.cumsum(state["sizes"])[:-1])
        for generation, losses in enumerate(told):
            while state["turns"][len(self._turns) : len(self._turns) + 1] == [generation]:
                self.next_stage()
            points = self.bests[-1].phase.optimiser.ask()
            last = generation == len(told) - 1
            if last and (losses.size != len(points) or _digest(points) != state["last_asked"]):
                raise CannotResumeError("cannot be replayed by the installed optimisers")
            self._tell(points, losses)
        self._last_asked = state["last_asked"]


def require(module: str, method: str) -> Any:
    """Import a library of the extra ``baselines``.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UsageError(
            f"--method {method}",
            f"needs {package}, which is not installed",
            'pip install "fdnlearn[baselines]"',
        ) from error


def _digest(points: FloatArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(points).tobytes()).hexdigest()
