"""What judgements come to, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fdnlearn.acoustics.grading import Finding, Judgement, Verdict
from fdnlearn.acoustics.quantities import JND_TABLE
from fdnlearn.report.formatting import format_band, format_jnds, format_number

if TYPE_CHECKING:
    from fdnlearn.rir.metrics_document import ColourDifference, FitComparison


def headline(found: Finding) -> str:
    """The finding of the page in one sentence."""
    summary, one = found.summary, found.kind
    several = f"{one[:-1]}ies" if one.endswith("y") else f"{one}s"
    if summary.counted == 0:
        return "The recording has too little decay range to judge the fit"
    if summary.counted == 1:
        counted = f"The only counted {one} is {'' if summary.within else 'not '}within"
    elif summary.within == summary.counted:
        counted = f"All {summary.counted} counted {several} are within"
    else:
        are = "is" if summary.within == 1 else "are"
        counted = f"{summary.within or 'None'} of {summary.counted} counted {several} {are} within"
    return f"{counted} one just-noticeable difference"


def colour_sentence(metrics: FitComparison) -> str:
    """How differently coloured fit and recording are; empty where that was not measured."""
    colour = metrics.colour
    if colour is None or colour.whole.rms_db is None:
        return ""
    late = f"; from 50 ms on {_difference(colour.late)}" if colour.late.rms_db is not None else ""
    return f"Colour by third octave: {_difference(colour.whole)}{late}."


def _difference(colour: ColourDifference) -> str:
    worst = f"{format_number(colour.worst_db, 1, 'dB')} at {format_band(round(colour.worst_hz or 0.0))}"
    return f"{format_number(colour.rms_db, 1, 'dB')} rms, at most {worst}"


def worst_sentence(summary: Verdict) -> str:
    """The largest difference; empty where nothing counts."""
    worst = summary.worst
    if worst is None:
        return ""
    where = f" at {format_band(worst.band_hz)}" if worst.band_hz else ""
    quantity = worst.quantity
    if worst.jnds is None:
        return f"{quantity.symbol}{where} could not be measured in the fit."
    error = format_number(worst.error, quantity.error_decimals, quantity.error_unit)
    return f"Largest difference: {quantity.symbol}{where}, {error} ({format_jnds(worst.jnds)} JND)."


def reasons(judgements: Sequence[Judgement]) -> list[tuple[str, str]]:
    """Which quantities have nothing to compare, and why, the bands that share a reason together."""
    places: dict[tuple[str, str], list[str]] = {}
    for quantity in JND_TABLE:
        for judgement in judgements:
            if judgement.quantity is quantity and judgement.reason:
                band = format_band(judgement.band_hz) if judgement.band_hz else "broadband"
                places.setdefault((quantity.symbol, judgement.reason), []).append(band)
    return [(f"{symbol}: {', '.join(bands)}", reason) for (symbol, reason), bands in places.items()]


def octave_spread(in_octaves: Iterable[Judgement]) -> str:
    """How much the room's own reverberation time depends on frequency."""
    times = [
        (j.band_hz, j.target)
        for j in in_octaves
        if j.quantity.key == "t30" and j.counts and j.band_hz is not None and j.target is not None
    ]
    if len(times) < 2:
        return ""
    shortest, longest = min(times, key=lambda item: item[1]), max(times, key=lambda item: item[1])
    return (
        f"The room's T30 ranges from {format_number(shortest[1], 2, 's')} at {format_band(shortest[0])} "
        f"to {format_number(longest[1], 2, 's')} at {format_band(longest[0])}."
    )
