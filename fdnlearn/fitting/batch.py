"""The problems of several rooms seen as one: a step is then one set of launches, however many rooms there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.config import FitConfig
from fdnlearn.fitting.problem import Free, Problem
from fdnlearn.losses.objective import Objective
from fdnlearn.model import Maps, Model
from fdnlearn.model.tiling import filled_up

#: How much the lengths of responses may differ within a batch: the shorter ones are computed as long as the longest.
_LENGTH_RATIO = 1.25


@dataclasses.dataclass(frozen=True)
class ProblemBatch:
    """One problem or several; row ``start * rooms + room`` of a batch belongs to a room.

    Attributes
    ----------
    problems : tuple of Problem
        Several of them are one of `groups_of`.
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
    def _together(self) -> tuple[Maps, Objective]:
        """What makes networks of all rooms, and what compares them.

        A loss of one room is not stacked: of the banded model's, parts of different length would be filled up to one,
        which gives other last bits.
        """
        first, *others = self.problems
        objectives = [other.objective for other in others]
        return (
            first.model.stack([other.model for other in others], self.device),
            first.objective.stack(objectives) if objectives else first.objective,
        )

    @property
    def rows_at_once(self) -> int:
        """How many networks a step evaluates at the same time: whole rounds of all rooms."""
        return max(1, self.problems[0].rows_at_once // self.rooms) * self.rooms

    def among(self, rooms: Sequence[int]) -> ProblemBatch:
        """Some of the rooms, their responses as long as here."""
        if len(rooms) == self.rooms:
            return self
        return ProblemBatch(tuple(self.problems[room] for room in rooms), self._n_fft)

    def draw(self, starts: int, seed: int) -> Free:
        """Random starts of every room, the same as of that room alone."""
        return interleaved([problem.draw(starts, seed) for problem in self.problems])

    @shapes_checked
    def loss(
        self,
        free: Mapping[str, Float[Tensor, "batch ..."]],
        delays_samples: Float[Tensor, "batch lines"] | None,
    ) -> tuple[Float[Tensor, " batch"], dict[str, Float[Tensor, " batch"]]]:
        """Loss (B,) and its terms; fixed `delays_samples` (B, N) replace the learned ones."""
        maps, objective = self._together
        network = maps.network(free, delays_samples)
        return objective(network.impulse_response(self._n_fft, self.problems[0].kernel).squeeze(2))


def interleaved(parts: Sequence[Free]) -> Free:
    """Batches (S, ...) of every room as the rows of one, in the order that a `ProblemBatch` expects.

    Groups that are of different width, taps for instance, are filled up with zeros, which nothing moves.
    """
    together = {}
    for name in parts[0]:
        together[name] = torch.stack(filled_up([part[name] for part in parts]), dim=1).flatten(0, 1)
    return together


def groups_of(problems: Mapping[int, Problem]) -> list[list[int]]:
    """Which problems are solved together: those of one kind whose responses are about as long."""
    kinds: dict[Hashable, list[int]] = {}
    for name, problem in problems.items():
        kinds.setdefault((problem.config, problem.model.kind, problem.objective.kind), []).append(name)
    groups: list[list[int]] = []
    for members in kinds.values():
        shortest = 0
        for name in sorted(members, key=lambda name: problems[name].n_fft):
            if problems[name].n_fft > _LENGTH_RATIO * shortest:
                groups.append([])
                shortest = problems[name].n_fft
            groups[-1].append(name)
    return groups
