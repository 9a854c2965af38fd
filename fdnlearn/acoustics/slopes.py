"""Decays that bend: two exponentials instead of one, as in coupled rooms.

Two rooms that share a door, or a hall under a hard ceiling, decay fast at first and slowly later. A network with
one reverberation time per band would decay at some rate between the two (N. Xiang, P. Goggans, "Evaluation of decay
times in coupled spaces", JASA 113, 2003, fit such decays as is done here, by sums of exponentials).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: The decay is followed from here (the direct sound's step is none of its slopes) down to this, in dB.
FROM_DB, TO_DB = -3.0, -50.0
#: A shorter range shows no second slope.
NEEDED_DB = 30.0
_POINTS = 200
#: A decay bends if one line misses it by this rms, two exponentials by so much less, and their times differ so much.
_MISSED_DB, _SHARE, _RATIO = 1.0, 0.5, 1.4
#: Bounds of the slow exponential's level re the fast one's, and of the ratio of their times.
_LEVELS_DB, _RATIOS = (-40.0, 10.0), (1.05, 20.0)


@dataclass(frozen=True)
class TwoSlopes:
    """Two exponentials through an energy decay curve.

    Attributes
    ----------
    times_s : tuple of float
        Reverberation times of the fast and of the slow one.
    level_db : float
        The slow one's energy at the start re the fast one's.
    straight_rms_db, bent_rms_db : float
        What one straight line, and what the two exponentials, miss the curve by.
    """

    times_s: tuple[float, float]
    level_db: float
    straight_rms_db: float
    bent_rms_db: float

    @property
    def bent(self) -> bool:
        """Whether the curve cannot be told by one time, and can by two."""
        fast, slow = self.times_s
        return (
            self.straight_rms_db > _MISSED_DB
            and self.bent_rms_db < _SHARE * self.straight_rms_db
            and slow > _RATIO * fast
            and _LEVELS_DB[0] + 1.0 < self.level_db
        )


@shapes_checked
def two_slopes(
    curve: Float64[FloatArray, " samples"], sample_rate_hz: float, range_db: float
) -> TwoSlopes | None:
    """Fit two exponentials to a decay curve (n,), noise taken out, down to `range_db` below its start.

    Returns
    -------
    TwoSlopes or None
        None if the range is too short to show a second slope.
    """
    range_db = min(range_db, -TO_DB)
    if range_db < NEEDED_DB or curve[0] <= 0.0:
        return None
    level_db = 10.0 * np.log10(np.maximum(curve / curve[0], 1e-30))
    first = int(np.argmax(level_db < FROM_DB))
    last = int(np.argmax(level_db < -range_db)) or level_db.size
    if last - first < _POINTS // 10:
        return None
    at = np.linspace(first, last - 1, _POINTS).astype(np.int64)
    time, level = (at - first) / sample_rate_hz, level_db[at]
    slope, offset = np.polyfit(time, level, 1)
    if slope >= 0.0:
        return None
    straight_s = -60.0 / slope

    def miss(values: FloatArray) -> FloatArray:
        start_db, log_time, log_ratio, slow_db = values
        fast = -60.0 * time / math.exp(log_time)
        slow = slow_db - 60.0 * time / math.exp(log_time + log_ratio)
        both: FloatArray = start_db + np.logaddexp(fast * _NEPER, slow * _NEPER) / _NEPER - level
        return both

    low = (-60.0, math.log(straight_s / 30.0), math.log(_RATIOS[0]), _LEVELS_DB[0])
    high = (20.0, math.log(straight_s * 3.0), math.log(_RATIOS[1]), _LEVELS_DB[1])
    starts = ((offset, math.log(straight_s / 1.3), math.log(2.0), slow_db) for slow_db in (-20.0, -5.0))
    best = min(
        (least_squares(miss, x, bounds=(low, high)) for x in starts), key=lambda solution: solution.cost
    )
    _, log_time, log_ratio, slow_db = best.x
    return TwoSlopes(
        times_s=(math.exp(log_time), math.exp(log_time + log_ratio)),
        level_db=float(slow_db),
        straight_rms_db=float(np.sqrt(np.mean((slope * time + offset - level) ** 2))),
        bent_rms_db=float(np.sqrt(np.mean(best.fun**2))),
    )


#: Decibels of energy to natural logarithms.
_NEPER = math.log(10.0) / 10.0
