"""How far a fit is from its room, in just-noticeable differences."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: What `metrics.json` holds; the nesting is described in `judge`.
Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Quantity:
    """One room-acoustic quantity: its names in `metrics.json`, how it is written, what can be heard of it.

    Attributes
    ----------
    key : str
        Name under ``measurable``.
    symbol, title : str
        Short and full name.
    value_key, error_key : str
        Names under ``target`` and ``fitted``, and under ``error``.
    unit, error_unit : str
    decimals, error_decimals : int
    jnd : float or None
        Just-noticeable difference in `error_unit`; None where no standard names one.
    """

    key: str
    symbol: str
    title: str
    value_key: str
    error_key: str
    unit: str
    error_unit: str
    decimals: int
    error_decimals: int
    jnd: float | None


# fmt: off
#: ISO 3382-1:2009, table A.1 (EDT, C80, D50, Ts). By convention 5 % also for T20 and T30, and 1 dB also for C50.
QUANTITIES = (
    Quantity("t30", "T30", "Reverberation time, −5 to −35 dB", "t30_s", "t30_percent", "s", "%", 2, 1, 5.0),
    Quantity("t20", "T20", "Reverberation time, −5 to −25 dB", "t20_s", "t20_percent", "s", "%", 2, 1, 5.0),
    Quantity("edt", "EDT", "Early decay time, 0 to −10 dB", "edt_s", "edt_percent", "s", "%", 2, 1, 5.0),
    Quantity("c50", "C50", "Clarity, early to late energy at 50 ms", "c50_db", "c50_db", "dB", "dB", 1, 2, 1.0),
    Quantity("c80", "C80", "Clarity, early to late energy at 80 ms", "c80_db", "c80_db", "dB", "dB", 1, 2, 1.0),
    Quantity("d50", "D50", "Definition, share of energy before 50 ms", "d50_percent", "d50_pp", "%", "pp", 1, 1, 5.0),
    Quantity("ts", "Ts", "Centre time", "ts_ms", "ts_ms", "ms", "ms", 1, 1, 10.0),
    Quantity("drr", "DRR", "Direct-to-reverberant ratio, ±2.5 ms", "drr_db", "drr_db", "dB", "dB", 1, 2, None),
)
# fmt: on

#: Distances between whole curves: broadband only, errors only.
CURVE_ERRORS = (
    Quantity("edc", "EDC rms", "Distance between the energy decays", "", "edc_rms_db", "", "dB", 0, 2, None),
    Quantity("edp", "EDP rms", "Distance between the echo densities", "", "edp_rms", "", "", 0, 3, None),
)

#: Rms distance in echo density between two independent noises at 16 kHz: no fit can be expected below it.
ECHO_DENSITY_CHANCE_RMS = 0.10


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
    band_hz : str or None
        Octave band as `metrics.json` names it; None for broadband.
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
    band_hz: str | None
    target: float | None
    fitted: float | None
    error: float | None
    jnds: float | None
    counts: bool
    grade: Grade
    reason: str


@dataclass(frozen=True)
class Verdict:
    """Counts over a set of judgements.

    Attributes
    ----------
    within, near, beyond : int
        Judgements of each audible grade.
    worst : Judgement or None
        The one with the most just-noticeable differences.
    """

    within: int
    near: int
    beyond: int
    worst: Judgement | None

    @property
    def counted(self) -> int:
        """How many quantities count."""
        return self.within + self.near + self.beyond


def judge(metrics: Metrics, band_hz: str | None = None) -> tuple[Judgement, ...]:
    """Judge every quantity of one band.

    Parameters
    ----------
    metrics : mapping
        ``target``, ``fitted``, ``error`` and ``measurable``, each with ``broadband`` and ``octave`` (keyed by
        the band's centre frequency). Any of them, and any value, may be missing or None.
    band_hz : str or None
        Key of the octave band; None for broadband.

    Returns
    -------
    tuple of Judgement
        In the order of `QUANTITIES`.
    """
    return tuple(_judge_one(metrics, band_hz, quantity) for quantity in QUANTITIES)


def octave_bands(metrics: Metrics) -> tuple[str, ...]:
    """Keys of the octave bands in any part of the metrics, lowest first."""
    names: set[str] = set()
    for part in ("target", "fitted", "error", "measurable"):
        names |= set(_mapping(_mapping(metrics.get(part)).get("octave")))
    return tuple(sorted(names, key=lambda name: (_band_number(name), name)))


def verdict(judgements: Iterable[Judgement]) -> Verdict:
    """Count grades and find the largest difference; ties go to the first."""
    judged = [j for j in judgements if j.grade in (Grade.WITHIN, Grade.NEAR, Grade.BEYOND)]
    number = {grade: sum(j.grade is grade for j in judged) for grade in Grade}
    worst = max(judged, key=lambda j: math.inf if j.jnds is None else j.jnds, default=None)
    return Verdict(number[Grade.WITHIN], number[Grade.NEAR], number[Grade.BEYOND], worst)


def curve_error(metrics: Metrics, quantity: Quantity) -> float | None:
    """Broadband distance between two curves, one of `CURVE_ERRORS`."""
    return _number(_part(metrics, "error", None).get(quantity.error_key))


def format_number(value: float | None, decimals: int, unit: str = "") -> str:
    """A number for a table, with a true minus sign; an em dash for None."""
    if value is None:
        return "—"
    text = f"{value:.{decimals}f}"
    if float(text) == 0.0:
        text = text.lstrip("-")
    text = text.replace("-", "−")
    return f"{text}\u00a0{unit}" if unit else text


def format_jnds(jnds: float | None) -> str:
    """A number of just-noticeable differences, without decimals that mean nothing."""
    return format_number(jnds, 1 if jnds is None or jnds < 100.0 else 0)


def format_time(seconds: float) -> str:
    """A time in seconds, or in milliseconds below 0.1 s."""
    return format_number(seconds, 2, "s") if seconds >= 0.1 else format_number(1000.0 * seconds, 0, "ms")


def format_band(band_hz: str) -> str:
    """``"125"`` as "125 Hz", ``"2000"`` as "2 kHz"; anything else as it is."""
    number = _band_number(band_hz)
    if not math.isfinite(number):
        return band_hz
    return f"{number / 1000.0:g}\u00a0kHz" if number >= 1000.0 else f"{number:g}\u00a0Hz"


def _judge_one(metrics: Metrics, band_hz: str | None, quantity: Quantity) -> Judgement:
    target = _number(_part(metrics, "target", band_hz).get(quantity.value_key))
    fitted = _number(_part(metrics, "fitted", band_hz).get(quantity.value_key))
    error = _number(_part(metrics, "error", band_hz).get(quantity.error_key))
    told = _mapping(_part(metrics, "measurable", band_hz).get(quantity.key))
    jnds = None if error is None or quantity.jnd is None else abs(error) / quantity.jnd
    counts = bool(told.get("counts", True)) and target is not None
    if not counts:
        grade, reason = (
            Grade.NOT_COUNTED,
            str(told.get("reason") or "could not be measured in this recording"),
        )
    elif quantity.jnd is None:
        grade, reason = Grade.UNJUDGED, ""
    elif jnds is None:
        # A response without, say, 35 dB of decay has missed the room: it must not drop out of the count.
        grade, reason = Grade.BEYOND, "could not be measured in the fit"
    else:
        grade, reason = (Grade.WITHIN if jnds <= 1.0 else Grade.NEAR if jnds <= 2.0 else Grade.BEYOND), ""
    return Judgement(quantity, band_hz, target, fitted, error, jnds, counts, grade, reason)


def _part(metrics: Metrics, part: str, band_hz: str | None) -> Mapping[str, Any]:
    whole = _mapping(metrics.get(part))
    if band_hz is None:
        return _mapping(whole.get("broadband"))
    return _mapping(_mapping(whole.get("octave")).get(band_hz))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _band_number(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return math.inf
