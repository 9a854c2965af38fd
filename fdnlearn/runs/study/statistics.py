"""Paired statistics over rooms: signed-rank test, effect size, bootstrap interval, Holm's correction.

Differences are rival minus method, so that positive ones favour the method. A missed value is `MISSED`, larger than
any error: it ranks last, and a median that reaches it is no number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: Stands for an infinite error where sums and ranks need a number; beyond `_LARGEST` a result has come from it.
MISSED = 1e12
_LARGEST = 1e6

#: Of the bootstrap.
_RESAMPLES, _CONFIDENCE = 9999, 0.95


@dataclass(frozen=True)
class PairedComparison:
    """One quantity, two methods, the same rooms.

    Attributes
    ----------
    rooms : int
        Pairs.
    median_difference : float
        Median of the paired differences; infinite if it is a miss.
    interval : tuple of float or None
        Percentile bootstrap interval (95 %) of it; None below two pairs.
    p : float
        Two-sided Wilcoxon signed-rank test.
    effect : float
        Matched-pairs rank-biserial correlation, -1 to 1; 1 if the method is better in every room.
    """

    rooms: int
    median_difference: float
    interval: tuple[float, float] | None
    p: float
    effect: float


def compare_pairs(method: Sequence[float], rival: Sequence[float]) -> PairedComparison:
    """Compare paired errors of two methods.

    Parameters
    ----------
    method, rival : sequence of float, shape (rooms,)
        Errors, smaller is better; infinite where a fit missed.

    Raises
    ------
    ValueError
        If there are no pairs, or not as many of one as of the other.
    """
    first, second = finite(method), finite(rival)
    if first.shape != second.shape or not first.size:
        raise ValueError(f"{first.size} and {second.size} errors are no pairs")
    difference = second - first
    interval = bootstrap_interval(difference)
    return PairedComparison(
        rooms=difference.size,
        median_difference=unbounded(float(np.median(difference))),
        interval=None if interval is None else (unbounded(interval[0]), unbounded(interval[1])),
        p=signed_rank_p(difference),
        effect=rank_biserial(difference),
    )


@shapes_checked
def finite(errors: Sequence[float]) -> Float64[FloatArray, " rooms"]:
    """Errors with `MISSED` for infinite ones."""
    values = np.asarray(errors, dtype=np.float64)
    return np.where(np.isinf(values), np.copysign(MISSED, values), values)


def unbounded(value: float) -> float:
    """Turn what `MISSED` has made of a value back into infinity."""
    return float(np.copysign(np.inf, value)) if abs(value) > _LARGEST else value


@shapes_checked
def signed_rank_p(difference: Float64[FloatArray, " rooms"]) -> float:
    """Two-sided p of the Wilcoxon signed-rank test, differences of zero left out (Wilcoxon 1945); 1 if all are."""
    from scipy import stats

    nonzero = difference[difference != 0.0]
    return float(stats.wilcoxon(nonzero).pvalue) if nonzero.size else 1.0


@shapes_checked
def rank_biserial(difference: Float64[FloatArray, " rooms"]) -> float:
    """Favourable minus unfavourable share of the rank sum (Kerby 2014); 0 if all differences are zero."""
    from scipy import stats

    nonzero = difference[difference != 0.0]
    if not nonzero.size:
        return 0.0
    ranks = stats.rankdata(np.abs(nonzero))
    return float(np.sum(np.sign(nonzero) * ranks) / np.sum(ranks))


@shapes_checked
def bootstrap_interval(difference: Float64[FloatArray, " rooms"]) -> tuple[float, float] | None:
    """Percentile interval of the median difference, rooms resampled; None below two rooms.

    The percentile interval, because the jackknife within the BCa one degenerates for medians of few rooms.
    """
    from scipy import stats

    if difference.size < 2:
        return None
    interval = stats.bootstrap(
        (difference,),
        np.median,
        n_resamples=_RESAMPLES,
        confidence_level=_CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of a family of tests (Holm 1979), in the order given: p_(i) times the tests left, monotone."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return [float(p) for p in adjusted]
