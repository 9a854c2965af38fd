"""The metrics as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdnlearn.acoustics.grading import Grade, Judgement, curve_error, judge, verdict
from fdnlearn.acoustics.quantities import CURVE_ERRORS, ECHO_DENSITY_CHANCE_RMS
from fdnlearn.report.formatting import format_band, format_jnds, format_number

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from fdnlearn.acoustics.values import Measurement

_STYLES = {
    Grade.WITHIN: "green",
    Grade.NEAR: "yellow",
    Grade.BEYOND: "red",
    Grade.UNJUDGED: "",
    Grade.NOT_COUNTED: "bright_black",
}


def metrics_table(metrics: Measurement, *, octaves: bool = False) -> Table:
    """Room and fit side by side, or the room alone where nothing has been fitted.

    Parameters
    ----------
    metrics : Measurement
        The metrics of a fit; of what has been measured without one the table shows the room and what counts.
    octaves : bool
        Add a section for each octave band.

    Returns
    -------
    rich.table.Table
        Colour is never the only sign: each row carries a symbol and words too.
    """
    from rich import box
    from rich.table import Table

    compared = metrics.fitted is not None
    table = Table(
        box=box.SIMPLE_HEAD, caption=_caption(metrics) if compared else None, caption_justify="left"
    )
    if octaves:
        table.add_column("Band", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("Room", justify="right", no_wrap=True)
    if compared:
        table.add_column("FDN", justify="right", no_wrap=True)
        table.add_column("Error", justify="right", no_wrap=True)
        table.add_column("JND", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    bands: tuple[int | None, ...] = (None, *metrics.octaves_hz) if octaves else (None,)
    for band in bands:
        for number, judgement in enumerate(judge(metrics, band)):
            cells = _cells(judgement) if compared else _room_cells(judgement)
            if octaves:
                name = "broadband" if band is None else format_band(band)
                cells.insert(0, _text(name if number == 0 else "", "bold"))
            table.add_row(*cells)
        if band is None and compared:
            for quantity in CURVE_ERRORS:
                error = format_number(
                    curve_error(metrics, quantity), quantity.error_decimals, quantity.error_unit
                )
                note = f"chance {ECHO_DENSITY_CHANCE_RMS:.2f}" if quantity.key == "edp" else ""
                row = [_text(quantity.symbol), _text(""), _text(""), _text(error), _text(""), _text(note)]
                table.add_row(*([_text("")] if octaves else []), *row)
        table.add_section()
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


def _room_cells(judgement: Judgement) -> list[Text]:
    quantity = judgement.quantity
    grade = Grade.WITHIN if judgement.counts else Grade.NOT_COUNTED
    words = f"{grade.symbol} {'counts' if judgement.counts else judgement.reason}"
    style = _STYLES[grade]
    value = format_number(judgement.target, quantity.decimals, quantity.unit)
    return [_text(quantity.symbol), _text(value), _text(words, style)]


def _words(judgement: Judgement) -> str:
    return f"{judgement.grade.words}: {judgement.reason}" if judgement.reason else judgement.grade.words


def _caption(metrics: Measurement) -> str:
    summary = verdict(judge(metrics))
    counted = f"{summary.within} of {summary.counted} counted broadband quantities"
    return f"{counted} within one just-noticeable difference (JND)"


def _text(content: str, style: str = "") -> Text:
    from rich.text import Text

    # Text objects, not markup strings: a reason holding "[...]" must be shown as it is.
    return Text(content, style=style)
