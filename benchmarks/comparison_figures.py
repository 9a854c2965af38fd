"""Every figure of the comparison as rows of one table, `docs/comparison.csv`; the page has the medians alone.

Column ``table`` says what a row is:

- ``medians``: over the rooms of a set, of one method in one quantity; ``missed`` of the ``rooms`` that count have no
  value. Seconds and evaluations are rows too, without a count of rooms.
- ``pairs``: rival minus the first method, positive favours the first; ``low`` to ``high`` is the 95 % interval.
- ``rooms``: seeds averaged, one method in one room; ``finding`` is "missed" where a fit has no value and "not counted"
  where the recording does not allow the quantity. Seconds and the final loss are rows too.
- ``losses``: where the first method, ``value``, is worse than a rival, ``against``, by more than a quarter of a
  just-noticeable difference.

Numbers are rounded as a page would show them; an empty field means that there is none.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fdnlearn.report.formatting import format_effort, format_number, format_p
from fdnlearn.runs.study.quantities import COMPARED, Compared

FIELDS = (
    "table", "model", "room_set", "budget_s", "room", "method", "quantity", "unit", "value", "against", "low", "high",
    "effect", "p", "p_holm", "finding", "missed", "rooms",
)  # fmt: skip

Document = Mapping[str, Any]
Row = dict[str, str]


def write_figures(path: Path, summaries: Mapping[tuple[str, str, float], Document]) -> None:
    """Write the table of summaries by model, set of rooms and budget; equal summaries give equal bytes.

    Rows of other comparisons stay where they are.
    """
    keys = {(model, split, f"{budget_s:g}") for model, split, budget_s in summaries}
    kept: list[Row] = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            kept = [
                row
                for row in csv.DictReader(file)
                if (row["model"], row["room_set"], row["budget_s"]) not in keys
            ]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        for (model, split, budget_s), summary in summaries.items():
            for row in (*_medians(summary), *_pairs(summary), *_losses(summary), *_rooms(summary)):
                writer.writerow({"model": model, "room_set": split, "budget_s": f"{budget_s:g}"} | row)


def _medians(summary: Document) -> Iterator[Row]:
    for spec, row in summary["methods"].items():
        for c in COMPARED:
            median = row["median"][c.key]
            yield _row("medians", c, method=spec) | {
                "value": _plain(median["value"], c.quantity.error_decimals),
                "missed": str(median["missed"]),
                "rooms": str(median["rooms"]),
            }
        yield _effort("medians", "seconds", "s", row["seconds"], method=spec)
        yield _effort("medians", "evaluations", "", row["evaluations"], method=spec)


def _pairs(summary: Document) -> Iterator[Row]:
    for pair in summary["pairs"]:
        for c in COMPARED:
            q = pair["quantities"][c.key]
            decimals = c.quantity.error_decimals
            low, high = q["interval"] or (None, None)
            yield _row("pairs", c, method=pair["rival"]) | {
                "value": _plain(q["median_difference"], decimals),
                "low": _plain(low, decimals),
                "high": _plain(high, decimals),
                "effect": _plain(q["effect"], 2),
                "p": _ascii(format_p(q["p"])),
                "p_holm": _ascii(format_p(q["p_holm"])),
                "finding": q["finding"] or "not judged",
            }


def _losses(summary: Document) -> Iterator[Row]:
    first, *rivals = summary["methods"]
    for rival in rivals:
        for c in COMPARED:
            for room in summary["rooms"]:
                errors = [room["methods"][spec]["error"] for spec in (first, rival)]
                if None in errors or c.key not in room["counts"]:
                    continue
                own, other = (float("inf") if e[c.key] is None else e[c.key] for e in errors)
                if own - other > c.tolerance:
                    decimals = c.quantity.error_decimals
                    values = {"value": _plain(own, decimals), "against": _plain(other, decimals)}
                    yield _row("losses", c, method=rival, room=room["name"]) | values


def _rooms(summary: Document) -> Iterator[Row]:
    for room in summary["rooms"]:
        for spec, row in room["methods"].items():
            if row["error"] is None:
                continue
            place = {"method": spec, "room": room["name"]}
            for c in COMPARED:
                value = row["error"][c.key]
                if c.key not in room["counts"]:
                    yield _row("rooms", c, **place) | {"finding": "not counted"}
                elif value is None:
                    yield _row("rooms", c, **place) | {"finding": "missed"}
                else:
                    yield _row("rooms", c, **place) | {"value": _plain(value, c.quantity.error_decimals)}
            yield _effort("rooms", "seconds", "s", row["seconds"], **place)
            yield {"table": "rooms", "quantity": "loss", "value": _plain(row["loss"], 4)} | place


def _row(table: str, compared: Compared, **place: str) -> Row:
    return {
        "table": table,
        "quantity": compared.quantity.symbol,
        "unit": compared.quantity.error_unit,
    } | place


def _effort(table: str, quantity: str, unit: str, value: float | None, **place: str) -> Row:
    return {
        "table": table,
        "quantity": quantity,
        "unit": unit,
        "value": _ascii(format_effort(value)),
    } | place


def _plain(value: float | None, decimals: int) -> str:
    return _ascii(format_number(value, decimals))


def _ascii(text: str) -> str:
    """A number as programs read it: no typographic minus, nothing for a dash, no thin spaces."""
    return "" if text == "—" else text.replace("−", "-").replace("\u00a0", "")
