"""Mel energy-decay relief in stock operations of torch."""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.ops.fourier import rfft
from fdnlearn.ops.relief import TINY, ReliefTarget


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: ReliefTarget
) -> Float[Tensor, "batch channels"]:
    """Distance of reliefs, (S, channels); see `fdnlearn.ops.relief`."""
    h = torch.nn.functional.pad(h, (0, target.length - h.shape[-1]))
    if target.ends is not None:
        h = torch.where(torch.arange(h.shape[-1], device=h.device) < target.ends, h, 0.0)
    energy = frames(h, target.window.to(h), target.hop) @ target.filters.to(h)
    relief = energy.flip(-2).cumsum(-2).flip(-2)
    level = 10 * torch.log10(relief + TINY)
    return ((level - target.relief_db.to(h)).abs() * target.weight.to(h)).sum((-2, -1))


def frames(h: Tensor, window: Tensor, hop: int) -> Tensor:
    """Power spectra (..., frames, bins) of h (..., n); the first frame's middle is the first sample."""
    width = window.shape[0]
    padded = torch.nn.functional.pad(h, (width // 2, width))
    spectrum = rfft(padded.unfold(-1, width, hop) * window)
    return spectrum.real.square() + spectrum.imag.square()
