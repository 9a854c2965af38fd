"""What belongs to rooms, for the networks of a batch: network b is one of room ``b % rooms``."""

from __future__ import annotations

from torch import Tensor


def tiled(values: Tensor, rows: int) -> Tensor:
    """Values (R, ...) of rooms as those of `rows` networks; of one room as they are, for they broadcast."""
    rooms = len(values)
    return values if rooms == 1 else values.repeat(rows // rooms, *[1] * (values.ndim - 1))
