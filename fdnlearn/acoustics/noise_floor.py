"""Where a measured decay meets its noise: Lundeby's intersection, and what to do without one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fdnlearn.acoustics.lundeby import lundeby
from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: Relative to the peak: what lies below -140 dB at the end of a file is digital silence, not a noise floor.
SILENCE = 1e-7
#: An exponential loses 60 dB, a factor of e**LN_60_DB in energy, in one reverberation time.
LN_60_DB = 6.0 * float(np.log(10.0))


@dataclass(frozen=True)
class NoiseFloor:
    """The end of the usable decay.

    Attributes
    ----------
    power : float
        Mean square of the stationary noise per sample, 0 where none is visible.
    knee_samples : int
        Where the decay meets the noise, or the end of the recording without trailing digital silence.
    knee_power : float
        Mean square of the decay itself at the knee.
    late_reverberation_time_s : float
        Of the decay just above the knee; 0 if nothing decays there.
    tail_energy : float
        Energy of that decay continued beyond the knee for ever.
    method : str
        ``"lundeby"``; ``"level"`` when Lundeby's iteration fails (knee where the smoothed level comes within
        3 dB of the mean of the last tenth); ``"none"`` when the decay has not met a floor at its end.
    """

    power: float
    knee_samples: int
    knee_power: float
    late_reverberation_time_s: float
    tail_energy: float
    method: str


@shapes_checked
def find_noise_floor(
    h: Float64[FloatArray, " samples"], sample_rate_hz: float, *, centre_hz: float | None = None
) -> NoiseFloor:
    """Find the knee between decay and noise.

    Parameters
    ----------
    h : ndarray, shape (n,)
        Response from its onset on. Only its magnitude matters.
    sample_rate_hz : float
    centre_hz : float, optional
        Centre of the octave band that `h` was filtered to: narrow bands need longer smoothing.

    Returns
    -------
    NoiseFloor

    References
    ----------
    A. Lundeby, T. E. Vigran, H. Bietz, M. Vorländer, "Uncertainties of measurements in room acoustics",
    Acustica 81 (1995) 344-355; see `fdnlearn.acoustics.lundeby`.
    """
    energy = np.square(h)
    energy = energy[: _end_of_signal(energy)]
    block_s = 0.005 if centre_hz is None else 0.01 + 0.8 / centre_hz
    block_s = min(block_s, energy.size / sample_rate_hz / 20.0)
    floor = _lundeby(energy, sample_rate_hz, centre_hz)
    if floor is None:
        floor = _by_level(energy, sample_rate_hz, block_s)
    if floor is not None and _is_stationary(energy, sample_rate_hz, floor):
        return floor
    return _without_floor(energy, sample_rate_hz, block_s)


def _end_of_signal(energy: FloatArray) -> int:
    """Length without trailing digital silence."""
    audible = np.flatnonzero(energy > SILENCE**2 * energy.max(initial=0.0))
    return int(audible[-1]) + 1 if audible.size else energy.size


def _lundeby(energy: FloatArray, sample_rate_hz: float, centre_hz: float | None) -> NoiseFloor | None:
    """Lundeby's intersection, None where the iteration fails or leaves the recording."""
    found = lundeby(energy, sample_rate_hz, 0.03 if centre_hz is None else (800 / centre_hz + 10) / 1000)
    if found is None:
        return None
    knee_s, late_s, power = found
    if not (np.isfinite(found).all() and late_s > 0.0 and power > 0.0):
        return None
    knee = round(knee_s * sample_rate_hz)
    if not 0 < knee < energy.size:
        return None
    return NoiseFloor(power, knee, power, late_s, _tail(power, late_s, sample_rate_hz), "lundeby")


