"""Distances of responses that are computed together with their gradient, a few responses at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.types import Array, Float, shapes_checked

#: Distances (rows,) of rows (rows, n), and their gradient if that is wanted: channels innermost.
Compared = Callable[[Array, bool], tuple[Array, Array | None]]

#: About so many responses at a time: enough for all cores, and memory does not grow with a batch.
_ROWS = 8


class _Distances(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, compared: Compared) -> Tensor:
        channels, n = h.shape[1:]
        rows = np.ascontiguousarray(h.detach().numpy()).reshape(-1, n)
        step = max(1, _ROWS // channels) * channels
        parts = [
            compared(rows[first : first + step], ctx.needs_input_grad[0])
            for first in range(0, len(rows), step)
        ]
        distances, grads = zip(*parts, strict=True)
        if ctx.needs_input_grad[0]:
            ctx.grad = torch.from_numpy(np.concatenate(grads)).reshape(h.shape)
        return torch.from_numpy(np.concatenate(distances)).to(h.dtype).reshape(h.shape[:2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.grad * grad[..., None], None


@shapes_checked
def row_distances(
    h: Float[Tensor, "batch channels samples"], compared: Compared
) -> Float[Tensor, "batch channels"]:
    """Distances (S, channels) of responses h (S, channels, n), differentiable once."""
    result: Tensor = _Distances.apply(h, compared)
    return result
