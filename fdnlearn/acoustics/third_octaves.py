"""Third octaves: bands whose energies add up to that of the whole.

The filters are zero phase, as the octaves' are (`fdnlearn.acoustics.bands`), and power-complementary: flat over the
middle half of a band, then falling as a quarter of a cosine to nothing within the half band that it shares with its
neighbour. The squares of all of them add up to one at every frequency, so a sum of band signals without phase has the
spectrum that it came from; each keeps class 1 of IEC 61260-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fdnlearn.acoustics.bands import EDGE_LIMIT, filter_zero_phase
from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: Bands are numbered from the one at 1 kHz; the lowest that is measured is at 50 Hz.
LOWEST = -13
#: Nominal centres of a decade (IEC 61260-1:2014, annex E), from 1 kHz on.
_NOMINAL = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
#: Half width of the crossing between two bands, in bands.
_CROSSING = 0.25


@dataclass(frozen=True, order=True)
class ThirdOctave:
    """One band by its number, 0 at 1 kHz (IEC 61260-1:2014, base ten)."""

    number: int

    @property
    def centre_hz(self) -> float:
        """Exact centre frequency."""
        return float(1000.0 * 10.0 ** (self.number / 10.0))

    @property
    def nominal_hz(self) -> float:
        """Centre frequency as it is written."""
        decade, place = divmod(self.number, 10)
        return float(round(_NOMINAL[place] * 10.0 ** (3 + decade), 6))

    @property
    def edges_hz(self) -> tuple[float, float]:
        """Lower and upper -3 dB frequency."""
        return self.centre_hz * 10.0**-0.05, self.centre_hz * 10.0**0.05

    @property
    def bandwidth_hz(self) -> float:
        """Distance of the edges."""
        return self.edges_hz[1] - self.edges_hz[0]


def third_octaves(sample_rate_hz: float) -> tuple[ThirdOctave, ...]:
    """The third octaves from 50 Hz on whose upper edge lies below 0.45 of the sample rate, 20 kHz at most."""
    bands = (ThirdOctave(number) for number in range(LOWEST, 14))
    return tuple(band for band in bands if band.edges_hz[1] < EDGE_LIMIT * sample_rate_hz)


@shapes_checked
def third_octave_weights(
    bands: tuple[ThirdOctave, ...], frequency_hz: Float64[FloatArray, " bins"]
) -> Float64[FloatArray, "bands bins"]:
    """Part of the power at given frequencies that is each band's: the squares of the filters, (bands, bins).

    The energy of a band of a whole response is this times the energy of its spectrum.
    """
    place = 10.0 * np.log10(np.maximum(np.abs(frequency_hz), 1e-9) / 1000.0)
    away = np.abs(place - np.array([[band.number] for band in bands], dtype=np.float64).reshape(-1, 1))
    crossed = np.clip((away - 0.5 + _CROSSING) / (2.0 * _CROSSING), 0.0, 1.0)
    weights: FloatArray = np.square(np.cos(0.5 * np.pi * crossed))
    return weights


@shapes_checked
def filter_third_octaves(
    h: Float64[FloatArray, " samples"], sample_rate_hz: float, bands: tuple[ThirdOctave, ...]
) -> list[tuple[Float64[FloatArray, " samples"], float]]:
    """Split a response (n,) that starts at its onset into third octaves.

    Each is the filtered response (n,) from the onset on, and the energy in front of the onset.
    """
    return filter_zero_phase(
        h,
        sample_rate_hz,
        min((band.bandwidth_hz for band in bands), default=sample_rate_hz),
        lambda frequency_hz: (np.sqrt(third_octave_weights((band,), frequency_hz)[0]) for band in bands),
    )
