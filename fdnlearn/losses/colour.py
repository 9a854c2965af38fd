"""Colour as a loss: how loud each third octave is, of the whole response and from a few times on.

Octave decays leave the spectrum between octaves free. Levels are absolute, so that the sum over bands is the
recording's too; early and late sound have colours of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import scipy.fft
from torch import Tensor

from fdnlearn.acoustics.onset import find_onset
from fdnlearn.base.types import Float, Float64, FloatArray, IntArray, shapes_checked
from fdnlearn.losses.terms import ChannelsTerm, room_means, weighted
from fdnlearn.ops.colour import ColourTarget, band_filters, distance
from fdnlearn.rir.target import Target

#: When windows begin, after the onset, and the time in which they are faded in.
STARTS_S = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
RAMP_S = 0.005
#: A window counts if it is at least so many times as long as its start is late.
_LENGTH = 2.0
#: Nothing this far below the loudest third octave of the whole is compared, nor what is not this much above the noise.
FLOOR_DB, _ABOVE_NOISE_DB = 60.0, 3.0
#: Time of noise that an estimate of its spectrum needs.
_NOISE_S = 0.05


def colour_target(target: Target) -> ColourTarget:
    """Prepare the third octaves of a target, its noise taken out."""
    fs, samples = float(target.sample_rate_hz), target.samples
    onsets = [find_onset(h) for h in samples]
    ends = np.array([_end(target, channel, onset) for channel, onset in enumerate(onsets)])
    shortest = min(end - onset for end, onset in zip(ends, onsets, strict=True)) / fs
    starts_s = [start for start in STARTS_S if start == 0.0 or shortest > (1.0 + _LENGTH) * start]
    ramp = np.sin(0.5 * np.pi * (np.arange(round(RAMP_S * fs)) + 0.5) / round(RAMP_S * fs))
    starts = np.array(
        [
            [onset + round(start * fs) - ramp.size // 2 if start else 0 for start in starts_s]
            for onset in onsets
        ]
    )
    n_fft = np.array([[_transform_length(n, fs) for n in row] for row in (ends[:, None] - starts).tolist()])
    nothing = np.zeros((len(samples), len(starts_s), band_filters(fs, 1024).first.size))
    made = ColourTarget(fs, starts, ends, ramp, n_fft, nothing, nothing)
    whole = np.stack([_windows(h, channel, made) for channel, h in enumerate(samples)])
    noise = np.stack([_noise(h[end:], fs) for h, end in zip(samples, ends, strict=True)])[:, None]
    noise = noise * (ends[:, None] - starts)[..., None]
    clean = np.maximum(whole - noise, 1e-30)
    level = 10.0 * np.log10(clean)
    above = level > level.max(axis=(1, 2), keepdims=True) - FLOOR_DB
    heard = np.logical_and.accumulate(above & (clean > 10.0 ** (_ABOVE_NOISE_DB / 10.0) * noise), axis=1)
    weight = heard / np.maximum(heard.sum(axis=(1, 2), keepdims=True), 1)
    return dataclasses.replace(made, goal_db=level, weight=weight)


def _end(target: Target, channel: int, onset: int) -> int:
    """Where a channel's third octaves end: single bands are heard for longer than all of them together."""
    bands = target.parameters[channel].octave.values()
    knees = [onset + round(band.decay.knee_s * target.sample_rate_hz) for band in bands]
    end: int = min(max([target.length_samples, *knees]), target.samples.shape[1])
    return end


def _transform_length(samples: int, sample_rate_hz: float) -> int:
    """A power of two, or one and a half, of at least so many samples, long enough to tell the lowest bands apart.

    So rooms of about one length have transforms of one length, and go through them together.
    """
    needed = max(samples, round(0.1 * sample_rate_hz))
    power = 1 << (needed - 1).bit_length()
    return 3 * power // 4 if 3 * power // 4 >= needed else power


def _windows(h: FloatArray, channel: int, made: ColourTarget) -> FloatArray:
    """Energies (windows, bands) of a channel."""
    rows = []
    for window, (start, n_fft) in enumerate(
        zip(made.starts[channel], made.n_fft[channel].tolist(), strict=True)
    ):
        part = h[start : made.ends[channel]].copy()
        if window > 0:
            part[: made.ramp.size] *= made.ramp
        rows.append(_energies(part, n_fft, made.sample_rate_hz))
    return np.stack(rows)


def _noise(after: FloatArray, sample_rate_hz: float) -> FloatArray:
    """Noise energy a sample of every band, of what comes after a decay; zero where that is too short to tell."""
    n_fft = _transform_length(after.size, sample_rate_hz)
    energies = _energies(after, n_fft, sample_rate_hz)
    return energies / after.size if after.size >= _NOISE_S * sample_rate_hz else np.zeros_like(energies)


@shapes_checked
def _energies(
    x: Float64[FloatArray, " samples"], n_fft: int, sample_rate_hz: float
) -> Float64[FloatArray, " bands"]:
    """Energy of every third octave of a signal; once a fit, so that no kernel is compiled for it."""
    filters = band_filters(sample_rate_hz, n_fft)
    power = np.square(np.abs(scipy.fft.rfft(x, n_fft)))
    bands = zip(filters.first, filters.offsets[:-1], filters.offsets[1:], strict=True)
    return np.array(
        [
            2.0 / n_fft * power[at : at + stop - start] @ filters.weights[start:stop]
            for at, start, stop in bands
        ]
    )


def stack(targets: Sequence[ColourTarget]) -> ColourTarget:
    """The channels of several targets of one rate one after the other; windows that one has not count for nothing."""
    windows = max(target.n_fft.shape[1] for target in targets)

    def filled(rows: FloatArray | IntArray) -> FloatArray | IntArray:
        return np.concatenate(
            (rows, np.zeros((len(rows), windows - rows.shape[1], *rows.shape[2:]), rows.dtype)), axis=1
        )

    return ColourTarget(
        targets[0].sample_rate_hz,
        np.concatenate([filled(target.starts) for target in targets]),
        np.concatenate([target.ends for target in targets]),
        targets[0].ramp,
        np.concatenate([filled(target.n_fft) for target in targets]),
        np.concatenate([filled(target.goal_db) for target in targets]),
        np.concatenate([filled(target.weight) for target in targets]),
    )


class ColourTerm(ChannelsTerm[ColourTarget]):
    """Distance of the third octaves; a `fdnlearn.losses.terms.Term`."""

    stack_targets = staticmethod(stack)
    #: What a response has not is silence.
    length_samples = 0

    @property
    def kind(self) -> Hashable:
        """Terms that agree in it can be stacked."""
        return self.target.sample_rate_hz

    @shapes_checked
    def compare(
        self, rows: Float[Tensor, "batch channels samples"], weights: Mapping[str, float]
    ) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
        """Mean over the channels of a room."""
        return weighted("colour", room_means(distance(rows, self.target), self.rooms), weights)


def colour_term(target: Target) -> ColourTerm:
    """Prepare the third octaves of a target."""
    return ColourTerm(colour_target(target))
