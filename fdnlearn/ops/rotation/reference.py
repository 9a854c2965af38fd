"""Rotations by the matrix exponential of torch."""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked


@shapes_checked
def rotation(free: Float[Tensor, "batch lines lines"]) -> Float[Tensor, "batch lines lines"]:
    """Rotations (B, N, N) of free matrices; see `fdnlearn.ops.rotation`."""
    upper = free.double().triu(1)
    return torch.matrix_exp(upper - upper.mT).to(free.dtype)
