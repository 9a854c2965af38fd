"""Distances of third octaves in stock operations of torch."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.ops.colour import TINY, ColourTarget, band_filters
from fdnlearn.ops.fourier import rfft


@shapes_checked
def energies(
    h: Float[Tensor, "batch channels samples"], target: ColourTarget
) -> Float[Tensor, "batch channels windows bands"]:
    """Energy of every band in every window; see `fdnlearn.ops.colour`."""
    longest = max(int(start) + n for row in target.starts for start, n in zip(row, target.n_fft, strict=True))
    h = torch.nn.functional.pad(h, (0, max(0, longest - h.shape[-1])))
    found = []
    for window, n_fft in enumerate(target.n_fft):
        samples = torch.from_numpy(target.starts[:, window, None]) + torch.arange(n_fft)
        fade = (samples < torch.from_numpy(target.ends)[:, None]).double()
        if window > 0:
            fade[:, : target.ramp.size] *= torch.from_numpy(target.ramp)
        part = h.gather(2, samples.to(h.device).expand(h.shape[0], -1, -1)) * fade.to(h)
        spectrum = rfft(part)
        power = spectrum.real.square() + spectrum.imag.square()
        found.append(power @ _weights(target.sample_rate_hz, n_fft, h.device).to(h) * (2.0 / n_fft))
    return torch.stack(found, dim=2)


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: ColourTarget
) -> Float[Tensor, "batch channels"]:
    """Distance (S, channels); see `fdnlearn.ops.colour`."""
    level = 10.0 * torch.log10(energies(h, target) + TINY)
    miss = level - torch.from_numpy(target.goal_db).to(h)
    each = torch.sqrt(1.0 + miss.square()) - 1.0
    return (each * torch.from_numpy(target.weight).to(h)).sum((-2, -1))


@functools.lru_cache(maxsize=16)
def _weights(sample_rate_hz: float, n_fft: int, device: torch.device) -> Tensor:
    """Weights of all lines (bins, bands)."""
    filters = band_filters(sample_rate_hz, n_fft)
    dense = torch.zeros(n_fft // 2 + 1, filters.first.size)
    for band, first in enumerate(filters.first):
        own = filters.weights[filters.offsets[band] : filters.offsets[band + 1]]
        own = own[: len(dense) - first]
        dense[first : first + own.size, band] = torch.from_numpy(own)
    return dense.to(device)
