"""Mel energy-decay relief: how energy decays in every band of a spectrogram (Mezza et al., DAFx24).

Beside the decay per octave it sees the colour of single milliseconds and of the bands between the octaves. Target and
response are summed to the target's noise knee and no further; the noise itself is taken out of the target.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, FloatArray, shapes_checked
from fdnlearn.losses.terms import ChannelsTerm, room_means, weighted
from fdnlearn.model.tiling import filled_up
from fdnlearn.ops.relief import TINY, ReliefTarget, distance
from fdnlearn.ops.relief.reference import frames
from fdnlearn.rir.target import Target

BANDS = 64
WINDOW_S, HOP_S = 0.02, 0.01
#: Nothing this far below the largest value of the target's relief is compared.
FLOOR_DB = 80.0
#: Frames of noise after the knee that an estimate of its spectrum needs.
_NOISE_FRAMES = 4


def relief_target(target: Target) -> ReliefTarget:
    """Prepare the relief of a target."""
    fs = target.sample_rate_hz
    width, hop = round(WINDOW_S * fs), round(HOP_S * fs)
    window = torch.from_numpy(np.hanning(width + 2)[1:-1].astype(np.float32))
    filters = torch.from_numpy(mel_filters(width, fs).astype(np.float32))
    length = max(target.length_samples, hop)
    energy = frames(torch.from_numpy(target.samples[:, :length].astype(np.float32)), window, hop) @ filters
    after = torch.from_numpy(target.samples[:, length:].astype(np.float32))
    noise = torch.zeros(energy.shape[0], 1, BANDS)
    if target.noise_power.max(initial=0.0) > 0.0 and after.shape[-1] >= _NOISE_FRAMES * hop + width:
        noise = (frames(after, window, hop) @ filters)[:, 2:-2].mean(1, keepdim=True)
    relief = (energy - noise).double().flip(1).cumsum(1).flip(1)
    left = torch.arange(energy.shape[1], 0, -1)[:, None]
    level = 10 * torch.log10(relief.clamp_min(TINY))
    heard = (relief > noise * left) & (level > level.amax((1, 2), keepdim=True) - FLOOR_DB)
    heard = heard.cumprod(1).bool()
    # counted from the floor, so that no weight depends on the level of the recording
    above = (level - level.amax((1, 2), keepdim=True) + FLOOR_DB) * heard
    weight = heard / above.sum((1, 2), keepdim=True).clamp_min(1e-9)
    return ReliefTarget(level.float(), weight.float(), filters, window, hop, length)


def stack(targets: Sequence[ReliefTarget]) -> ReliefTarget:
    """The channels of several targets of one rate one after the other, each compared as far as it was."""
    first = targets[0]
    return ReliefTarget(
        torch.cat(filled_up([target.relief_db for target in targets], dim=-2)),
        torch.cat(filled_up([target.weight for target in targets], dim=-2)),
        first.filters,
        first.window,
        first.hop,
        max(target.length for target in targets),
        torch.cat(
            [
                torch.full((len(target.weight), 1), target.length, device=target.weight.device)
                for target in targets
            ]
        ),
    )


@shapes_checked
def mel_filters(width: int, sample_rate_hz: float) -> Float64[FloatArray, "bins bands"]:
    """Triangles of unit height, evenly spaced on the mel scale from 0 Hz to half the rate, (bins, bands).

    Mel: 2595 log10(1 + f / 700). At the lowest bands, narrower than a bin, a triangle holds the bin nearest its centre.
    """
    hz = np.arange(width // 2 + 1) * sample_rate_hz / width
    top = 2595.0 * np.log10(1.0 + sample_rate_hz / 2.0 / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, top, BANDS + 2) / 2595.0) - 1.0)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rise = (hz[:, None] - low) / (centre - low)
    fall = (high - hz[:, None]) / (high - centre)
    filters: FloatArray = np.clip(np.minimum(rise, fall), 0.0, None)
    nearest = np.abs(hz[:, None] - centre).argmin(axis=0)
    empty = filters.sum(axis=0) == 0.0
    filters[nearest[empty], np.flatnonzero(empty)] = 1.0
    return filters


class EnergyReliefTerm(ChannelsTerm[ReliefTarget]):
    """Distance of the reliefs; a `fdnlearn.losses.terms.Term`."""

    stack_targets = staticmethod(stack)
    #: What a response has not is silence.
    length_samples = 0

    @property
    def kind(self) -> Hashable:
        """Terms that agree in it can be stacked."""
        return (self.target.hop, len(self.target.window))

    @shapes_checked
    def compare(
        self, rows: Float[Tensor, "batch channels samples"], weights: Mapping[str, float]
    ) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
        """Mean over the channels of a room."""
        return weighted("relief", room_means(distance(rows, self.target), self.rooms), weights)


def energy_relief_term(target: Target) -> EnergyReliefTerm:
    """Prepare the relief of a target."""
    return EnergyReliefTerm(relief_target(target))
