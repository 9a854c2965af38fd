"""Tables of the page as plain values: what is written in each cell and how it is graded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fdnlearn.acoustics.values import Measurement


def octave_rows(metrics: Measurement) -> dict[str, Any]:
    """Quantities in rows, broadband and octaves in columns.

    Returns
    -------
    dict
        ``columns`` (text), ``rows``: ``symbol``, ``title``, ``cells``; a cell has ``text`` and ``note``, and where a
        fit is compared ``room``, ``fit``, ``grade``, ``mark``, ``words``.
    """
    from fdnlearn.acoustics.grading import judge
    from fdnlearn.acoustics.quantities import JND_TABLE
    from fdnlearn.report.formatting import format_band, format_jnds, format_number

    compared = metrics.fitted is not None
    octaves_hz = metrics.octaves_hz
    judged = [judge(metrics, hz) for hz in (None, *octaves_hz)]
    rows = []
    for index, quantity in enumerate(JND_TABLE):
        cells = []
        for judgements in judged:
            j = judgements[index]
            room = format_number(j.target, quantity.decimals, quantity.unit)
            cell: dict[str, Any] = {"text": room, "counts": j.counts, "note": j.reason}
            if compared:
                cell |= {
                    "text": format_number(j.error, quantity.error_decimals, quantity.error_unit),
                    "room": room,
                    "fit": format_number(j.fitted, quantity.decimals, quantity.unit),
                    "jnds": format_jnds(j.jnds) if j.jnds is not None and j.counts else "",
                    "grade": j.grade.slug,
                    "mark": j.grade.symbol,
                    "words": j.grade.words,
                }
            cells.append(cell)
        rows.append({"symbol": quantity.symbol, "title": quantity.title, "cells": cells})
    return {"columns": ["Broadband", *map(format_band, octaves_hz)], "rows": rows}


def curve_rows(metrics: Measurement) -> list[dict[str, str]]:
    """Distances between whole curves."""
    from fdnlearn.acoustics.grading import curve_error
    from fdnlearn.acoustics.quantities import CURVE_ERRORS
    from fdnlearn.report.formatting import format_number

    return [
        {
            "symbol": q.symbol,
            "title": q.title,
            "text": format_number(curve_error(metrics, q), q.error_decimals, q.error_unit),
        }
        for q in CURVE_ERRORS
    ]
