"""What belongs to rooms, for the networks of a batch: network b is one of room ``b % rooms``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fdnlearn.base.types import Shaped, shapes_checked


def filled_up(parts: Sequence[Tensor], *, dim: int = -1, filling: float = 0.0) -> list[Tensor]:
    """Tensors of several rooms, each as long as the longest along a dimension counted from the end."""
    most = max(part.shape[dim] for part in parts)
    before = [0, 0] * (-1 - dim)
    return [
        torch.nn.functional.pad(part, [*before, 0, most - part.shape[dim]], value=filling) for part in parts
    ]


@shapes_checked
def tiled(values: Shaped[Tensor, "rooms ..."], rows: int) -> Shaped[Tensor, "batch ..."]:
    """Values (R, ...) of rooms as those of `rows` networks; of one room as they are, for they broadcast."""
    rooms = len(values)
    return values if rooms == 1 else values.repeat(rows // rooms, *[1] * (values.ndim - 1))
