"""The distances of octaves in stock operations of torch; decays are compared as they are on their device."""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, shapes_checked
from fdnlearn.ops import decay
from fdnlearn.ops.octaves import Bands, OctaveTarget, transform_length


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: OctaveTarget, weights: tuple[float, float, float]
) -> tuple[Float64[Tensor, "batch channels"], Float64[Tensor, "batch channels 3"]]:
    """Weighted sum (S, channels) of the terms, and the terms (S, channels, 3); see `fdnlearn.ops.octaves`."""
    n_fft = transform_length(h.shape[-1])
    spectrum = torch.fft.rfft(h, n_fft)
    scale = target.whole.tensors(h.device)[0].to(h.dtype)
    delayed = [x.roll(delay, -1) for x, delay in zip((h * scale).unbind(1), target.delays, strict=True)]
    total, terms = _compare(torch.stack(delayed, dim=1), target.whole, weights)
    for bands, filters in zip(target.octaves, target.filters(n_fft, h.device), strict=True):
        lines = spectrum[:, :, None, : filters.shape[-1]] * filters
        signals = torch.fft.irfft(lines, n_fft // bands.decimation)
        more, more_terms = _compare(signals.flatten(1, 2), bands, weights)
        total, terms = total + more, terms + more_terms
    return total, terms


def _compare(signals: Tensor, bands: Bands, weights: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
    """Of signals (S, channels * bands, n)."""
    total, terms = decay.distance(signals, bands.decay, weights)
    _, share = bands.tensors(total.device)
    each = total.reshape(-1, *share.shape), terms.reshape(-1, *share.shape, 3)
    return (each[0] * share).sum(-1), (each[1] * share[..., None]).sum(-2)
