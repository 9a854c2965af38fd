"""What judgements come to, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fdnlearn.acoustics.grading import Judgement, Verdict
from fdnlearn.acoustics.quantities import JND_TABLE
from fdnlearn.report.formatting import format_band, format_jnds, format_number


def headline(summary: Verdict) -> str:
    """The finding of the page in one sentence."""
    if summary.counted == 0:
        return "The recording has too little decay range to judge the fit"
    if summary.counted == 1:
        counted = f"The only counted broadband quantity is {'' if summary.within else 'not '}within"
    elif summary.within == summary.counted:
        counted = f"All {summary.counted} counted broadband quantities are within"
    else:
        are = "is" if summary.within == 1 else "are"
        counted = f"{summary.within or 'None'} of {summary.counted} counted broadband quantities {are} within"
    return f"{counted} one just-noticeable difference"


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
