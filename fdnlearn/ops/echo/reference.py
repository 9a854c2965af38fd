"""Soft echo density in stock operations of torch, every frame unfolded."""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.ops.echo import GAUSSIAN_NORM, EchoDensitySettings, EchoTarget, mean_square


@torch.no_grad()
@shapes_checked
def profile(h: Float[Tensor, "*batch samples"], how: EchoDensitySettings) -> Float[Tensor, "*batch frames"]:
    """Soft echo density (..., frames) of responses (..., n); see `fdnlearn.ops.echo`."""
    return _unfolded(h, how)


@shapes_checked
def distance(
    h: Float[Tensor, "*batch channels samples"], target: EchoTarget
) -> Float[Tensor, "*batch channels"]:
    """Mean square difference (..., channels) from a target's profile; see `fdnlearn.ops.echo`."""
    return mean_square(_unfolded(h, target.how), target)


def _unfolded(h: Tensor, how: EchoDensitySettings) -> Tensor:
    window, steepness = how.tensors(h.device, h.dtype)
    frames = h.unfold(-1, window.shape[0], how.hop)[..., : steepness.shape[0], :]
    sigma = ((frames.square() * window).sum(-1, keepdim=True) + 1e-20).sqrt()
    slope = steepness[:, None] / sigma if how.invariant else steepness[:, None]
    return GAUSSIAN_NORM * (window * torch.sigmoid(slope * (frames.abs() - sigma))).sum(-1)
