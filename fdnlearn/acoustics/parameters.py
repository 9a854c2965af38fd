"""Room-acoustic parameters of a response (ISO 3382-1), broadband and per octave, and which of them count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fdnlearn.acoustics.bands import Octave, filter_octaves, octaves
from fdnlearn.acoustics.energy_decay import EnergyDecay, Noise, energy_decay
from fdnlearn.acoustics.noise_floor import LN_60_DB
from fdnlearn.acoustics.onset import find_direct, find_onset
from fdnlearn.acoustics.sensitivity import bent_down, noise_like, unsteady
from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: The quantities, by the keys they have everywhere.
QUANTITIES = ("t20_s", "t30_s", "edt_s", "c50_db", "c80_db", "d50_percent", "ts_ms", "drr_db")
#: Regression range of each decay time, dB below the start of the decay (ISO 3382-1:2009, 5.3).
DECAY_RANGES_DB = {"edt_s": (0.0, 10.0), "t20_s": (5.0, 25.0), "t30_s": (5.0, 35.0)}
#: Impulse-to-noise ratio that each quantity needs. ISO 3382-1 asks for the end of the regression plus 10 dB.
NEEDED_INR_DB = {
    "t20_s": 35.0,
    "t30_s": 45.0,
    "edt_s": 20.0,
    "ts_ms": 20.0,
    "d50_percent": 20.0,
    "drr_db": 20.0,
}
#: Bandwidth times reverberation time above which the octave filter does not lengthen the decay (ISO 3382-1).
NEEDED_BT = 16.0
#: Above this clarity the late energy is too small a difference to be judged.
LARGEST_CLARITY_DB = 25.0
#: Half width of the window around the direct peak whose energy is direct.
DIRECT_WINDOW_S = 2.5e-3


@dataclass(frozen=True)
class Measurability:
    """Whether a value counts in a comparison, and why not (or with what margin)."""

    counts: bool
    reason: str


@dataclass(frozen=True)
class BandParameters:
    """Parameters of one band.

    Attributes
    ----------
    t20_s, t30_s, edt_s : float or None
        Reverberation times from -5…-25 dB, -5…-35 dB and 0…-10 dB. None where the decay does not reach.
    c50_db, c80_db : float or None
        Early-to-late energy ratio at 50 ms and 80 ms.
    d50_percent : float or None
        Early part of the energy, 0 to 100.
    ts_ms : float or None
        Centre time.
    drr_db : float or None
        Direct-to-reverberant ratio, direct being ±2.5 ms around the direct peak.
    measurability : mapping of str to Measurability
        For each quantity.
    decay : EnergyDecay
        What they were read from.
    """

    t20_s: float | None
    t30_s: float | None
    edt_s: float | None
    c50_db: float | None
    c80_db: float | None
    d50_percent: float | None
    ts_ms: float | None
    drr_db: float | None
    measurability: Mapping[str, Measurability]
    decay: EnergyDecay

    def values(self) -> dict[str, float | None]:
        """The quantities alone, by key."""
        return {name: getattr(self, name) for name in QUANTITIES}


@dataclass(frozen=True)
class RoomParameters:
    """Parameters of a response.

    Attributes
    ----------
    broadband : BandParameters
    octave : mapping of int to BandParameters
        By nominal centre frequency; only bands whose upper edge lies below 0.45 of the sample rate.
    onset_s, direct_s : float
        Where the -20 dB onset and the direct sound lie in the response.
    """

    broadband: BandParameters
    octave: Mapping[int, BandParameters]
    onset_s: float
    direct_s: float


@shapes_checked
def room_parameters(
    h: Float64[FloatArray, " samples"],
    sample_rate_hz: float,
    noise: Noise = "auto",
    *,
    rounding_power: float = 0.0,
) -> RoomParameters:
    """Measure a response.

    Everything starts at the -20 dB onset: it is cut off first, once, on the broadband response, and the
    zero-phase octave filters leave it in its place.

    Parameters
    ----------
    h : ndarray, shape (n,)
        Response; what lies in front of the onset is ignored.
    sample_rate_hz : float
    noise : {"auto", "none"}
        ``"none"`` for a synthetic response without a noise floor that has decayed completely: the decay curve
        is then Schroeder's integral as it is. Ranges, filters and windows are the same.
    rounding_power : float
        Mean square of what was rounded away (`fdnlearn.acoustics.quantisation`): noise of that power is put back in
        its place, so that the floor is seen which the rounding has hidden.

    Returns
    -------
    RoomParameters
    """
    h = np.asarray(h, dtype=np.float64)
    onset = find_onset(h)
    direct = find_direct(h, onset, sample_rate_hz) - onset
    cut = h[onset:]
    bands = octaves(sample_rate_hz)
    white, *coloured = (
        noise_like(cut, sample_rate_hz, bands) if noise == "auto" else [cut[:0]] * (1 + len(bands))
    )
    if rounding_power > 0.0 and noise == "auto":
        # Other noise than the one by which figures are tried.
        cut = cut + math.sqrt(rounding_power) * white[::-1]
    broadband = _measure(cut, sample_rate_hz, noise, direct, None, 0.0, white, {})
    # What was done to a recording was done to all of its octaves.
    done = bent_down(broadband.values(), None) if noise == "auto" else {}
    filtered = zip(bands, filter_octaves(cut, sample_rate_hz, bands), coloured, strict=True)
    octave = {
        band.nominal_hz: _measure(own, sample_rate_hz, noise, direct, band, before, alike, done)
        for band, (own, before), alike in filtered
    }
    return RoomParameters(broadband, octave, onset / sample_rate_hz, (onset + direct) / sample_rate_hz)


@shapes_checked
def decay_time(
    level_db: Float64[FloatArray, " samples"], sample_rate_hz: float, upper_db: float, lower_db: float
) -> float | None:
    """Reverberation time by linear regression over part of a decay.

    Parameters
    ----------
    level_db : ndarray, shape (n,)
        Energy decay curve in dB re its start, non-increasing.
    sample_rate_hz : float
    upper_db, lower_db : float
        Range of the regression in dB below the start, 0 <= upper < lower.

    Returns
    -------
    float or None
        Seconds for 60 dB; None if the curve does not reach `lower_db` or leaps over the range.
    """
    first = int(np.searchsorted(-level_db, upper_db))
    last = int(np.searchsorted(-level_db, lower_db))
    if last >= level_db.size or last - first < 3:
        return None
    y = level_db[first:last]
    x = np.arange(y.size) - 0.5 * (y.size - 1)
    slope_db = float(x @ y) / float(x @ x)
    return -60.0 / (slope_db * sample_rate_hz) if slope_db < 0.0 else None


def _measure(
    h: FloatArray,
    sample_rate_hz: float,
    noise: Noise,
    direct: int,
    band: Octave | None,
    before: float,
    alike: FloatArray,
    done: Mapping[str, str],
) -> BandParameters:
    """All quantities of one band from its decay curve.

    `alike` is noise of power one of the band; `done` says why quantities of no band count.
    """

    def decay_of(h: FloatArray) -> EnergyDecay:
        centre_hz = None if band is None else band.centre_hz
        return energy_decay(h, sample_rate_hz, noise, early_energy=before, centre_hz=centre_hz)

    def measured(decay: EnergyDecay) -> dict[str, float | None]:
        return _values(decay, direct) if decay.curve[0] > 0.0 else dict.fromkeys(QUANTITIES)

    decay = decay_of(h)
    values = measured(decay)
    measurability = {name: _judge(name, value, decay, band) for name, value in values.items()}
    if noise == "auto" and any(one.counts for one in measurability.values()):
        changes = unsteady(h, decay, values, alike, lambda other: measured(decay_of(other)))
        changes |= {**bent_down(values, band), **done}
        for name, reason in changes.items():
            if measurability[name].counts:
                measurability[name] = Measurability(False, reason)
    return BandParameters(**values, measurability=measurability, decay=decay)


def _values(decay: EnergyDecay, direct: int) -> dict[str, float | None]:
    """Every quantity of a decay curve that is not silent."""
    total, rate = float(decay.curve[0]), decay.sample_rate_hz
    late_50 = _remaining(decay, 0.05)
    return {
        **{name: decay_time(decay.db, rate, *span_db) for name, span_db in DECAY_RANGES_DB.items()},
        "c50_db": _ratio_db(total, late_50),
        "c80_db": _ratio_db(total, _remaining(decay, 0.08)),
        "d50_percent": 100.0 * (1.0 - late_50 / total),
        "ts_ms": _centre_time_ms(decay),
        "drr_db": _ratio_db(total, _remaining(decay, direct / rate + DIRECT_WINDOW_S)),
    }


def _remaining(decay: EnergyDecay, time_s: float) -> float:
    """Energy after a time, beyond the knee by the exponential that continues the decay."""
    sample = round(time_s * decay.sample_rate_hz)
    if sample < decay.curve.size:
        return float(decay.curve[sample])
    late_s = decay.floor.late_reverberation_time_s if decay.floor else 0.0
    if late_s <= 0.0:
        return 0.0
    beyond_s = time_s - decay.knee_s
    return float(decay.curve[-1] * 10.0 ** (-6.0 * beyond_s / late_s))


def _ratio_db(total: float, late: float) -> float | None:
    """Early-to-late ratio in dB, None where nothing is late."""
    early = total - late
    return float(10.0 * np.log10(early / late)) if early > 0.0 and late > 0.0 else None


def _centre_time_ms(decay: EnergyDecay) -> float:
    """Centre of gravity of the squared response: the area under the decay curve over its start."""
    # Σ n e[n] = Σ_{n>=1} curve[n]; the tail's own area is its energy times its time constant.
    late_s = decay.floor.late_reverberation_time_s if decay.floor else 0.0
    tail = decay.floor.tail_energy if decay.floor else 0.0
    area_s = float(decay.curve[1:].sum()) / decay.sample_rate_hz + tail * late_s / LN_60_DB
    return 1e3 * area_s / float(decay.curve[0])


def _judge(name: str, value: float | None, decay: EnergyDecay, band: Octave | None) -> Measurability:
    """Whether a value counts: enough range above the noise, and slow enough for the filter."""
    if value is None:
        if not decay.curve[0] > 0.0:
            return Measurability(False, "silent")
        if name in DECAY_RANGES_DB:
            return Measurability(
                False, f"decay range of {decay.range_db:.0f} dB does not hold the regression"
            )
        return Measurability(False, "no late energy above the noise")
    needed_db = NEEDED_INR_DB.get(name, 0.0)
    if decay.inr_db < needed_db:
        return Measurability(
            False, f"impulse-to-noise ratio {decay.inr_db:.0f} dB, {needed_db:.0f} dB needed"
        )
    if name in ("c50_db", "c80_db"):
        limit_s = 0.05 if name == "c50_db" else 0.08
        if decay.knee_s < limit_s:
            return Measurability(False, f"noise from {1e3 * decay.knee_s:.0f} ms on hides the late energy")
        if value > LARGEST_CLARITY_DB:
            return Measurability(False, f"{value:.1f} dB is above {LARGEST_CLARITY_DB:.0f} dB")
    if band is not None and name in DECAY_RANGES_DB and band.bandwidth_hz * value <= NEEDED_BT:
        product = band.bandwidth_hz * value
        return Measurability(False, f"bandwidth times decay time is {product:.1f}, more than 16 needed")
    if band is not None and name == "drr_db" and band.bandwidth_hz * DIRECT_WINDOW_S <= 1.0:
        return Measurability(False, "the octave filter rings longer than the direct window")
    if np.isinf(decay.inr_db):
        return Measurability(True, "noiseless")
    return Measurability(True, f"impulse-to-noise ratio {decay.inr_db:.0f} dB")
