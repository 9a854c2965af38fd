"""Third octaves of a whole signal: nothing is left out below the lowest or above the highest band.

Two banks of the same shapes. By amplitude the bands of a signal add up to the signal itself, sample by sample: for
cutting each at a time of its own. By power (square roots of the same) the energies add up: for shaping noise.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.fft

from fdnlearn.acoustics.third_octaves import ThirdOctave, third_octave_weights
from fdnlearn.base.types import FloatArray

#: The lowest band of `every_band`, at 20 Hz.
_LOWEST = -17


def every_band(rate_hz: float) -> tuple[ThirdOctave, ...]:
    """From 20 Hz to half the rate: more than is measured, for what lies beyond has a spectrum too."""
    highest = int(np.ceil(10.0 * np.log10(0.5 * rate_hz / 1000.0))) - 1
    return tuple(ThirdOctave(number) for number in range(_LOWEST, highest + 1))


def whole_weights(bands: tuple[ThirdOctave, ...], frequency_hz: FloatArray) -> FloatArray:
    """Weights (bands, bins) that add up to one everywhere: the outermost bands take what lies beyond them."""
    weights = third_octave_weights(bands, frequency_hz)
    weights[0, frequency_hz < bands[0].centre_hz] = 1.0
    weights[-1, frequency_hz > bands[-1].centre_hz] = 1.0
    return weights


def padded_size(samples: int, rate_hz: float, bands: tuple[ThirdOctave, ...]) -> int:
    """Length of a transform in which the narrowest band does not ring from the end into the beginning."""
    return int(scipy.fft.next_fast_len(samples + int(8.0 / bands[0].bandwidth_hz * rate_hz), real=True))


def split(
    h: FloatArray, rate_hz: float, bands: tuple[ThirdOctave, ...], *, by_power: bool = False
) -> Iterator[FloatArray]:
    """The bands of a signal (n,), zero phase, each (n,)."""
    size = padded_size(h.size, rate_hz, bands)
    spectrum = scipy.fft.rfft(h, size)
    weights = whole_weights(bands, np.arange(spectrum.size) * (rate_hz / size))
    for weight in np.sqrt(weights) if by_power else weights:
        yield scipy.fft.irfft(spectrum * weight, size)[: h.size]


def fade(samples: int, start: float, width: float) -> FloatArray:
    """One, then down a raised cosine from a sample over so many, then zero; (samples,)."""
    ramp = np.clip((np.arange(samples) - start) / max(width, 1.0), 0.0, 1.0)
    down: FloatArray = 0.5 + 0.5 * np.cos(np.pi * ramp)
    return down
