"""Third octaves of responses, from a few times on, against a target's.

What comes of a response from a time on, faded in by a ramp, has a spectrum whose power is summed with the weights of
each band. The distance from the target's level in dB is a square where it is small and a magnitude where it is large:

    D = sum_wb weight_wb (sqrt(1 + d_wb^2) - 1),    d_wb = 10 log10(2/N sum_k p_bk |H_w[k]|^2) - goal_wb
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from fdnlearn.acoustics.third_octaves import third_octave_weights, third_octaves
from fdnlearn.base.types import Float, Float32, Float64, FloatArray, Int64, IntArray, shapes_checked
from fdnlearn.ops.dispatch import form_for

#: Keeps the logarithm of an energy finite.
TINY = 1e-20


@shapes_checked
@dataclass(frozen=True, eq=False)
class BandFilters:
    """Power weights of bands on the lines of a transform, one band after the other.

    Attributes
    ----------
    first : ndarray of int, shape (bands,)
        Line with which each band begins.
    offsets : ndarray of int, shape (bands + 1,)
        Where the weights of each band begin, and where they end.
    weights : ndarray, shape (weights,)
    """

    first: Int64[IntArray, " bands"]
    offsets: Int64[IntArray, " ends"]
    weights: Float32[FloatArray, " weights"]


@functools.lru_cache(maxsize=64)
def band_filters(sample_rate_hz: float, n_fft: int) -> BandFilters:
    """The third octaves of a rate on the lines of transforms of a length, lowest first; neighbours overlap."""
    step_hz = sample_rate_hz / n_fft
    first, parts = [], []
    for band in third_octaves(sample_rate_hz):
        # A quarter of a band beyond its edges the weight is zero.
        low, high = (band.centre_hz * 10.0**reach for reach in (-0.075, 0.075))
        lines = np.arange(int(low / step_hz), int(high / step_hz) + 2)
        hz: FloatArray = step_hz * lines.astype(np.float64)
        first.append(int(lines[0]))
        parts.append(third_octave_weights((band,), hz)[0].astype(np.float32))
    offsets = np.cumsum([0, *(part.size for part in parts)])
    return BandFilters(np.array(first, dtype=np.int64), offsets.astype(np.int64), np.concatenate(parts))


@shapes_checked
@dataclass(frozen=True, eq=False)
class ColourTarget:
    """A target's third octaves and how responses are brought to them.

    Attributes
    ----------
    sample_rate_hz : float
    starts : ndarray of int, shape (channels, windows)
        First sample of each window, the first of which has no ramp.
    ends : ndarray of int, shape (channels,)
        Where channels are no longer compared.
    ramp : ndarray, shape (samples,)
    n_fft : ndarray of int, shape (channels, windows)
        Length of each window's transform; 0 where a channel has none.
    goal_db : ndarray, shape (channels, windows, bands)
    weight : ndarray, shape (channels, windows, bands)
    """

    sample_rate_hz: float
    starts: Int64[IntArray, "channels windows"]
    ends: Int64[IntArray, " channels"]
    ramp: Float64[FloatArray, " samples"]
    n_fft: Int64[IntArray, "channels windows"]
    goal_db: Float64[FloatArray, "channels windows bands"]
    weight: Float64[FloatArray, "channels windows bands"]


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: ColourTarget
) -> Float[Tensor, "batch channels"]:
    """Distance D (S, channels) of responses h (S, channels, n) from the target; what they lack is silence."""
    summed: Tensor = form_for("colour", h.device.type).distance(h, target)
    return summed
