"""A term for the likeness of channels: coefficients of late correlation, octave by octave."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fdnlearn.acoustics.coherence import LatePart, coherence, late_part
from fdnlearn.kernels.fourier import rfft
from fdnlearn.rir.target import Target


@dataclass(frozen=True, eq=False)
class CoherenceAim:
    """Coefficients (pairs, bands) of a target, and the part of a response that they are taken of."""

    part: LatePart
    goal: Tensor


def coherence_aim(target: Target) -> CoherenceAim | None:
    """Prepare the coefficients of a target; None where it has a single channel or no late part."""
    channels = target.samples.shape[0]
    part = late_part(
        target.energy_decay[0], target.sample_rate_hz, target.mixing_time_s, target.length_samples, channels
    )
    return (
        None
        if part is None
        else CoherenceAim(part, torch.from_numpy(coherence(target.samples, part)).float())
    )


def coherence_distance(h: Tensor, aim: CoherenceAim) -> Tensor:
    """Mean squared difference of the coefficients over 0.1, (B,), of responses h (B, channels, n)."""
    part = aim.part
    late = h[..., part.start : part.stop] * torch.from_numpy(part.taper).to(h)
    spectrum = rfft(torch.nn.functional.pad(late, (0, part.n_fft - late.shape[-1])))
    power = torch.from_numpy(part.power.T).to(h)
    energy = (spectrum.real.square() + spectrum.imag.square()) @ power
    one, two = (list(side) for side in zip(*part.pairs, strict=True))
    crossed = spectrum.real[:, one] * spectrum.real[:, two] + spectrum.imag[:, one] * spectrum.imag[:, two]
    found = (crossed @ power) / (energy[:, one] * energy[:, two]).clamp_min(1e-30).sqrt()
    return 10.0 * (found - aim.goal.to(h)).square().mean((1, 2))
