"""What methods are compared in, and by how much one must be worse before it is said to be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fdnlearn.acoustics.grading import curve_error, judge
from fdnlearn.acoustics.quantities import CURVE_ERRORS, ECHO_DENSITY_CHANCE_RMS, JND_TABLE, Quantity
from fdnlearn.acoustics.values import Measurement

#: Share of a just-noticeable difference by which a median may be larger without counting as worse.
TOLERATED_JND = 0.25
#: What counts as one step of a quantity for which no standard names a just-noticeable difference: 1 dB between decay
#: curves, as for clarity; between echo density profiles, the distance of two independent noises.
_CONVENTIONAL_STEPS = {"edc": 1.0, "edp": ECHO_DENSITY_CHANCE_RMS}


@dataclass(frozen=True)
class Compared:
    """One quantity of a comparison.

    Attributes
    ----------
    quantity : Quantity
        Its names and unit; errors are in `Quantity.error_unit`.
    step : float
        One just-noticeable difference, or what stands for it.
    judged : bool
        Whether the verdict rests on it; the others are reported only.
    """

    quantity: Quantity
    step: float
    judged: bool

    @property
    def key(self) -> str:
        """Short name in JSON."""
        return self.quantity.key

    @property
    def tolerance(self) -> float:
        """Difference of medians that does not count as worse."""
        return TOLERATED_JND * self.step


def _compared(key: str, judged: bool) -> Compared:
    quantity = next(q for q in (*JND_TABLE, *CURVE_ERRORS) if q.key == key)
    return Compared(quantity, quantity.jnd or _CONVENTIONAL_STEPS[key], judged)


#: In the order of the tables.
COMPARED = (
    _compared("t20", True),
    _compared("t30", True),
    _compared("edt", False),
    _compared("c80", True),
    _compared("d50", True),
    _compared("ts", False),
    _compared("edc", True),
    _compared("edp", True),
)


def errors_of(metrics: Measurement) -> dict[str, float | None]:
    """Broadband errors of one fit.

    Parameters
    ----------
    metrics : Measurement
        The metrics of the fit.

    Returns
    -------
    dict
        By `Compared.key`. None where the recording does not allow the quantity; infinite where it does and the
        fit has no value, so that a fit without a decay is a miss and not a gap.
    """
    errors: dict[str, float | None] = {}
    for judgement in judge(metrics):
        if judgement.counts:
            errors[judgement.quantity.key] = math.inf if judgement.error is None else judgement.error
    for quantity in CURVE_ERRORS:
        errors[quantity.key] = curve_error(metrics, quantity)
    if errors["edc"] is None:
        errors["edc"] = math.inf
    return {compared.key: errors.get(compared.key) for compared in COMPARED}
