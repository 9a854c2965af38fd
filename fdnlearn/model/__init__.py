"""What is trained: free parameters become physical ones, and those an impulse response."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from fdnlearn.base.types import Float
from fdnlearn.model.banded import BandedModel
from fdnlearn.model.homogeneous import HomogeneousModel
from fdnlearn.model.maps import Maps
from fdnlearn.model.network import Network
from fdnlearn.options import ModelOptions


class Model(Protocol):
    """A family of networks over free parameters; every tensor carries a leading batch dimension."""

    @property
    def options(self) -> ModelOptions:
        """What was asked for, what was left to the room or the model as it was settled."""

    @property
    def lines(self) -> int:
        """Number of lines."""

    @property
    def rates(self) -> Mapping[str, float]:
        """Learning rate of each parameter group relative to the fit's own."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the settings."""

    @property
    def kind(self) -> Hashable:
        """Models that agree in it can be put side by side."""

    def network(
        self,
        free: Mapping[str, Float[Tensor, "batch ..."]],
        delays_samples: Float[Tensor, "batch lines"] | None = None,
    ) -> Network:
        """Physical parameters; given `delays_samples`, no delay is learned."""

    def stack(self, others: Sequence[Any], device: torch.device) -> Maps:
        """How networks of this room and of others of its kind come about, network b being one of room ``b % rooms``."""

    def delays(self, free: Float[Tensor, "batch lines"]) -> Float[Tensor, "batch lines"]:
        """Delays in samples from their free parameters."""

    def draw(
        self, generator: torch.Generator, direct: Float[Tensor, "outputs inputs"], starts: int
    ) -> dict[str, Float[Tensor, "starts ..."]]:
        """Random starts for a target.

        Parameters
        ----------
        generator : torch.Generator
        direct : Tensor, shape (O, I)
            Direct sound of the target.
        starts : int
        """

    def fdn_fields(
        self, free: Mapping[str, Float[Tensor, "batch ..."]], network: Network
    ) -> Mapping[str, Any]:
        """Fields of the contract beyond delays, matrix and gains, of the first network of a batch."""


__all__ = ["BandedModel", "HomogeneousModel", "Maps", "Model", "Network"]
