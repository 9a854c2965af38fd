"""How far a fit is from its room, in just-noticeable differences."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass

from fdnlearn.acoustics.parameters import Measurability
from fdnlearn.acoustics.quantities import JND_TABLE, Quantity
from fdnlearn.acoustics.values import BandValues, ByBand, ErrorsByBand, Measurement


class Grade(enum.Enum):
    """How audible a difference is: a name for style sheets, a symbol and words, so that colour is never alone."""

    WITHIN = ("within", "✓", "within 1 JND")
    NEAR = ("near", "≈", "1 to 2 JND")
    BEYOND = ("beyond", "✗", "beyond 2 JND")
    UNJUDGED = ("unjudged", "·", "no JND")
    NOT_COUNTED = ("not-counted", "–", "not counted")

    def __init__(self, slug: str, symbol: str, words: str) -> None:
        self.slug, self.symbol, self.words = slug, symbol, words


@dataclass(frozen=True)
class Judgement:
    """One quantity in one band: the two values, their difference and what it means.

    Attributes
    ----------
    quantity : Quantity
    band_hz : int or None
        Nominal centre frequency of the octave; None for broadband.
    target, fitted, error : float or None
        Values; None where nothing could be measured.
    jnds : float or None
        Size of the error in just-noticeable differences.
    counts : bool
        Whether the recording is good enough for the quantity to count.
    grade : Grade
    reason : str
        Why there is nothing to compare; empty where there is.
    """

    quantity: Quantity
    band_hz: int | None
    target: float | None
    fitted: float | None
    error: float | None
    jnds: float | None
    counts: bool
    grade: Grade
    reason: str


@dataclass(frozen=True)
class Verdict:
    """How many of a set of judgements are of each audible grade, and the worst one, by just-noticeable differences."""

    within: int
    near: int
    beyond: int
    worst: Judgement | None

    @property
    def counted(self) -> int:
        """How many quantities count."""
        return self.within + self.near + self.beyond


def judge(measurement: Measurement, band_hz: int | None = None) -> tuple[Judgement, ...]:
    """Judge every quantity of one band.

    Parameters
    ----------
    measurement : Measurement
        The metrics of a fit, or what has been measured of a room alone.
    band_hz : int or None
        Nominal centre frequency of the octave; None for broadband. Of one that has not been measured nothing counts.

    Returns
    -------
    tuple of Judgement
        In the order of `JND_TABLE`.
    """
    return tuple(_judge_one(measurement, band_hz, quantity) for quantity in JND_TABLE)


def verdict(judgements: Iterable[Judgement]) -> Verdict:
    """Count grades and find the largest difference; ties go to the first."""
    judged = [j for j in judgements if j.grade in (Grade.WITHIN, Grade.NEAR, Grade.BEYOND)]
    number = {grade: sum(j.grade is grade for j in judged) for grade in Grade}
    worst = max(judged, key=lambda j: math.inf if j.jnds is None else j.jnds, default=None)
    return Verdict(number[Grade.WITHIN], number[Grade.NEAR], number[Grade.BEYOND], worst)


def octave_verdict(measurement: Measurement) -> Verdict:
    """The verdict over every quantity of every octave."""
    return verdict(j for hz in measurement.octaves_hz for j in judge(measurement, hz))


@dataclass(frozen=True)
class Finding:
    """What a fit is headed by: its octaves, or where none counts the whole spectrum.

    A network may be right broadband and wrong in each of its octaves, for errors of opposite sign make up for each
    other.

    Attributes
    ----------
    kind : str
        What is counted, in the singular.
    summary : Verdict
    """

    kind: str
    summary: Verdict


def finding(measurement: Measurement) -> Finding:
    """Judge a fit by its octaves, by its broadband quantities where no octave counts."""
    octaves = octave_verdict(measurement)
    if octaves.counted:
        return Finding("octave value", octaves)
    return Finding("broadband quantity", verdict(judge(measurement)))


def curve_error(measurement: Measurement, quantity: Quantity) -> float | None:
    """Broadband distance between two curves, one of `CURVE_ERRORS`."""
    return _value(measurement.error, None, quantity.error_key)


def _judge_one(measurement: Measurement, band_hz: int | None, quantity: Quantity) -> Judgement:
    target = _value(measurement.target, band_hz, quantity.value_key)
    fitted = _value(measurement.fitted, band_hz, quantity.value_key)
    error = _value(measurement.error, band_hz, quantity.error_key)
    jnds = None if error is None or quantity.jnd is None else abs(error) / quantity.jnd
    measurable = measurement.measurable.at(band_hz)
    measurability = Measurability(True, "") if measurable is None else getattr(measurable, quantity.key)
    counts = measurability.counts and target is not None
    if not counts:
        grade, reason = Grade.NOT_COUNTED, measurability.reason or "could not be measured in this recording"
    elif quantity.jnd is None:
        grade, reason = Grade.UNJUDGED, ""
    elif jnds is None:
        # A response without, say, 35 dB of decay has missed the room: it must not drop out of the count.
        grade, reason = Grade.BEYOND, "could not be measured in the fit"
    else:
        grade, reason = (Grade.WITHIN if jnds <= 1.0 else Grade.NEAR if jnds <= 2.0 else Grade.BEYOND), ""
    return Judgement(quantity, band_hz, target, fitted, error, jnds, counts, grade, reason)


def _value(part: ByBand[BandValues] | ErrorsByBand | None, band_hz: int | None, key: str) -> float | None:
    """One value of a part of a measurement; None where there is no such part or band."""
    band = None if part is None else part.at(band_hz)
    value: float | None = None if band is None else getattr(band, key)
    return value
