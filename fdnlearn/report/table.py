"""The metrics as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdnlearn.acoustics.grading import Grade, Judgement, curve_error, finding, judge
from fdnlearn.acoustics.quantities import CURVE_ERRORS, ECHO_DENSITY_CHANCE_RMS
from fdnlearn.report.formatting import format_band, format_jnds, format_number
from fdnlearn.report.sentences import colour_sentence, headline, worst_sentence

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from fdnlearn.acoustics.values import Measurement
    from fdnlearn.rir.metrics_document import FitComparison

_STYLES = {
    Grade.WITHIN: "green",
    Grade.NEAR: "yellow",
    Grade.BEYOND: "red",
    Grade.UNJUDGED: "",
    Grade.NOT_COUNTED: "bright_black",
}


#: What the terminal shows of every octave; the page has the rest.
_IN_OCTAVES = ("t30", "edt", "c80")


def octave_table(metrics: FitComparison) -> Table:
    """What a fit is headed by: reverberation time and errors of every octave, how many are within one JND, and colour.

    Returns
    -------
    rich.table.Table
        Colour is never the only sign: each error carries a symbol; in parentheses stands what does not count.
    """
    from rich import box
    from rich.table import Table

    found = finding(metrics)
    lines = (f"{headline(found)}.", worst_sentence(found.summary), colour_sentence(metrics))
    table = Table(
        box=box.SIMPLE_HEAD, caption="\n".join(line for line in lines if line), caption_justify="left"
    )
    for title in ("", "T30 room", "FDN", "T30", "EDT", "C80"):
        table.add_column(title, justify="right", no_wrap=True)
    for hz in metrics.octaves_hz:
        shown = [judgement for judgement in judge(metrics, hz) if judgement.quantity.key in _IN_OCTAVES]
        t30 = shown[0]
        values = [format_number(value, 2, "s") for value in (t30.target, t30.fitted)]
        table.add_row(format_band(hz), *values, *(_error_cell(judgement) for judgement in shown))
    return table


def _error_cell(judgement: Judgement) -> Text:
    error = format_number(judgement.error, judgement.quantity.error_decimals, judgement.quantity.error_unit)
    text = f"{error} {judgement.grade.symbol}" if judgement.counts else f"({error})"
    return _text(text, _STYLES[judgement.grade])


def metrics_table(metrics: Measurement) -> Table:
    """Room and fit side by side over all frequencies.

    Returns
    -------
    rich.table.Table
        Colour is never the only sign: each row carries a symbol and words too.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Broadband", no_wrap=True)
    for title in ("Room", "FDN", "Error", "JND"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for judgement in judge(metrics):
        table.add_row(*_cells(judgement))
    for quantity in CURVE_ERRORS:
        error = format_number(curve_error(metrics, quantity), quantity.error_decimals, quantity.error_unit)
        note = f"chance {ECHO_DENSITY_CHANCE_RMS:.2f}" if quantity.key == "edp" else ""
        table.add_row(*(_text(cell) for cell in (quantity.symbol, "", "", error, "", note)))
    return table


def _cells(judgement: Judgement) -> list[Text]:
    quantity, grade = judgement.quantity, judgement.grade
    style = _STYLES[grade]
    counted = grade not in (Grade.NOT_COUNTED, Grade.UNJUDGED)
    return [
        _text(quantity.symbol),
        _text(format_number(judgement.target, quantity.decimals, quantity.unit)),
        _text(format_number(judgement.fitted, quantity.decimals, quantity.unit)),
        _text(format_number(judgement.error, quantity.error_decimals, quantity.error_unit), style),
        _text(format_jnds(judgement.jnds) if counted else "", style),
        _text(f"{grade.symbol} {_words(judgement)}", style),
    ]


def _words(judgement: Judgement) -> str:
    return f"{judgement.grade.words}: {judgement.reason}" if judgement.reason else judgement.grade.words


def _text(content: str, style: str = "") -> Text:
    from rich.text import Text

    # Text objects, not markup strings: a reason holding "[...]" must be shown as it is.
    return Text(content, style=style)
