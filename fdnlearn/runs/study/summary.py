"""From cells to findings: tables by room and by method, each rival against the first method, convergence.

The document that `summarise` returns is `summary.json`. Numbers that are not there are None: an error whose key is
among a room's ``counts`` and yet None is a miss, which ranks behind every number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fdnlearn.base.version import __version__
from fdnlearn.rir.metrics_document import Metrics, metrics_of
from fdnlearn.runs.study.cells import Cell, finite_json
from fdnlearn.runs.study.curves import median_curves
from fdnlearn.runs.study.pairs import held_against
from fdnlearn.runs.study.quantities import COMPARED, errors_of
from fdnlearn.runs.study.rooms import StudyRoom
from fdnlearn.runs.study.runner import StudyRun

FORMAT = "fdnlearn.comparison"
VERSION = 1

#: Errors of one method in one room by quantity, seeds averaged; None where the room does not allow the quantity.
Errors = dict[str, float | None]
_EFFORT = ("seconds", "evaluations", "loss")


def summarise(run: StudyRun) -> dict[str, Any]:
    """What a comparison comes to.

    Parameters
    ----------
    run : StudyRun

    Returns
    -------
    dict
        ``settings``, ``machines``, ``dates``, ``cells`` (how many), ``failures``, ``rooms``, ``methods`` (medians over
        rooms), ``pairs`` (the first method against each other one), ``convergence``; plain JSON values.
    """
    specs = [method.spec for method in run.plan.methods]
    finished = [cell for cell in run.cells if cell.finished]
    errors = {room.key: _room_errors(run, room, specs) for room in run.rooms}
    document = {
        "format": FORMAT,
        "version": VERSION,
        "program": f"fdnlearn {__version__}",
        "settings": {
            "methods": {m.spec: m.about for m in run.plan.methods},
            "seeds": run.plan.seeds,
            "budget_s": run.plan.budget_s,
            "lines": run.plan.lines,
            "sample_rate_hz": run.plan.sample_rate_hz,
            "threads": run.threads,
        },
        "quantities": {
            compared.key: {
                "symbol": compared.quantity.symbol,
                "unit": compared.quantity.error_unit,
                "tolerance": compared.tolerance,
                "judged": compared.judged,
            }
            for compared in COMPARED
        },
        "machines": _distinct(cell.body["machine"] for cell in finished),
        "dates": sorted({cell.body["date"] for cell in finished}),
        "cells": {
            "total": len(run.cells) + run.pending,
            "finished": len(finished),
            "failed": len(run.cells) - len(finished),
            "pending": run.pending,
        },
        "failures": _failures(run),
        "rooms": [_room(run, room, specs, errors[room.key]) for room in run.rooms if room.target is not None],
        "methods": {spec: _method(run, spec, errors) for spec in specs},
        "pairs": [
            held_against(specs[0], rival, _pairs(errors, specs[0], rival)) for rival in specs[1:] if finished
        ],
        "convergence": _convergence(run),
    }
    plain: dict[str, Any] = finite_json(document)
    return plain


def _room_errors(run: StudyRun, room: StudyRoom, specs: Sequence[str]) -> dict[str, Errors]:
    """Errors by method. A method that has not been through all its seeds in this room is not there yet."""
    cells = [cell for cell in run.cells if cell.place.room == room.key]
    by_place = {cell.place: errors_of(_metrics(cell)) for cell in cells if cell.finished}
    if not by_place:
        return {}
    # Whether a quantity counts is decided by the recording: any fit of the room tells.
    counts = {key for key, error in next(iter(by_place.values())).items() if error is not None}
    missed: Errors = {c.key: math.inf if c.key in counts else None for c in COMPARED}
    by_method: dict[str, Errors] = {}
    for spec in specs:
        runs = [by_place.get(cell.place, missed) for cell in cells if cell.place.method == spec]
        if len(runs) == run.plan.seeds:
            by_method[spec] = {c.key: _mean([errors[c.key] for errors in runs]) for c in COMPARED}
    return by_method


def _metrics(cell: Cell) -> Metrics:
    return metrics_of(cell.body["metrics"], f"{cell.place.file_name}: metrics")


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _room(
    run: StudyRun, room: StudyRoom, specs: Sequence[str], errors: Mapping[str, Errors]
) -> dict[str, Any]:
    assert room.target is not None
    counting = next(iter(errors.values()), {})
    return {
        "name": room.name,
        "sha256": room.target.sha256,
        "reverberation_time_s": room.target.reverberation_time_s,
        "range_db": room.target.range_db,
        "counts": [key for key, error in counting.items() if error is not None],
        "methods": {spec: {"error": errors.get(spec), **_effort(run, spec, room.key)} for spec in specs},
    }


def _method(run: StudyRun, spec: str, errors: Mapping[str, Mapping[str, Errors]]) -> dict[str, Any]:
    there = [by_method[spec] for by_method in errors.values() if spec in by_method]
    median = {}
    for compared in COMPARED:
        values = [e for row in there if (e := row[compared.key]) is not None]
        median[compared.key] = {
            "value": float(np.median(values)) if values else None,
            "rooms": len(values),
            "missed": sum(math.isinf(value) for value in values),
        }
    return {"rooms": len(there), "median": median, **_effort(run, spec)}


def _effort(run: StudyRun, spec: str, room: str | None = None) -> dict[str, Any]:
    """Finished fits of a method, and the median of what they took and reached."""
    cells = [
        cell
        for cell in run.cells
        if cell.finished and cell.place.method == spec and room in (None, cell.place.room)
    ]
    medians = {
        name: float(np.median([math.inf if c.body[name] is None else c.body[name] for c in cells]))
        if cells
        else None
        for name in _EFFORT
    }
    return {"fits": len(cells), **medians}


def _pairs(
    errors: Mapping[str, Mapping[str, Errors]], method: str, rival: str
) -> dict[str, tuple[list[float], list[float]]]:
    """Errors of both methods in the rooms where a quantity counts and both have been run, by quantity."""
    both = [(rows[method], rows[rival]) for rows in errors.values() if method in rows and rival in rows]
    pairs = {}
    for compared in COMPARED:
        values = [(a[compared.key], b[compared.key]) for a, b in both]
        known = [(a, b) for a, b in values if a is not None and b is not None]
        pairs[compared.key] = ([a for a, _ in known], [b for _, b in known])
    return pairs


def _failures(run: StudyRun) -> list[dict[str, Any]]:
    """Why cells have failed; one entry for a room that cannot be used at all."""
    rooms = {room.key: room for room in run.rooms}
    failures = [
        {"room": room.name, "method": None, "seed": None, "reason": str(room.error)}
        for room in run.rooms
        if room.error is not None
    ]
    return failures + [
        {
            "room": rooms[cell.place.room].name,
            "method": cell.place.method,
            "seed": cell.place.seed,
            "reason": cell.body["reason"],
        }
        for cell in run.cells
        if not cell.finished and rooms[cell.place.room].error is None
    ]


def _convergence(run: StudyRun) -> dict[str, Any]:
    """Median curves of the methods that minimise the common loss."""
    curves = {
        method.spec: [
            cell.body["curve"] for cell in run.cells if cell.finished and cell.place.method == method.spec
        ]
        for method in run.plan.methods
        if method.same_loss
    }
    curves = {spec: of_fits for spec, of_fits in curves.items() if of_fits}
    return {axis: median_curves(curves, axis) for axis in ("seconds", "evaluations")}


def _distinct(machines: Iterable[Any]) -> list[Any]:
    distinct: list[Any] = []
    for machine in machines:
        if machine not in distinct:
            distinct.append(machine)
    return distinct
