"""What a report says about the late part beyond its decay: tones that stand out, and how alike the channels are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fdnlearn.report.formatting import format_band, format_number

if TYPE_CHECKING:
    from fdnlearn.rir.metrics_document import FitComparison

#: A difference of coherence that is not worth a mark.
CLOSE = 0.1
#: Tones that are named.
_NAMED = 5


@dataclass(frozen=True)
class CoherenceRow:
    """One pair of channels: its name, and for every octave room, fit and whether they are close."""

    pair: str
    cells: tuple[tuple[str, str, bool], ...]


def ringing_sentence(metrics: FitComparison) -> str:
    """What stands out of the fit's late spectrum; empty if that was not measured."""
    from fdnlearn.acoustics.ringing import PROMINENT_DB

    lines = metrics.ringing
    if lines is None:
        return ""
    threshold = format_number(PROMINENT_DB, 0, "dB")
    if not lines:
        return f"No ringing: no tone of the late part stands {threshold} above the rest where the room's does not."
    named = ", ".join(
        f"{line.frequency_hz:.0f} Hz ({format_number(line.prominence_db, 1, 'dB')})"
        for line in lines[:_NAMED]
    )
    more = f" and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
    return (
        f"Ringing: {named}{more} stand{'s' if len(lines) == 1 else ''} more than {threshold} above the rest and "
        "may be heard as a metallic tone; more lines help."
    )


def coherence_rows(metrics: FitComparison) -> tuple[tuple[str, ...], tuple[CoherenceRow, ...]]:
    """Names of the octaves, and a row for every pair of channels; nothing for a single channel."""
    coherence = metrics.coherence
    if coherence is None:
        return (), ()
    rows = tuple(
        CoherenceRow(
            " and ".join(str(int(channel) + 1) for channel in pair.split("-")),
            tuple(
                (format_number(room, 2), format_number(fit, 2), error <= CLOSE)
                for room, fit, error in zip(
                    coherence.target[pair], coherence.fitted[pair], coherence.error[pair], strict=True
                )
            ),
        )
        for pair in coherence.target
    )
    return tuple(format_band(hz) for hz in metrics.octaves_hz), rows
