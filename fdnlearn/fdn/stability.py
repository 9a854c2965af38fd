"""Proof that a loop is stable: ``||U||_2 * max |G_i| <= 1 - 1e-7`` at every frequency, proved, not gridded.

With ``phi = sin^2(omega/2)`` the squared magnitude of a second-order polynomial is a quadratic in phi,

    |c0 + c1 z^-1 + c2 z^-2|^2 = (c0+c1+c2)^2 - 4 (c0 c1 + 4 c0 c2 + c1 c2) phi + 16 c0 c2 phi^2,

so every |G_i|^2 is a rational function of phi on [0, 1]. Its maximum is enclosed by branch and bound: quadratics
are bounded over an interval by their Bernstein coefficients, a cascade by the mean-value form of its logarithm
(R. E. Moore et al., Introduction to Interval Analysis, 2009, chs. 6 and 12). The half towards Nyquist uses
``cos^2(omega/2)`` instead, which only flips the sign of c1, so that poles close to z = 1 and to z = -1 are
resolved alike. Coefficients are formed in exact rational arithmetic; every bound carries its rounding error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: The loop gain must stay this far below one.
MARGIN = 1e-7
#: Relative width of the enclosure of max |G|^2 at which the search stops, unless more is needed to decide.
_TOLERANCE = 1e-3
_MAX_ROUNDS, _MAX_INTERVALS = 200, 400_000
_EPS = float(np.finfo(np.float64).eps)
_ROUNDING = 16 * _EPS


@dataclass(frozen=True)
class StabilityProof:
    """An upper bound of the loop gain over all frequencies and where it comes from.

    Attributes
    ----------
    bound : float
        No frequency and no line exceeds it: ``||U||_2 * max |G_i|``, within 0.05 % of the maximum. Infinite where a
        filter itself is unstable or too close to it to tell.
    attained : float
        Largest value met on the way; the maximum lies between `attained` and `bound`.
    line : int
        Line of that value.
    frequency_hz : float
        Frequency of that value.
    matrix_norm : float
        Upper bound of ``||U||_2``.
    sample_rate_hz : float
        Rate the proof holds for.
    """

    bound: float
    attained: float
    line: int
    frequency_hz: float
    matrix_norm: float
    sample_rate_hz: float

    @property
    def stable(self) -> bool:
        """Whether the bound keeps the margin."""
        return self.bound <= 1.0 - MARGIN

    def require(self) -> None:
        """Raise FdnlearnError unless the loop is proved stable."""
        if not self.stable:
            reached = self.attained if self.attained > 1.0 - MARGIN else self.bound
            at = f"line {self.line} at {self.frequency_hz:.6g} Hz, {self.sample_rate_hz:g} Hz sample rate"
            raise FdnlearnError(
                "absorption",
                f"the loop is not stable: its gain reaches {reached:.9g} ({at}; at most 1 - 1e-7 is allowed)",
                "shorten the reverberation time or lower the loop gains",
            )


@shapes_checked
def prove(
    feedback_matrix: Float64[FloatArray, "lines lines"],
    gains: Float64[FloatArray, " lines"],
    sos: Float64[FloatArray, "lines sections 6"],
    sample_rate_hz: float,
) -> StabilityProof:
    """Enclose the loop gain of a network.

    Parameters
    ----------
    feedback_matrix : ndarray, shape (N, N)
    gains : ndarray, shape (N,)
        Frequency-independent gain of every line.
    sos : ndarray, shape (N, S, 6)
        Sections ``b0 b1 b2 1 a1 a2`` in series with it; S may be 0.
    sample_rate_hz : float
        Only to tell where the maximum lies.

    Returns
    -------
    StabilityProof
    """
    n = len(gains)
    # LAPACK's singular values are exact for a matrix within a modest multiple of eps of the given one
    norm = float(np.linalg.norm(feedback_matrix, 2)) * (1.0 + 64 * n * _EPS)
    if sos.shape[1] == 0:
        line = int(np.argmax(np.abs(gains)))
        attained = norm * float(np.abs(gains[line]))
        return StabilityProof(attained * (1 + _ROUNDING), attained, line, 0.0, norm, sample_rate_hz)
    unstable = np.argwhere(~_poles_inside(sos))
    if unstable.size:
        line = int(unstable[0, 0])
        return StabilityProof(math.inf, math.inf, line, 0.0, norm, sample_rate_hz)
    upper, lower, line, phi = _max_squared(gains, sos, ((1.0 - MARGIN) / norm) ** 2 * (1 - _ROUNDING))
    frequency_hz = sample_rate_hz / math.pi * math.asin(math.sqrt(min(max(phi, 0.0), 1.0)))
    bound = norm * math.sqrt(upper) * (1 + _ROUNDING)
    return StabilityProof(bound, norm * math.sqrt(lower), line, frequency_hz, norm, sample_rate_hz)


def _poles_inside(sos: FloatArray) -> npt.NDArray[np.bool_]:
    """Jury's criterion for every section, decided exactly: |a2| < 1 and |a1| < 1 + a2. Shape (N, S)."""
    inside = np.zeros(sos.shape[:2], dtype=bool)
    for index in np.ndindex(inside.shape):
        section = sos[index]
        if np.all(np.isfinite(section)) and section[3] == 1.0:
            a1, a2 = Fraction(float(section[4])), Fraction(float(section[5]))
            inside[index] = abs(a2) < 1 and abs(a1) < 1 + a2
    return inside


def _quadratic(c0: float, c1: float, c2: float) -> tuple[float, float, float]:
    """Coefficients in phi of the squared magnitude, exact but for one rounding each."""
    f0, f1, f2 = Fraction(c0), Fraction(c1), Fraction(c2)
    return float((f0 + f1 + f2) ** 2), float(-4 * (f0 * f1 + 4 * f0 * f2 + f1 * f2)), float(16 * f0 * f2)


