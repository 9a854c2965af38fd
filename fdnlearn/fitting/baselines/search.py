"""Derivative-free fits: ask for candidates, evaluate them in one batched call, tell the losses, until time is up.

What a search has been told is all there is to know about it: everything else follows from its seed. A checkpoint
therefore holds the losses alone, and resuming replays the search on them, which costs a few per cent of the time
that the evaluations took and needs no access to what an optimiser library keeps inside.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import FDN
from fdnlearn.fitting import checkpoint
from fdnlearn.fitting.progress import Callback, Checkpointing, Progress
from fdnlearn.fitting.solution import Status

#: What a candidate costs whose loss is not finite: worse than any network, yet harmless in sums and sorts.
DIVERGED = 1e6

#: Losses (n,) of candidates (n, P), and the terms of the loss.
Evaluate = Callable[[FloatArray], tuple[FloatArray, Mapping[str, FloatArray]]]


class Optimiser(Protocol):
    """A search that says what it wants evaluated, and is told the losses; a function of its seed alone."""

    def ask(self) -> FloatArray:
        """Candidates (n, P) of the next generation."""

    def tell(self, losses: FloatArray) -> None:
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


@dataclass
class Found:
    """The best that a phase has come across.

    Attributes
    ----------
    phase : Phase
    point : ndarray, shape (P,), or None
        None before the first generation.
    loss : float
    """

    phase: Phase
    point: FloatArray | None = None
    loss: float = math.inf


@dataclass(frozen=True)
class Outcome:
    """A finished search: what each phase found, in order, and how it went."""

    found: tuple[Found, ...]
    status: Status
    seconds: float
    history: tuple[Progress, ...]


@dataclass
class _Journal:
    """What has been told, in order, and when the phases changed: all that a resumed search needs."""

    losses: list[FloatArray] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    history: list[Progress] = field(default_factory=list)
    seconds: float = 0.0
    last_asked: str = ""

    @property
    def evaluations(self) -> int:
        return self.history[-1].evaluations or 0 if self.history else 0


def search(
    begin: Callable[[int, Found | None], Phase | None],
    iterations: int,
    budget_s: float | None,
    callback: Callback | None,
    checkpointing: Checkpointing | None,
    owner: str,
) -> Outcome:
    """Go through the phases that `begin` makes; an iteration is one generation, evaluated in one call.

    Parameters
    ----------
    begin : callable
        ``begin(index, found)`` makes the phase of that index from what the phase before it has found; None after
        the last.
    iterations : int
        Generations of all phases together.
    budget_s : float or None
        The generation that would end after it by more than half its own length is not begun.
    callback : callable, optional
        Called after every generation; returning True ends the search.
    checkpointing : Checkpointing, optional
    owner : str
        Fingerprint of the fit that a checkpoint has to belong to.

    Raises
    ------
    FdnlearnError
        If there is a checkpoint to resume that belongs to another fit, or that other versions of the optimisers wrote.
    """
    resumed = checkpointing is not None and checkpointing.to_resume
    journal = _load(checkpointing, owner) if checkpointing is not None and resumed else _Journal()
    told = len(journal.losses)

    first = begin(0, None)
    assert first is not None
    found = [Found(first)]
    generation, out_of_time, longest_s = 0, False, 0.0
    before_s, started, saved = journal.seconds, time.perf_counter(), time.perf_counter()

    def finish(status: Status) -> Outcome:
        return Outcome(tuple(found), status, journal.seconds, tuple(journal.history))

    while True:
        phase = found[-1].phase
        if generation < told:
            over = len(journal.turns) >= len(found) and journal.turns[len(found) - 1] == generation
        else:
            over = generation >= max(1, int(phase.share * iterations))
            if budget_s is not None and found[-1].point is not None:
                spent_s = before_s + time.perf_counter() - started
                late = spent_s + longest_s / 2 > phase.share * budget_s
                over, out_of_time = over or late, out_of_time or late
        if over:
            coming = begin(len(found), found[-1])
            if coming is None:
                return finish(Status.BUDGET if out_of_time else Status.COMPLETED)
            if generation >= told:
                journal.turns.append(generation)
            found.append(Found(coming))
            continue

        entered = time.perf_counter()
        points = phase.optimiser.ask()
        terms: Mapping[str, FloatArray] = {}
        if generation < told:
            losses = journal.losses[generation]
            if generation == told - 1 and (
                losses.size != len(points) or _digest(points) != journal.last_asked
            ):
                assert checkpointing is not None
                raise FdnlearnError(
                    str(checkpointing.path),
                    "cannot be replayed by the installed optimisers",
                    "start again with --force",
                )
        else:
            losses, terms = phase.evaluate(points)
            journal.last_asked = _digest(points)
            journal.losses.append(losses)
        phase.optimiser.tell(losses)
        lead = int(losses.argmin())
        if losses[lead] < found[-1].loss:
            found[-1].point, found[-1].loss = points[lead].copy(), float(losses[lead])
        generation += 1
        if generation <= told:
            started = time.perf_counter()  # the replay is over when it is over
            continue

        longest_s = max(longest_s, time.perf_counter() - entered)
        journal.seconds = before_s + time.perf_counter() - started
        done = Progress(
            iteration=generation,
            total_iterations=iterations,
            stage=phase.name,
            seconds=journal.seconds,
            loss=float(losses[lead]),
            best_loss=found[-1].loss,
            terms={name: float(values[lead]) for name, values in terms.items()},
            evaluations=journal.evaluations + losses.size,
        )
        journal.history.append(done)
        if checkpointing is not None and time.perf_counter() - saved > checkpointing.every_s:
            _save(journal, checkpointing, owner)
            saved = time.perf_counter()
        best = found[-1]
        seen = None if best.point is None else partial(best.phase.network, best.point)
        if callback is not None and callback(done.with_best(seen)):
            if checkpointing is not None:
                _save(journal, checkpointing, owner)
            return finish(Status.INTERRUPTED)


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


def _save(journal: _Journal, checkpointing: Checkpointing, owner: str) -> None:
    state = {
        "sizes": [losses.size for losses in journal.losses],
        "turns": journal.turns,
        "seconds": journal.seconds,
        "last_asked": journal.last_asked,
    }
    told = torch.from_numpy(np.concatenate(journal.losses))
    checkpoint.save(checkpointing.path, {"losses": told}, state, journal.history, owner)


def _load(checkpointing: Checkpointing, owner: str) -> _Journal:
    tensors, state, history = checkpoint.load(checkpointing.path, owner)
    edges = np.cumsum(state["sizes"])[:-1]
    return _Journal(
        losses=list(np.split(tensors["losses"].numpy(), edges)),
        turns=state["turns"],
        history=history,
        seconds=state["seconds"],
        last_asked=state["last_asked"],
    )
