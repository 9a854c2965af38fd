"""From free parameters to networks, of one room or of several at once: what every model has in common."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.model.network import Network


class Maps(Protocol):
    """What makes networks out of free parameters, network b being one of room ``b % rooms``."""

    def delays(self, free: Float[Tensor, "batch lines"]) -> Float[Tensor, "batch lines"]:
        """Delays in samples (B, N), between two limits on a logarithmic scale."""

    def network(
        self,
        free: Mapping[str, Float[Tensor, "batch ..."]],
        delays_samples: Float[Tensor, "batch lines"] | None,
    ) -> Network:
        """Physical parameters; given `delays_samples`, those are used and nothing moves in time."""


M = TypeVar("M", bound=Maps)


class Mapped(ABC, Generic[M]):
    """A model of one room: its map is that of the room stacked with no other, made once for each device."""

    @abstractmethod
    def stack(self, others: Sequence[Any], device: torch.device) -> M:
        """How networks of this room and of others of its kind come about."""

    @functools.lru_cache(maxsize=4)  # noqa: B019  (a model lives as long as its fit)
    def maps(self, device: torch.device) -> M:
        """How networks of this room come about."""
        return self.stack((), device)

    @shapes_checked
    def delays(self, free: Float[Tensor, "batch lines"]) -> Float[Tensor, "batch lines"]:
        """Delays in samples from their free parameters."""
        return self.maps(free.device).delays(free)

    @shapes_checked
    def network(
        self,
        free: Mapping[str, Float[Tensor, "batch ..."]],
        delays_samples: Float[Tensor, "batch lines"] | None = None,
    ) -> Network:
        """Physical parameters; given `delays_samples`, no delay is learned."""
        return self.maps(free["delay"].device).network(free, delays_samples)
