"""How alike the channels of a late response are, octave by octave.

The coefficient is that of the zero-phase octaves at lag zero: +1 for one and the same sound, 0 for a diffuse field
heard by microphones far apart, negative where they are half a wavelength apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy.fft

from fdnlearn.acoustics.bands import Octave, octave_magnitude, octaves
from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: The late part ends this far below the level with which it begins.
RANGE_DB = 40.0
_FADE_S = 0.005


@shapes_checked
@dataclass(frozen=True, eq=False)
class LatePart:
    """The part of a response in which channels are compared, and the octaves of its spectrum.

    Attributes
    ----------
    start, stop : int
    n_fft : int
    taper : ndarray, shape (stop - start,)
    bands : tuple of Octave
    power : ndarray, shape (bands, bins)
        Power response of each octave.
    pairs : tuple of (int, int)
        Channels that are compared.
    """

    start: int
    stop: int
    n_fft: int
    taper: Float64[FloatArray, " samples"]
    bands: tuple[Octave, ...]
    power: Float64[FloatArray, "bands bins"]
    pairs: tuple[tuple[int, int], ...]


@shapes_checked
def late_part(
    curve: Float64[FloatArray, " samples"],
    sample_rate_hz: float,
    mixing_time_s: float,
    usable: int,
    channels: int,
) -> LatePart | None:
    """The late part of a room: from its mixing time on, to 40 dB of decay or to where its noise begins.

    Parameters
    ----------
    curve : ndarray, shape (n,)
        Energy decay curve, noise taken out.
    sample_rate_hz, mixing_time_s : float
    usable : int
        Samples before the noise.
    channels : int

    Returns
    -------
    LatePart or None
        None with a single channel, or where nothing late is left.
    """
    start = round(mixing_time_s * sample_rate_hz)
    stop = min(usable, curve.size)
    if channels < 2 or stop - start < round(2 * _FADE_S * sample_rate_hz):
        return None
    below = np.flatnonzero(curve[start:stop] < curve[start] * 10.0 ** (-RANGE_DB / 10.0))
    stop = start + int(below[0]) if below.size else stop
    # The decay taken out: every part of it counts alike, not only its first milliseconds.
    taper = np.sqrt(curve[start] / curve[start:stop])
    fade = min(round(_FADE_S * sample_rate_hz), taper.size // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
    taper[:fade] *= ramp
    taper[taper.size - fade :] *= ramp[::-1]
    n_fft = scipy.fft.next_fast_len(taper.size, real=True)
    bands = octaves(sample_rate_hz)
    hz: FloatArray = np.arange(n_fft // 2 + 1, dtype=np.float64) * (sample_rate_hz / n_fft)
    power = (
        np.stack([np.square(octave_magnitude(band, hz)) for band in bands])
        if bands
        else np.ones((1, hz.size))
    )
    return LatePart(start, stop, n_fft, taper, bands, power, tuple(combinations(range(channels), 2)))


@shapes_checked
def coherence(
    h: Float64[FloatArray, "channels samples"], part: LatePart
) -> Float64[FloatArray, "pairs bands"]:
    """Coefficients (pairs, bands) of a response (channels, n)."""
    late = np.zeros((h.shape[0], part.taper.size))
    present = h[:, part.start : part.stop]
    late[:, : present.shape[1]] = present
    spectrum = scipy.fft.rfft(late * part.taper, part.n_fft)
    energy = np.square(np.abs(spectrum)) @ part.power.T
    coefficients = [
        np.real(spectrum[a] * spectrum[b].conj())
        @ part.power.T
        / np.sqrt(np.maximum(energy[a] * energy[b], 1e-300))
        for a, b in part.pairs
    ]
    return np.stack(coefficients)


@shapes_checked
def coherence_json(
    target: Float64[FloatArray, "channels target_samples"],
    fitted: Float64[FloatArray, "channels fitted_samples"],
    part: LatePart,
) -> dict[str, Mapping[str, list[float]]]:
    """``target``, ``fitted`` and ``error``: for every pair of channels (``"0-1"``) a value an octave."""
    values = {"target": coherence(target, part), "fitted": coherence(fitted, part)}
    values["error"] = np.abs(values["fitted"] - values["target"])
    return {
        name: {
            f"{a}-{b}": [round(float(x), 4) for x in row]
            for (a, b), row in zip(part.pairs, rows, strict=True)
        }
        for name, rows in values.items()
    }