def _quadratics(sos: FloatArray) -> FloatArray:
    """Coefficients of |B|^2 and |A|^2 in sin^2 and in cos^2 of the half angle, shape (2 halves, N, S, 2, 3)."""
    n, sections = sos.shape[:2]
    table = np.empty((2, n, sections, 2, 3))
    for half, sign in enumerate((1.0, -1.0)):
        for i in range(n):
            for s in range(sections):
                b0, b1, b2, a0, a1, a2 = (float(c) for c in sos[i, s])
                table[half, i, s, 0] = _quadratic(b0, sign * b1, b2)
                table[half, i, s, 1] = _quadratic(a0, sign * a1, a2)
    return table


def _max_squared(gains: FloatArray, sos: FloatArray, allowed: float) -> tuple[float, float, int, float]:
    """Upper and lower bound of max over lines and frequencies of |G|^2, with line and phi of the lower one.

    They end within `_TOLERANCE` of each other, or on one side of `allowed` where that lies between them.
    """
    table = _quadratics(sos)
    n = len(gains)
    edges = np.concatenate(([0.0], 2.0 ** np.arange(-48, 0)))  # dyadic: resolves poles close to z = +-1
    cells = len(edges) - 1
    half = np.repeat([0, 1], n * cells)
    line = np.tile(np.repeat(np.arange(n), cells), 2)
    low, high = np.tile(edges[:-1], 2 * n), np.tile(edges[1:], 2 * n)
    best, best_line, best_phi, closed = 0.0, 0, 0.0, 0.0
    for _ in range(_MAX_ROUNDS):
        upper, value = _bound(table[half, line], np.square(gains[line]), low, high)
        at = int(np.argmax(value))
        if value[at] > best:
            middle = (low[at] + high[at]) / 2
            best, best_line = float(value[at]), int(line[at])
            best_phi = float(middle if half[at] == 0 else 1.0 - middle)
        enough = best * (1 + _TOLERANCE)
        split = upper > (allowed if best <= allowed < enough else enough)
        closed = max(closed, float(np.max(upper[~split], initial=0.0)))
        if not np.any(split):
            break
        half, line, low, high, upper = half[split], line[split], low[split], high[split], upper[split]
        middle = (low + high) / 2
        stuck = (middle <= low) | (middle >= high)
        if np.any(stuck) or 2 * half.size > _MAX_INTERVALS:
            closed = max(closed, float(np.max(upper)))  # too fine to go on: what is known still bounds it
            break
        half, line = np.tile(half, 2), np.tile(line, 2)
        low, high = np.concatenate((low, middle)), np.concatenate((middle, high))
    else:
        closed = max(closed, float(np.max(upper)))
    return max(closed, best), best, best_line, best_phi


def _bound(
    quadratics: FloatArray, gain_squared: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Upper bound of |G|^2 over each interval, and a lower bound of its maximum there.

    `quadratics` is (intervals, S, 2, 3); everything else has one entry per interval.
    """
    c0, c1, c2 = (quadratics[..., k] for k in range(3))  # (intervals, S, 2), last axis |B|^2 and |A|^2
    l, h = low[:, None, None], high[:, None, None]  # noqa: E741
    centre, radius = (l + h) / 2, (h - l) / 2
    noise = _ROUNDING * (np.abs(c0) + np.abs(c1) * h + np.abs(c2) * h * h)
    at_low, at_high = c0 + l * (c1 + l * c2), c0 + h * (c1 + h * c2)
    at_middle = c0 + centre * (c1 + centre * c2)
    bernstein = at_low + radius * (c1 + 2 * c2 * l)
    least = np.minimum(np.minimum(at_low, at_high), bernstein) - noise
    most = np.maximum(np.maximum(at_low, at_high), bernstein) + noise
    slope_noise = _ROUNDING * (np.abs(c1) + 2 * np.abs(c2) * h)
    slope_low, slope_high = c1 + 2 * c2 * l, c1 + 2 * c2 * h
    slope_least = np.minimum(slope_low, slope_high) - slope_noise
    slope_most = np.maximum(slope_low, slope_high) + slope_noise
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sections = quadratics.shape[1]
        padding = 1 + _ROUNDING * (4 * sections + 4)
        poles_clear = np.all(least[..., 1] > 0, axis=1)
        natural = gain_squared * np.prod(most[..., 0] / least[..., 1], axis=1) * padding
        natural = np.where(poles_clear, natural, np.inf)
        lower_value = np.prod(
            np.maximum(at_middle[..., 0] - noise[..., 0], 0.0) / (at_middle[..., 1] + noise[..., 1]), axis=1
        )
        upper_value = np.prod(
            (at_middle[..., 0] + noise[..., 0]) / (at_middle[..., 1] - noise[..., 1]), axis=1
        )
        # d log q / d phi over the interval, where q stays positive
        low_rate = np.minimum(slope_least / least, slope_least / most)
        high_rate = np.maximum(slope_most / least, slope_most / most)
        rate_most = np.sum(high_rate[..., 0] - low_rate[..., 1], axis=1)
        rate_least = np.sum(low_rate[..., 0] - high_rate[..., 1], axis=1)
        steepest = np.maximum(np.abs(rate_most), np.abs(rate_least)) * (1 + _ROUNDING * 4 * sections)
        mean_value = gain_squared * upper_value * np.exp(steepest * radius[:, 0, 0]) * padding
        smooth = poles_clear & np.all(least[..., 0] > 0, axis=1) & np.isfinite(mean_value)
    upper = np.where(smooth, np.minimum(natural, mean_value), natural)
    upper = np.where(np.isnan(upper), np.inf, upper)
    return upper, gain_squared * lower_value / padding
