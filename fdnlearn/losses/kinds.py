"""What can be stacked: the targets and losses of several rooms, as one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol, TypeVar


class OfAKind(Protocol):
    """Something that can be stacked."""

    @property
    def kind(self) -> Hashable:
        """Equal for what can be stacked."""


A = TypeVar("A", bound=OfAKind)


def of_one_kind(first: A, others: Sequence[A]) -> tuple[A, ...]:
    """The first and the others.

    Raises
    ------
    ValueError
        If one of them is of another kind.
    """
    every = (first, *others)
    if len({one.kind for one in every}) > 1:
        raise ValueError(
            "losses of other rates, weights or numbers of channels, or of very short targets, do not fit side by side"
        )
    return every
