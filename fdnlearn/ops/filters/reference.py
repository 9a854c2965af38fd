"""Responses of sections in stock operations of torch, on all bins."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.types import Complex, Float, shapes_checked


@shapes_checked
def filter_response(
    gains: Float[Tensor, "*batch"], sos: Float[Tensor, "*batch sections 6"], n_fft: int, dtype: torch.dtype
) -> Complex[Tensor, "*batch bins"]:
    """Responses (..., K) of gains (...) and sections (..., S, 6); see `fdnlearn.ops.filters`."""
    z1 = torch.from_numpy(np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)).to(gains.device)
    powers = torch.stack((torch.ones_like(z1), z1, z1 * z1))
    up, down = (torch.matmul(part.to(powers.dtype), powers) for part in (sos[..., :3], sos[..., 3:]))
    return (gains[..., None] * (up / down).prod(dim=-2)).to(dtype)
