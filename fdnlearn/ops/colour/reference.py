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
    rows = [_energies_of(h[:, channel], target, channel) for channel in range(h.shape[1])]
    return torch.stack(rows, dim=1)


def _energies_of(h: Tensor, target: ColourTarget, channel: int) -> Tensor:
    """Of one channel (S, n): (S, windows, bands)."""
    found: list[Tensor] = []
    for window, (start, n_fft) in enumerate(
        zip(target.starts[channel].tolist(), target.n_fft[channel].tolist(), strict=True)
    ):
        if n_fft == 0:
            found.append(torch.zeros_like(found[0]))
            continue
        part = h[:, start : int(target.ends[channel])]
        if window > 0:
            fade = torch.ones(part.shape[-1], dtype=torch.float64)
            ramp = torch.from_numpy(target.ramp)[: part.shape[-1]]
            fade[: len(ramp)] = ramp
            part = part * fade.to(h)
        spectrum = rfft(torch.nn.functional.pad(part, (0, n_fft - part.shape[-1])))
        power = spectrum.real.square() + spectrum.imag.square()
        found.append(power @ _weights(target.sample_rate_hz, n_fft, h.device).to(h) * (2.0 / n_fft))
    return torch.stack(found, dim=1)


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
