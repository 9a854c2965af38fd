"""Where a decay meets its noise, by Lundeby's iteration: line through the decay, noise behind it, and again.

pyrato's `intersection_time_lundeby` step by step and bit by bit (the tests compare them), without the second or two
that importing it takes: it brings the plotting and the table libraries of its whole family.
"""

from __future__ import annotations

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: Blocks for every 10 dB of decay.
_BLOCKS_PER_10_DB = 5
#: A regression ends so far above the noise and begins so much higher; the noise is taken from so far below it.
_ABOVE_NOISE_DB, _RANGE_DB, _BELOW_KNEE_DB = 10, 20, 10
#: Less decay than this is no line.
_LEAST_RANGE_DB = 5
#: The share of a response, at its end, that is taken for noise where nothing better is known.
_NOISE_SHARE = 0.1
#: The iteration ends when the knee moves by less, or after so many rounds.
_SETTLED_S, _ROUNDS = 0.01, 31


@shapes_checked
def lundeby(
    energy: Float64[FloatArray, " samples"], sample_rate_hz: float, block_s: float
) -> tuple[float, float, float] | None:
    """Knee, late reverberation time and noise of a squared response.

    Parameters
    ----------
    energy : ndarray, shape (n,)
        From the onset on.
    sample_rate_hz : float
    block_s : float
        Over which the energy is averaged at first.

    Returns
    -------
    tuple of float, optional
        Knee in seconds, reverberation time of the decay above it in seconds, mean square of the noise; None where the
        iteration fails for want of range. Hostile input may give what is not finite.

    References
    ----------
    A. Lundeby, T. E. Vigran, H. Bietz, M. Vorländer, "Uncertainties of measurements in room acoustics", Acustica 81
    (1995) 344-355; numbers in comments are its steps.
    """
    with np.errstate(all="ignore"):
        begun = _begin(energy, sample_rate_hz, block_s)
        return None if begun is None else _settle(energy, sample_rate_hz, *begun)


def _begin(
    energy: FloatArray, sample_rate_hz: float, block_s: float
) -> tuple[FloatArray, float, float] | None:
    """Line, knee and length of block that the iteration starts from."""
    power, times_s = _averaged(energy, sample_rate_hz, block_s)  # 1
    if not power.size:
        return None
    level_db = _level_db(power)
    noise = energy[int(energy.size * (1.0 - _NOISE_SHARE)) :].mean()  # 2
    start = int(np.argmax(power))
    loud = np.flatnonzero(level_db[start + 1 : -1] > _level_db(noise) + _ABOVE_NOISE_DB)
    if not loud.size or loud[-1] == 0:
        return None
    stop = start + int(loud[-1])
    range_db = level_db[stop] - level_db[start]
    if range_db > -_LEAST_RANGE_DB:
        return None
    line = _line(times_s[start:stop], level_db[start:stop])  # 3
    if line is None or line[1] == 0.0:
        return None
    knee_s = (_level_db(noise) - line[0]) / line[1]  # 4
    blocks = range_db / -10 * _BLOCKS_PER_10_DB
    samples = np.round((times_s[stop] - times_s[start]) / blocks * sample_rate_hz)  # 5
    return line, float(knee_s), float(samples)


def _settle(
    energy: FloatArray, sample_rate_hz: float, line: FloatArray, knee_s: float, block: float
) -> tuple[float, float, float] | None:
    """Improve noise, line and knee in turn until the knee stays."""
    block_s = block / sample_rate_hz
    power, times_s = _averaged(energy, sample_rate_hz, block_s)  # 6
    if power.size < 2:
        return None
    level_db = _level_db(power)
    top = int(np.argmax(power))
    noise = np.nan
    for _ in range(_ROUNDS):
        below = np.round((knee_s - _BELOW_KNEE_DB / line[1]) / block_s)
        rest = power[int(min(np.round(power.size * (1.0 - _NOISE_SHARE)), max(1.0, below))) :]
        if not rest.size:
            return None
        noise = rest.mean()  # 7
        noise_db = _level_db(noise)
        low = np.flatnonzero(level_db[top:] < noise_db + _ABOVE_NOISE_DB + _RANGE_DB)
        if not low.size:
            return None
        start = top + int(low[0])
        low = np.flatnonzero(level_db[start + 1 :] < noise_db + _ABOVE_NOISE_DB)
        if not low.size:
            return None
        stop = start + int(low[0])
        fitted = _line(times_s[start:stop], level_db[start:stop])  # 8
        if fitted is None or fitted[1] >= 0.0:
            return None
        line, before_s = fitted, knee_s
        knee_s = float((noise_db - line[0]) / line[1])  # 9
        if abs(before_s - knee_s) < _SETTLED_S:
            break
    return knee_s, float(-60.0 / line[1]), float(noise)


def _averaged(energy: FloatArray, sample_rate_hz: float, block_s: float) -> tuple[FloatArray, FloatArray]:
    """Mean energy of consecutive blocks and the times of their centres; nothing where no block fits."""
    samples = block_s * sample_rate_hz
    block = int(np.round(samples)) if np.isfinite(samples) else 0
    count = energy.size // block if block > 0 else 0
    if count == 0:
        return np.empty(0), np.empty(0)
    power: FloatArray = energy[: count * block].reshape(count, block).mean(axis=-1)
    return power, np.asarray((0.5 + np.arange(count)) * block / sample_rate_hz, dtype=np.float64)


def _line(times_s: FloatArray, level_db: FloatArray) -> FloatArray | None:
    """Offset and slope of the regression, None where there is none."""
    design = np.vstack((np.ones(times_s.size), times_s)).T
    try:
        line = np.asarray(np.linalg.lstsq(design, level_db, rcond=None)[0], dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    return None if np.isnan(line).any() else line


def _level_db(power: FloatArray | np.float64) -> FloatArray:
    level: FloatArray = 10 * np.log10(power)
    return level
