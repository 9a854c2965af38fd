"""Free parameters as rows of one matrix: the groups flattened side by side, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked


def widths(like: Mapping[str, Tensor]) -> list[int]:
    """Columns that each group (B, ...) takes."""
    return [math.prod(tensor.shape[1:]) for tensor in like.values()]


@shapes_checked
def join(free: Mapping[str, Float[Tensor, "batch ..."]]) -> Float[Tensor, "batch parameters"]:
    """Groups (B, ...) as rows (B, P)."""
    return torch.cat([tensor.detach().flatten(1) for tensor in free.values()], dim=1)


@shapes_checked
def split(
    values: Float[Tensor, "batch parameters"], like: Mapping[str, Tensor]
) -> dict[str, Float[Tensor, "batch ..."]]:
    """Rows (B, P) as the named groups of `like`, whose batch size may differ."""
    pieces = values.split(widths(like), dim=1)
    return {
        name: piece.reshape(values.shape[0], *tensor.shape[1:])
        for (name, tensor), piece in zip(like.items(), pieces, strict=True)
    }
