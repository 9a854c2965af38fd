"""Colour: how loud a response is in every third octave, and how it decays there, against those of another.

Octave decays leave the spectrum between octaves free; these are the measures that see it. Both sides go through the
same filters (`fdnlearn.acoustics.third_octaves`). A recording's noise is taken out band by band as it is for octaves,
and neither side counts after the knee at which the recording's decay meets its noise in that band. Overall level does
not count: levels are compared with their mean difference removed, decays from their own start.

Two noises of the same envelope have not the same energy: over a band of width B and reverberation time T each scatters
by ``4.34 sqrt(6.9 / (B T))`` dB, the standard deviation of the mean of as many independent values. Bands with
``B T <= 16`` do not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fdnlearn.acoustics.energy_decay import EnergyDecay, Noise, energy_decay, schroeder
from fdnlearn.acoustics.parameters import DECAY_RANGES_DB, NEEDED_BT, decay_time
from fdnlearn.acoustics.third_octaves import ThirdOctave, filter_third_octaves, third_octaves
from fdnlearn.base.types import Bool, BoolArray, Float64, FloatArray, shapes_checked

#: From here on the colour of a response is that of its late part.
LATE_S = 0.05
#: Lower end of the range over which decays are compared.
DECAY_RANGE_DB = 35.0
#: Impulse-to-noise ratio that a band needs to count.
NEEDED_INR_DB = 20.0


@shapes_checked
@dataclass(frozen=True)
class ThirdOctaveDecays:
    """Energy decay curves of a recording, or of any response, by third octave.

    Attributes
    ----------
    sample_rate_hz : float
    bands : tuple of ThirdOctave
    decays : tuple of EnergyDecay
        Absolute: the first value of a curve is the energy of its band.
    counts : ndarray of bool, shape (bands,)
        Which bands can be told from chance and from noise.
    """

    sample_rate_hz: float
    bands: tuple[ThirdOctave, ...]
    decays: tuple[EnergyDecay, ...]
    counts: Bool[BoolArray, " bands"]

    def counting_from(self, from_s: float) -> BoolArray:
        """The bands that count and reach at least as far again beyond a time before they meet their noise, (bands,)."""
        knees_s = np.array([decay.knee_s for decay in self.decays])
        return np.asarray(self.counts & (knees_s > 2.0 * from_s))


@dataclass(frozen=True)
class Colour:
    """Level differences of two responses by third octave, their mean removed.

    Attributes
    ----------
    rms_db, worst_db : float or None
        Over the bands that count; `worst_db` has no sign. None where none counts.
    worst_hz : float or None
        Nominal centre of the worst band.
    by_band_db : dict of float to float
        Every counted band by its nominal centre; positive where the second is louder.
    """

    rms_db: float | None
    worst_db: float | None
    worst_hz: float | None
    by_band_db: dict[float, float]


@shapes_checked
def third_octave_decays(
    h: Float64[FloatArray, " samples"],
    sample_rate_hz: float,
    noise: Noise = "auto",
    bands: tuple[ThirdOctave, ...] | None = None,
) -> ThirdOctaveDecays:
    """Measure the decay of a response in every third octave.

    Parameters
    ----------
    h : ndarray, shape (n,)
        From its onset on.
    sample_rate_hz : float
    noise : {"auto", "none"}
        As for `fdnlearn.acoustics.energy_decay.energy_decay`.
    bands : tuple of ThirdOctave, optional
        Those of `third_octaves` by default.
    """
    h = np.asarray(h, dtype=np.float64)
    bands = third_octaves(sample_rate_hz) if bands is None else bands
    decays = tuple(
        energy_decay(own, sample_rate_hz, noise, early_energy=before, centre_hz=band.centre_hz)
        for band, (own, before) in zip(bands, filter_third_octaves(h, sample_rate_hz, bands), strict=True)
    )
    counts = [_counts(band, decay) for band, decay in zip(bands, decays, strict=True)]
    return ThirdOctaveDecays(sample_rate_hz, bands, decays, np.array(counts, dtype=bool))


@shapes_checked
def third_octave_levels_db(
    h: Float64[FloatArray, " samples"], sample_rate_hz: float, from_s: float = 0.0
) -> Float64[FloatArray, " bands"]:
    """Energy of a noiseless response from a time on in every band of `third_octaves`, in dB; (bands,) of (n,).

    From 0 on it is exactly the energy of the spectrum weighted by `third_octave_weights`: what the filters put in
    front of the response is counted with its start.
    """
    bands = third_octaves(sample_rate_hz)
    first = round(from_s * sample_rate_hz)
    energies = [
        float(np.square(own[first:]).sum()) + (before if first == 0 else 0.0)
        for own, before in filter_third_octaves(np.asarray(h, dtype=np.float64), sample_rate_hz, bands)
    ]
    return _db(np.array(energies))


@shapes_checked
def colour(room: ThirdOctaveDecays, fit: Float64[FloatArray, " samples"], from_s: float = 0.0) -> Colour:
    """How differently a noiseless response (n,) is coloured from a room, from a time on to the room's knees.

    Parameters
    ----------
    room : ThirdOctaveDecays
        Of the recording.
    fit : ndarray, shape (n,)
        At the same rate and with the same start.
    from_s : float
        0 or `LATE_S`.
    """
    first = round(from_s * room.sample_rate_hz)
    counted = room.counting_from(from_s)
    differences = {}
    for band, decay, curve, counts in zip(
        room.bands, room.decays, _fitted_curves(room, fit), counted, strict=True
    ):
        if not counts:
            continue
        tail = decay.floor.tail_energy if decay.floor else 0.0
        levels = _db(np.array([max(decay.curve[first] - tail, 0.0), curve[first]]))
        differences[band.nominal_hz] = float(levels[1] - levels[0])
    if not differences:
        return Colour(None, None, None, {})
    mean = float(np.mean(list(differences.values())))
    by_band = {hz: difference - mean for hz, difference in differences.items()}
    worst_hz = max(by_band, key=lambda hz: abs(by_band[hz]))
    rms = math.sqrt(float(np.mean(np.square(list(by_band.values())))))
    return Colour(rms, abs(by_band[worst_hz]), worst_hz, by_band)


@shapes_checked
def third_octave_decay_distance_db(
    room: ThirdOctaveDecays, fit: Float64[FloatArray, " samples"]
) -> float | None:
    """Rms distance of the energy decay curves of a noiseless response (n,) from a room's, over the bands that count.

    Each curve in dB re its start, from 0 to -35 dB or the band's knee; every band weighs the same. None where no band
    counts.
    """
    squares = []
    for decay, curve, counts in zip(room.decays, _fitted_curves(room, fit), room.counts, strict=True):
        if not counts:
            continue
        tail = decay.floor.tail_energy if decay.floor else 0.0
        own = np.maximum(decay.curve - tail, 0.0)
        level_db = _db(own / own[0])
        stop = int(np.searchsorted(-level_db, DECAY_RANGE_DB))
        # What remains just before the knee is a few samples' worth, which no two noises share.
        stop = min(stop, max(1, round(0.9 * decay.curve.size)))
        fitted_db = np.maximum(_db(curve[:stop] / max(curve[0], 1e-300)), -2.0 * DECAY_RANGE_DB)
        squares.append(float(np.mean(np.square(fitted_db - level_db[:stop]))))
    return math.sqrt(float(np.mean(squares))) if squares else None


def chance_db(band: ThirdOctave, reverberation_time_s: float) -> float:
    """Standard deviation of the difference in level of two noises with the same exponential envelope in a band."""
    return 10.0 / math.log(10.0) * math.sqrt(2.0 * 6.9 / (band.bandwidth_hz * reverberation_time_s))


def reverberation_time_s(decay: EnergyDecay) -> float | None:
    """T30 of a decay, T20 where it does not reach, or EDT."""
    times = (
        decay_time(decay.db, decay.sample_rate_hz, *DECAY_RANGES_DB[name])
        for name in ("t30_s", "t20_s", "edt_s")
    )
    return next((time for time in times if time is not None), None)


def _counts(band: ThirdOctave, decay: EnergyDecay) -> bool:
    if not decay.curve[0] > 0.0 or decay.inr_db < NEEDED_INR_DB:
        return False
    time_s = reverberation_time_s(decay)
    return time_s is not None and band.bandwidth_hz * time_s > NEEDED_BT


def _fitted_curves(room: ThirdOctaveDecays, fit: FloatArray) -> list[FloatArray]:
    """Decay curves of a response in the room's bands, each from the start to the room's knee."""
    curves = []
    for (own, before), decay in zip(
        filter_third_octaves(np.asarray(fit, dtype=np.float64), room.sample_rate_hz, room.bands),
        room.decays,
        strict=True,
    ):
        knee = decay.curve.size
        curve = schroeder(np.concatenate((own[:knee], np.zeros(max(0, knee - own.size)))))
        curve[0] += before
        curves.append(curve)
    return curves


def _db(energy: FloatArray) -> FloatArray:
    """In dB, of nothing a number far below anything that is measured."""
    level: FloatArray = 10.0 * np.log10(np.maximum(energy, 1e-30))
    return level