def _by_level(energy: FloatArray, sample_rate_hz: float, block_s: float) -> NoiseFloor | None:
    """Knee where the smoothed level first comes within 3 dB of the mean of the last tenth."""
    level_db, centres_s = _levels_db(energy, sample_rate_hz, block_s)
    power = float(np.mean(energy[-max(1, energy.size // 10) :]))
    start = int(np.argmax(level_db))
    low = np.flatnonzero(level_db[start:] < 10.0 * np.log10(power) + 3.0) if power > 0.0 else np.array([])
    if not low.size or low[0] == 0:
        return None
    stop = start + int(low[0])
    slope_db_per_s = (level_db[stop] - level_db[start]) / (centres_s[stop] - centres_s[start])
    if not (np.isfinite(slope_db_per_s) and slope_db_per_s < 0.0):
        return None  # digital silence among single echoes: no rate at which it decays
    late_s = float(-60.0 / slope_db_per_s)
    knee = max(1, round((centres_s[stop] - 0.5 * block_s) * sample_rate_hz))
    return NoiseFloor(power, knee, power, late_s, _tail(power, late_s, sample_rate_hz), "level")


def _is_stationary(energy: FloatArray, sample_rate_hz: float, floor: NoiseFloor) -> bool:
    """Whether what follows the knee is a floor, and not the decay going on.

    Without a floor every estimator takes the last tenth of the decay for one. There the level keeps falling
    at the late rate; a floor stays. Less than 2 dB of expected fall is too little to tell.
    """
    rate_db_per_s = 60.0 / floor.late_reverberation_time_s
    # 5 dB below the knee, by extrapolation, the decay adds less than 1.2 dB to the floor.
    start = min(floor.knee_samples + round(5.0 / rate_db_per_s * sample_rate_hz), energy.size * 9 // 10)
    rest = energy[start:]
    expected_db = rate_db_per_s * rest.size / sample_rate_hz
    if rest.size < 16 or expected_db < 2.0:
        return False
    halves = rest[: rest.size // 2].mean(), rest[rest.size // 2 :].mean()
    if min(halves) <= 0.0:
        return False  # single echoes among digital silence are no floor
    # Two halves of an exponential lie half of the whole fall apart.
    return bool(10.0 * np.log10(halves[0] / halves[1]) < 0.5 * min(expected_db / 2.0, 12.0))


def _without_floor(energy: FloatArray, sample_rate_hz: float, block_s: float) -> NoiseFloor:
    """The decay runs to the end: knee there, late decay from the last 20 dB."""
    level_db, centres_s = _levels_db(energy, sample_rate_hz, block_s)
    start = int(np.argmax(level_db))
    above = np.flatnonzero(level_db[start:] > level_db[-1] + 20.0)
    start = min(start + (int(above[-1]) if above.size else 0), max(0, level_db.size - 4))
    end_s = energy.size / sample_rate_hz
    if level_db.size - start >= 2 and np.isfinite(level_db[start:]).all():
        slope, intercept = np.polyfit(centres_s[start:], level_db[start:], 1)
        if slope < 0.0:
            late_s = float(-60.0 / slope)
            power = float(10.0 ** ((intercept + slope * end_s) / 10.0))
            return NoiseFloor(0.0, energy.size, power, late_s, _tail(power, late_s, sample_rate_hz), "none")
    power = float(np.mean(energy[-max(1, energy.size // 10) :])) if energy.size else 0.0
    return NoiseFloor(0.0, energy.size, power, 0.0, 0.0, "none")


def _levels_db(energy: FloatArray, sample_rate_hz: float, block_s: float) -> tuple[FloatArray, FloatArray]:
    """Mean level of consecutive blocks and the times of their centres."""
    block = max(1, round(block_s * sample_rate_hz))
    count = max(1, energy.size // block)
    power = energy[: count * block].reshape(count, -1).mean(axis=1)
    centres_s: FloatArray = (np.arange(count, dtype=np.float64) + 0.5) * (block / sample_rate_hz)
    with np.errstate(divide="ignore"):
        level_db: FloatArray = 10.0 * np.log10(power)
    return level_db, centres_s


def _tail(power: float, reverberation_time_s: float, sample_rate_hz: float) -> float:
    """Energy of an exponential decay from the sample where its mean square is `power`."""
    return float(power * reverberation_time_s * sample_rate_hz / LN_60_DB)
