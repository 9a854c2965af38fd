"""Fitting by gradient descent with learnable delays (Mezza et al., EURASIP JASMP 2024:51), one room or many at once.

A fit of several rooms goes through its stages with all of them in one batch; every room leaves a stage when it stalls.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import torch
from torch import Tensor

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.fdn import FDN
from fdnlearn.fitting.batch import ProblemBatch, interleaved
from fdnlearn.fitting.columns import split
from fdnlearn.fitting.descent import AdamState, advance, column_rates, cosine
from fdnlearn.fitting.loop import Run, Step
from fdnlearn.fitting.problem import Free, Problem
from fdnlearn.fitting.progress import Progress
from fdnlearn.fitting.rounding import UNADAPTED, roundings
from fdnlearn.fitting.solution import Solution, Status
from fdnlearn.fitting.stages import plan
from fdnlearn.model.network import TIME_DOMAIN
from fdnlearn.options import Gradient

#: Relative fall of a room's mean loss that counts as progress. The mean, for with a learning rate that begins high the
#: loss first rises above that of the start, and the best says nothing for a long while.
_PROGRESS = 1e-3
#: Share of a batch that may belong to rooms that have left before it is made smaller.
_IDLE = 1 / 8
#: What of an `AdamState` is written down.
_TENSORS = ("values", "first", "second", "best_values", "best_loss")


@shapes_checked
@dataclass(frozen=True)
class Leader:
    """The best network of a room in a stage: loss, free parameters, and whole delays where it has them."""

    loss: float
    free: Free
    delays_samples: Float[Tensor, "1 lines"] | None


class GradientFit:
    """The gradient fit as a `Solver`, at random starts: those that every room would have alone.

    Parameters
    ----------
    *problems : Problem
        Several of them are one of `groups_of`.

    Attributes
    ----------
    batch : ProblemBatch
        All rooms.
    delays_samples : Tensor or None, shape (S, rooms, N)
        Whole delays of the S rows of every room, in stages that have them.
    present : list of int
        Rooms that `adam` holds: its row ``start * len(present) + place`` belongs to room ``present[place]``.
    left : dict of int to AdamState
        Rooms that have left the stage, as they were then. Their rows may stay in `adam` for a while.
    """

    def __init__(self, *problems: Problem) -> None:
        self.batch = ProblemBatch(problems)
        method = self.batch.config.method
        assert isinstance(method, Gradient)
        self._patience = method.patience
        # Networks in time have whole delays in every step: there is nothing that rounding changes.
        self._in_time = problems[0].kernel == TIME_DOMAIN
        self._stages = plan(self.batch.config, in_time=self._in_time)
        self._index = 0
        self._like = self.batch.draw(self._stages[0].rows, self.batch.config.seed)
        self._rates = column_rates(self.batch, self._like)
        self._unsnapped: tuple[Free, ...] = ()
        self.delays_samples: Tensor | None = None
        self._enter(AdamState.start(self._like))

    def _enter(self, adam: AdamState) -> None:
        """Begin a stage, or go on with it, with all rooms."""
        self.adam = adam
        self.present = list(range(self.rooms))
        self.left: dict[int, AdamState] = {}
        self._entered_s: float | None = None
        self._progress = 0.0
        self._select()

    def _select(self) -> None:
        """The rooms that are present, and the whole delays of their rows where they have them."""
        self._present_batch = self.batch.among(self.present)
        delays = self.delays_samples
        self._present_delays = None if delays is None else delays[:, self.present].flatten(0, 1)

    @property
    def rooms(self) -> int:
        """How many are fitted."""
        return self.batch.rooms

    @property
    def stage(self) -> str:
        """Name of the present stage."""
        return self._stages[self._index].name

    @property
    def total_iterations(self) -> int:
        """Steps of all stages, if none ends early."""
        return sum(stage.iterations for stage in self._stages)

    @property
    def share_done(self) -> float:
        """Of the expected time: a step takes as long as the rows that a core evaluates one after the other."""
        budget_s = self.batch.config.budget_s
        if budget_s is not None and self._stages:
            before = self._stages[self._index - 1].budget_share if self._index else 0.0
            own = self._stages[self._index].budget_share - before
            return before + own * min(self._progress, 1.0)
        cores: int = numba.get_num_threads()
        turns = [stage.iterations * math.ceil(stage.rows * self.rooms / cores) for stage in self._stages]
        own = self.adam.step / self._stages[self._index].iterations
        return (sum(turns[: self._index]) + own * turns[self._index]) / sum(turns)

    def stage_over(self, run: Run) -> Status | None:
        """Over when its steps are done, every room has left, or its share of the budget is spent."""
        stage, budget_s = self._stages[self._index], self.batch.config.budget_s
        if self._entered_s is None:
            self._entered_s = run.seconds
        if self._patience is not None:
            self._let_go(run.histories, self._patience)
        if self.adam.step >= stage.iterations or len(self.left) == self.rooms:
            return Status.COMPLETED
        self._progress = self.adam.step / stage.iterations
        if budget_s is not None:
            # The learning rate reaches zero when the time is up, however many steps that was.
            left_s = budget_s * stage.budget_share - self._entered_s
            self._progress = max(self._progress, (run.seconds - self._entered_s) / max(left_s, 1e-9))
            if self._progress >= 1 and self.adam.step:
                return Status.BUDGET
        return None

    def step(self, run: Run) -> Sequence[Step | None]:
        """One step of Adam on all rows."""
        rates = self._stages[self._index].rate * cosine(self._progress) * self._rates
        batch = self._present_batch
        losses = advance(self.adam, batch, self._like, self._present_delays, rates, batch.rooms)
        best = self.adam.best_loss.reshape(-1, len(self.present)).amin(0).tolist()
        starts = len(self.adam.values) // len(self.present)
        steps: list[Step | None] = [None] * self.rooms
        for room, (loss, terms), best_loss in zip(self.present, losses, best, strict=True):
            if room not in self.left:
                steps[room] = Step(loss, best_loss, terms, starts, self.share_done)
        return steps

    def _let_go(self, histories: Sequence[Sequence[Progress]], patience: int) -> None:
        """Rooms whose last `patience` steps brought no progress over those before leave the stage."""
        if self.adam.step < 2 * patience or self.adam.step % patience:
            return
        for room in self.present:
            if room in self.left:
                continue
            losses = [progress.loss for progress in histories[room][-2 * patience :]]
            if not sum(losses[patience:]) < (1 - _PROGRESS) * sum(losses[:patience]):
                self.left[room] = self._of_room(room)
        places = [place for place, room in enumerate(self.present) if room not in self.left]
        if not places or len(places) > (1 - _IDLE) * len(self.present):
            return
        rows = torch.arange(len(self.adam.values)).reshape(-1, len(self.present))[:, places]
        self.adam = self.adam.rows(rows.flatten())
        self.present = [self.present[place] for place in places]
        self._select()

    def next_stage(self) -> bool:
        """Hand the best networks of a finished stage to the next one, room by room."""
        if self._index + 1 == len(self._stages):
            return False
        stage, coming = self._stages[self._index], self._stages[self._index + 1]
        snapping = coming.snapped and not stage.snapped
        parts, delays, unsnapped = [], [], []
        for room, problem in enumerate(self.batch.problems):
            state = self._of_room(room)
            order = state.best_loss.argsort(stable=True)[: 1 if snapping else coming.rows]
            free = split(state.best_values[order], self._like)
            if snapping:
                if not self._in_time:
                    unsnapped.append(free)
                delays.append(roundings(problem, free, coming.rows, to_adapt=True))
                free = {name: t.repeat(coming.rows, *[1] * (t.ndim - 1)) for name, t in free.items()}
            elif self.delays_samples is not None:
                delays.append(self.delays_samples[order, room])
            parts.append(free)
        if delays:
            self.delays_samples = torch.stack(delays, dim=1)
        if unsnapped:
            self._unsnapped = tuple(unsnapped)
        self._index += 1
        self._enter(AdamState.start(interleaved(parts)))
        return True

    def _of_room(self, room: int) -> AdamState:
        """A copy of the rows of a room in the present stage, or of those it left with."""
        if room in self.left:
            return self.left[room]
        return self.adam.rows(
            torch.arange(self.present.index(room), len(self.adam.values), len(self.present))
        )

    def _leader(self, room: int) -> Leader:
        """The best network of a room in the present stage so far."""
        state = self._of_room(room)
        lead = int(state.best_loss.argmin())
        delays = None if self.delays_samples is None else self.delays_samples[lead : lead + 1, room]
        free = split(state.best_values[lead : lead + 1], self._like)
        return Leader(float(state.best_loss[lead]), free, delays)

    def network(self) -> FDN:
        """The best network of the first room so far, its delays perhaps not yet whole."""
        leader = self._leader(0)
        return self.batch.problems[0].network_to_fdn(leader.free, leader.delays_samples)

    def state(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """Of a fit of one room. Whether it has left the stage follows from its history."""
        tensors = {name: getattr(self.adam, name) for name in _TENSORS}
        if self.delays_samples is not None:
            tensors["delays_samples"] = self.delays_samples
        for free in self._unsnapped:
            tensors |= {f"unsnapped.{name}": tensor for name, tensor in free.items()}
        return tensors, {"stage": self._index, "step": self.adam.step}

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        device = self.batch.device
        self._index = state["stage"]
        if "delays_samples" in tensors:
            self.delays_samples = tensors["delays_samples"].to(device)
            self._unsnapped = ({name: tensors[f"unsnapped.{name}"].to(device) for name in self._like},)
        kept = {name: tensors[name] if name == "best_loss" else tensors[name].to(device) for name in _TENSORS}
        self._enter(AdamState(**kept, step=state["step"]))

    def solution(self, room: int, run: Run) -> Solution:
        """The best network of a room as the contract, its delays rounded if the fit ends on integers.

        Raises
        ------
        FdnlearnError
            If every start diverged.
        """
        leader = self._leader(room)
        loss, free, delays = leader.loss, leader.free, leader.delays_samples
        problem = self.batch.problems[room]
        warnings = list(problem.model.warnings)
        if not math.isfinite(loss):
            raise FdnlearnError(
                problem.target.name, "every start of the fit diverged", "try another --seed or --lines"
            )
        unsnapped = problem.network_to_fdn(self._unsnapped[room], None) if self._unsnapped else None
        if delays is None and problem.config.delays == "integer":
            if not self._in_time:
                unsnapped = problem.network_to_fdn(free, None)
            delays = roundings(problem, free, 1)
            warnings.append(UNADAPTED)
            with torch.no_grad():
                loss = float(problem.loss(free, delays)[0])
        history = tuple(run.histories[room])
        return problem.solution(
            fdn=problem.network_to_fdn(free, delays),
            unsnapped=unsnapped,
            status=run.status,
            loss=loss,
            iterations=len(history),
            seconds=run.seconds / self.rooms,
            history=history,
            warnings=tuple(warnings),
        )
