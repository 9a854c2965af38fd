"""A term against ringing: lines of the late spectrum that stand out where the target's do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fdnlearn.acoustics.ringing import PADDING, LateLines, excused, late_lines, windows_s
from fdnlearn.kernels.fourier import rfft
from fdnlearn.rir.target import Target

#: Lines below this are those of any reverberation; those above are pulled down before they are heard.
FREE_DB = 10.0


@dataclass(frozen=True, eq=False)
class Part:
    """A late part of one channel, and the lines of its spectrum (lines,) that count: not where the target rings."""

    channel: int
    lines: LateLines
    counts: Tensor


def ringing_parts(target: Target) -> tuple[Part, ...]:
    """Prepare the late parts of a target, two a channel where its decay can be followed that far."""
    fs = float(target.sample_rate_hz)
    parts = []
    for channel, (h, curve) in enumerate(zip(target.samples, target.energy_decay, strict=True)):
        for window in windows_s(curve, fs, target.mixing_time_s, target.length_samples / fs):
            lines = late_lines(window, fs)
            parts.append(Part(channel, lines, torch.from_numpy(~excused(h, lines)).float()))
    return tuple(parts)


def ringing_distance(h: Tensor, parts: Sequence[Part]) -> Tensor:
    """Sum over lines of (dB above `FREE_DB`)^2 / 100, averaged over the parts, (B,), of responses (B, channels, n)."""
    total = torch.zeros(h.shape[0], device=h.device)
    for part in parts:
        lines = part.lines
        taper = torch.from_numpy(lines.taper).to(h)
        late = h[:, part.channel, lines.start : lines.stop] * taper[: h.shape[-1] - lines.start]
        spectrum = rfft(torch.nn.functional.pad(late, (0, lines.n_fft - late.shape[-1])))
        power = spectrum.real.square() + spectrum.imag.square()
        # Differences of a running sum want double precision.
        sums = torch.nn.functional.pad(power.double().cumsum(-1), (1, 0))
        low, high = (torch.from_numpy(edge).to(h.device) for edge in (lines.low, lines.high))
        mean = ((sums[:, high] - sums[:, low]) / (high - low)).to(power)
        own = power[:, lines.first : lines.first + lines.hz.size]
        level = 10 * (torch.log10(own + 1e-20) - torch.log10(mean + 1e-20))
        excess = (level - FREE_DB).clamp_min(0.0).square() * part.counts.to(h.device)
        total = total + excess.sum(-1) / PADDING
    return total / (100 * max(len(parts), 1))
