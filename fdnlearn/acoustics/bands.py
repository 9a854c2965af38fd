"""Octave filters: zero phase, one for target and fit.

A causal filter delays each band by its own amount and smears the direct sound to the right, so that the onset
has to be found again in every band; a zero-phase filter leaves every band on the onset of the whole response
and smears to both sides. The energy that lands in front of the onset is not lost: it is returned, and counted
as arriving with the onset. The magnitude is that of a sixth-order Butterworth band-pass, class 1 of
IEC 61260-1; it rings for 4.4 / bandwidth seconds (60 dB), a quarter of the shortest decay that is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: Nominal centres of the octaves that are measured.
OCTAVES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000)
#: A band is measured if its upper edge lies below this part of the sample rate.
EDGE_LIMIT = 0.45
_ORDER = 3


@dataclass(frozen=True)
class Octave:
    """One octave band: nominal centre, exact centre and edges (IEC 61260-1:2014, base ten)."""

    nominal_hz: int

    @property
    def centre_hz(self) -> float:
        """Exact centre frequency."""
        return float(1000.0 * 10.0 ** (0.3 * round(np.log2(self.nominal_hz / 1000.0))))

    @property
    def edges_hz(self) -> tuple[float, float]:
        """Lower and upper -3 dB frequency."""
        return self.centre_hz * 10.0**-0.15, self.centre_hz * 10.0**0.15

    @property
    def bandwidth_hz(self) -> float:
        """Distance of the edges."""
        return self.edges_hz[1] - self.edges_hz[0]


def octaves(sample_rate_hz: float) -> tuple[Octave, ...]:
    """The octaves from 125 Hz to 8 kHz whose upper edge lies below 0.45 of the sample rate."""
    bands = (Octave(nominal) for nominal in OCTAVES_HZ)
    return tuple(band for band in bands if band.edges_hz[1] < EDGE_LIMIT * sample_rate_hz)


@shapes_checked
def octave_magnitude(
    band: Octave, frequency_hz: Float64[FloatArray, " bins"]
) -> Float64[FloatArray, " bins"]:
    """Magnitude of the filter at the given frequencies."""
    low, high = band.edges_hz
    frequency = np.maximum(np.abs(frequency_hz), 1e-9)
    detuning = (frequency**2 - low * high) / (frequency * (high - low))
    magnitude: FloatArray = 1.0 / np.sqrt(1.0 + np.clip(np.abs(detuning), 0.0, 1e30) ** (2 * _ORDER))
    return magnitude


@shapes_checked
def filter_octaves(
    h: Float64[FloatArray, " samples"], sample_rate_hz: float, bands: tuple[Octave, ...]
) -> list[tuple[Float64[FloatArray, " samples"], float]]:
    """Split a response that starts at its onset into octaves.

    Parameters
    ----------
    h : ndarray, shape (n,)
    sample_rate_hz : float
    bands : tuple of Octave

    Returns
    -------
    list of (ndarray of shape (n,), float)
        For each band the filtered response from the onset on, and the energy in front of the onset.
    """
    return filter_zero_phase(
        h,
        sample_rate_hz,
        min((band.bandwidth_hz for band in bands), default=sample_rate_hz),
        lambda frequency_hz: (octave_magnitude(band, frequency_hz) for band in bands),
    )


def filter_zero_phase(
    h: FloatArray,
    sample_rate_hz: float,
    narrowest_hz: float,
    magnitudes: Callable[[FloatArray], Iterable[FloatArray]],
) -> list[tuple[FloatArray, float]]:
    """The same for any filters.

    Parameters
    ----------
    h : ndarray, shape (n,)
    sample_rate_hz : float
    narrowest_hz : float
        Bandwidth of the narrowest filter, which rings longest.
    magnitudes : callable
        Gives the magnitude of each filter at given frequencies (bins,).
    """
    import scipy.fft

    pad = int(np.ceil(8.0 / narrowest_hz * sample_rate_hz))
    size = scipy.fft.next_fast_len(h.size + 2 * pad, real=True)
    spectrum = scipy.fft.rfft(h, size)
    frequency_hz = np.arange(spectrum.size, dtype=np.float64) * (sample_rate_hz / size)
    filtered = []
    for magnitude in magnitudes(frequency_hz):
        x = scipy.fft.irfft(spectrum * magnitude, size)
        # The circular end holds what the filter put in front of sample 0.
        filtered.append((x[: h.size].copy(), float(np.sum(np.square(x[-pad:])))))
    return filtered
