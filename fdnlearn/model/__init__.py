"""What is trained: free parameters become physical ones, and those an impulse response."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from fdnlearn.model.banded import Banded
from fdnlearn.model.banded_start import banded_for
from fdnlearn.model.homogeneous import Homogeneous, homogeneous_for
from fdnlearn.model.network import Network
from fdnlearn.model.wishes import Wishes
from fdnlearn.rir.target import Target


class Model(Protocol):
    """A family of networks over free parameters; every tensor carries a leading batch dimension."""

    @property
    def lines(self) -> int:
        """Number of lines."""

    @property
    def rates(self) -> Mapping[str, float]:
        """Learning rate of each parameter group relative to the fit's own."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the settings."""

    def network(self, free: Mapping[str, Tensor], delays_samples: Tensor | None = None) -> Network:
        """Physical parameters; given `delays_samples`, no delay is learned."""

    def delays(self, free: Tensor) -> Tensor:
        """Delays in samples from their free parameters."""

    def draw(self, generator: torch.Generator, direct: Tensor, starts: int) -> dict[str, Tensor]:
        """Random starts for a target whose direct sound is `direct` (outputs, inputs)."""

    def fdn_fields(self, free: Mapping[str, Tensor], network: Network) -> Mapping[str, Any]:
        """Fields of the contract beyond delays, matrix and gains, of the first network of a batch."""


#: Model name -> what builds it for a target.
MODELS: Mapping[str, Callable[[Target, Wishes], Model]] = {
    "homogeneous": homogeneous_for,
    "banded": banded_for,
}

__all__ = ["MODELS", "Banded", "Homogeneous", "Model", "Network", "Wishes"]
