"""The loss of a fit: the terms of its model, composed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.losses.kinds import of_one_kind
from fdnlearn.losses.terms import Term, WeightedTerm
from fdnlearn.rir.target import Target


@dataclass(frozen=True, eq=False)
class Objective:
    """Compares impulse responses with a target, or with those of several rooms.

    Attributes
    ----------
    terms : tuple of Term
    weights : mapping of str to float
        By the names of what the terms give; what has no weight is not computed.
    names : tuple of tuple of str
        What each of the terms gives.
    rooms : int
    """

    terms: tuple[Term, ...]
    weights: Mapping[str, float]
    names: tuple[tuple[str, ...], ...]
    rooms: int = 1

    @property
    def length_samples(self) -> int:
        """How long responses must be."""
        return max(term.length_samples for term in self.terms)

    @property
    def kind(self) -> Hashable:
        """Objectives that agree in it can be stacked."""
        return (self.names, *(term.kind for term in self.terms), *self.weights.items())

    @shapes_checked
    def __call__(
        self, h: Float[Tensor, "batch channels samples"]
    ) -> tuple[Float[Tensor, " batch"], dict[str, Float[Tensor, " batch"]]]:
        """Loss (B,) of responses (B, channels, n), averaged over channels, and its unweighted terms.

        Response b is one of room ``b % rooms``.
        """
        rows = h.reshape(-1, self.rooms * h.shape[1], h.shape[2])
        total, values = None, {}
        for term, names in zip(self.terms, self.names, strict=True):
            if not any(self.weights.get(name, 0.0) for name in names):
                continue
            part, own = term.compare(rows, self.weights)
            total = part if total is None else total + part
            values.update(own)
        if total is None:
            raise ValueError("no term of the loss has any weight")
        return total.flatten(), {name: value.detach().flatten() for name, value in values.items()}

    def stack(self, others: Sequence[Objective]) -> Objective:
        """The objective and others of its kind as one: of every room it then gives what its own would have given.

        Raises
        ------
        ValueError
            If one of them is of another kind.
        """
        every = of_one_kind(self, others)
        terms = (first.stack(more) for first, *more in zip(*(one.terms for one in every), strict=True))
        return Objective(tuple(terms), self.weights, self.names, len(every))


def weights_of(loss: Sequence[WeightedTerm]) -> dict[str, float]:
    """Weight of each term of a model's loss, by name."""
    return {name: weight for part in loss for name, weight in part.weights.items()}


def objective_for(
    target: Target, loss: Sequence[WeightedTerm], weights: Mapping[str, float] | None = None
) -> Objective:
    """Prepare a model's loss for a target.

    Parameters
    ----------
    target : Target
    loss : sequence of WeightedTerm
        One of those in `fdnlearn.losses.definitions`.
    weights : mapping of str to float, optional
        Instead of its own.
    """
    prepared = [(part.prepare(target), tuple(part.weights)) for part in loss]
    there = [(term, names) for term, names in prepared if term is not None]
    return Objective(
        tuple(term for term, _ in there),
        weights_of(loss) if weights is None else dict(weights),
        tuple(names for _, names in there),
    )
