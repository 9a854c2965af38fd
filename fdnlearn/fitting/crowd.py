"""The problems of several rooms seen as one: a step is then one set of launches, however many rooms there are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from fdnlearn.fitting.problem import Free, Problem
from fdnlearn.fitting.result import FitConfig
from fdnlearn.losses.objective import Objective, side_by_side
from fdnlearn.model import Homogeneous, Model

#: Lengths of responses that may differ within a crowd: the shorter ones are computed as long as the longest.
_LENGTH_STEP = 1.25


@dataclasses.dataclass(frozen=True)
class Crowd:
    """One problem or several; row ``start * rooms + room`` of a batch belongs to a room.

    Attributes
    ----------
    problems : tuple of Problem
        Several of them agree in `kind_of`.
    length_samples : int or None
        Of the responses that are computed; None for that of the longest problem.
    """

    problems: tuple[Problem, ...]
    length_samples: int | None = None

    @property
    def rooms(self) -> int:
        """How many there are."""
        return len(self.problems)

    @property
    def config(self) -> FitConfig:
        """The same for all."""
        return self.problems[0].config

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.problems[0].device

    @property
    def model(self) -> Model:
        """What the free parameters of each are."""
        return self.problems[0].model

    @cached_property
    def _n_fft(self) -> int:
        return self.length_samples or max(problem.n_fft for problem in self.problems)

    @cached_property
    def _objective(self) -> Objective:
        parts = [problem.objective for problem in self.problems]
        return side_by_side([part for part in parts if isinstance(part, Objective)])

    @cached_property
    def _times_s(self) -> Tensor:
        times = [problem.target.reverberation_time_s for problem in self.problems]
        return torch.tensor(times, dtype=torch.float64, device=self.device)[:, None]

    def among(self, rooms: Sequence[int]) -> Crowd:
        """Some of the rooms, their responses as long as here."""
        if len(rooms) == self.rooms:
            return self
        return Crowd(tuple(self.problems[room] for room in rooms), self._n_fft)

    def draw(self, starts: int, seed: int) -> Free:
        """Random starts of every room, the same as of that room alone."""
        return interleaved([problem.draw(starts, seed) for problem in self.problems])

    def loss(self, free: Free, delays_samples: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss (B,) and its terms; fixed `delays_samples` (B, N) replace the learned ones."""
        if self.rooms == 1 and self._n_fft == self.problems[0].n_fft:
            return self.problems[0].loss(free, delays_samples)
        rows = next(iter(free.values())).shape[0]
        starts = rows // self.rooms
        assert isinstance(self.model, Homogeneous)
        model = dataclasses.replace(self.model, reverberation_time_s=self._times_s.repeat(starts, 1))
        network = model.network(free, delays_samples)
        h = network.impulse_response(self._n_fft, self.problems[0].kernel).squeeze(2)
        total, terms = self._objective.by_channel(h.reshape(starts, -1, self._n_fft))

        def of_rows(values: Tensor) -> Tensor:
            return values.reshape(rows, -1).mean(-1)

        return of_rows(total), {name: of_rows(value.detach()) for name, value in terms.items()}


def interleaved(parts: Sequence[Free]) -> Free:
    """Batches (S, ...) of every room as the rows of one, in the order that a `Crowd` expects."""
    return {name: torch.stack([part[name] for part in parts], dim=1).flatten(0, 1) for name in parts[0]}


def kind_of(problem: Problem) -> Hashable:
    """What problems must have in common to be solved together; None for one that is solved alone."""
    objective = problem.objective
    if not isinstance(problem.model, Homogeneous) or not isinstance(objective, Objective):
        return None
    length = math.ceil(math.log(problem.n_fft) / math.log(_LENGTH_STEP))
    return (
        problem.config,
        length,
        problem.model.outputs,
        tuple(objective.decay.boundaries),
        objective.echo.window.size,
    )
