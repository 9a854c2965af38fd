"""What is trained: free parameters become physical ones, and those an impulse response."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from fdnlearn.model.homogeneous import Homogeneous
from fdnlearn.model.network import Network


class Model(Protocol):
    """A family of networks over free parameters; every tensor carries a leading batch dimension."""

    @property
    def rates(self) -> Mapping[str, float]:
        """Learning rate of each parameter group relative to the fit's own."""

    def network(self, free: Mapping[str, Tensor], delays_samples: Tensor | None = None) -> Network:
        """Physical parameters; given `delays_samples`, no delay is learned."""

    def delays(self, free: Tensor) -> Tensor:
        """Delays in samples from their free parameters."""

    def draw(self, generator: torch.Generator, direct: Tensor, starts: int) -> dict[str, Tensor]:
        """Random starts for a target whose direct sound is `direct` (outputs, inputs)."""


#: Model name -> what builds it from (sample_rate_hz, reverberation_time_s, lines, inputs, outputs).
MODELS: Mapping[str, Callable[..., Model]] = {"homogeneous": Homogeneous}

__all__ = ["MODELS", "Homogeneous", "Model", "Network"]
