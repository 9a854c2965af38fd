"""What a loss is made of: terms, each of which compares responses with what it has prepared of a target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.rir.target import Target

Prepared = TypeVar("Prepared")


class Term(Protocol):
    """Prepared for a target, or for those of several rooms.

    It gives one term of the loss, or a few that are computed together.
    """

    @property
    def kind(self) -> Hashable:
        """Terms of one sort that agree in it can be stacked."""

    @property
    def length_samples(self) -> int:
        """How long responses must be; 0 where any length will do."""

    def stack(self, others: Sequence[Any]) -> Term:
        """The term of this room and of others of its kind."""

    def compare(
        self, rows: Float[Tensor, "batch channels samples"], weights: Mapping[str, float]
    ) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
        """Weighted sum (S, rooms), and the terms by name, unweighted.

        Of responses `rows` (S, rooms * channels, n), room by room.
        """


@dataclass(frozen=True, eq=False)
class ChannelsTerm(ABC, Generic[Prepared]):
    """What terms share that compare each channel for itself.

    Attributes
    ----------
    target : Prepared
        Of the channels of all rooms, room by room.
    rooms : int
    """

    target: Prepared
    rooms: int = 1

    @staticmethod
    @abstractmethod
    def stack_targets(targets: Sequence[Prepared]) -> Prepared:
        """Those of several rooms as one."""

    def stack(self, others: Sequence[Self]) -> Self:
        """The term of this room and of others of its kind."""
        every = (self, *others)
        return type(self)(self.stack_targets([one.target for one in every]), len(every))


@dataclass(frozen=True)
class WeightedTerm:
    """A term as part of a model's loss.

    Attributes
    ----------
    prepare : callable
        Makes it for a target; None where the target has nothing to compare.
    weights : mapping of str to float
        Names of what it gives, and how much each of them counts.
    """

    prepare: Callable[[Target], Term | None]
    weights: Mapping[str, float]


@shapes_checked
def room_means(values: Float[Tensor, "batch channels"], rooms: int) -> Float[Tensor, "batch rooms"]:
    """Means (S, rooms) over the channels of each room of values (S, rooms * channels)."""
    if values.shape[-1] == rooms:  # the mean over one channel is not free at this pace
        return values
    return values.reshape(len(values), rooms, -1).mean(-1)


@shapes_checked
def weighted(
    name: str, value: Float[Tensor, "batch rooms"], weights: Mapping[str, float]
) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
    """What a `Term` that gives a single value (S, rooms) returns."""
    return weights[name] * value, {name: value}
