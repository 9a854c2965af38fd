"""Free parameters as rows of one matrix: the groups flattened side by side, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor


def widths(like: Mapping[str, Tensor]) -> list[int]:
    """Columns that each group (B, ...) takes."""
    return [math.prod(tensor.shape[1:]) for tensor in like.values()]


def join(free: Mapping[str, Tensor]) -> Tensor:
    """Groups (B, ...) as rows (B, P)."""
    return torch.cat([tensor.detach().flatten(1) for tensor in free.values()], dim=1)


def split(values: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rows (B, P) as the named groups of `like`, whose batch size may differ."""
    pieces = values.split(widths(like), dim=1)
    return {
        name: piece.reshape(values.shape[0], *tensor.shape[1:])
        for (name, tensor), piece in zip(like.items(), pieces, strict=True)
    }
