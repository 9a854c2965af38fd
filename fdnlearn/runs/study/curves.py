"""Convergence: how the loss falls with time and with work, of one fit and of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fdnlearn.base.types import FloatArray

if TYPE_CHECKING:
    from fdnlearn.fitting.solution import Solution


#: Points that are kept of a fit's history, and points of a median curve.
_KEPT, _GRID = 240, 80


def curve_of(result: Solution) -> dict[str, list[float]]:
    """Best loss of a fit, thinned out evenly on a logarithmic axis.

    Returns
    -------
    dict
        ``seconds``, ``evaluations`` and ``loss``, equally long. A network counts as one evaluation whether or not
        its gradient is computed. The last point is the result; where the delays are rounded the loss may rise.
    """
    points = [
        (p.seconds, p.iteration if p.evaluations is None else p.evaluations, p.best_loss)
        for p in result.history
    ]
    evaluations = points[-1][1] if points else max(1, result.iterations)
    end = max(result.seconds, points[-1][0] if points else 0.0)
    if len(points) > _KEPT:
        kept = np.unique(np.round(np.geomspace(1, len(points), _KEPT)).astype(int)) - 1
        points = [points[index] for index in kept]
    points.append((end, evaluations, result.loss))
    return {
        "seconds": [round(float(seconds), 5) for seconds, _, _ in points],
        "evaluations": [int(count) for _, count, _ in points],
        "loss": [float(loss) for _, _, loss in points],
    }


def median_curves(curves: Mapping[str, Sequence[Mapping[str, Any]]], axis: str) -> dict[str, Any]:
    """Median best loss of each method on a common axis.

    Parameters
    ----------
    curves : mapping
        Method -> what `curve_of` gave for each of its fits, as read from JSON (None for no number).
    axis : str
        ``"seconds"`` or ``"evaluations"``.

    Returns
    -------
    dict
        ``grid``, and ``loss`` by method: None before half of the fits have a loss and after half of them have
        ended.
    """
    ends = {
        method: float(np.median([curve[axis][-1] for curve in of_fits])) for method, of_fits in curves.items()
    }
    starts = [curve[axis][0] for of_fits in curves.values() for curve in of_fits]
    if not starts:
        return {"grid": [], "loss": {}}
    first = max(min(starts), 1e-3)
    grid = np.geomspace(first, max(first * 1.001, *ends.values()), _GRID)
    medians: dict[str, list[float | None]] = {}
    for method, of_fits in curves.items():
        values = np.median([_at(grid, curve, axis) for curve in of_fits], axis=0)
        # One more point after the end, and at least one: fits of one evaluation end where they begin.
        begun = np.flatnonzero(np.isfinite(values))
        last = max(int(np.searchsorted(grid, ends[method])), int(begun[0]) if begun.size else 0)
        medians[method] = [
            float(value) if index <= last and np.isfinite(value) else None
            for index, value in enumerate(values)
        ]
    return {"grid": [float(point) for point in grid], "loss": medians}


def _at(grid: FloatArray, curve: Mapping[str, Any], axis: str) -> FloatArray:
    """Best loss at each point of the grid; infinite before the first, the last one after the end."""
    where = np.asarray(curve[axis], dtype=np.float64)
    loss = np.array([np.inf if value is None else value for value in curve["loss"]], dtype=np.float64)
    index = np.searchsorted(where, grid, side="right") - 1
    return np.where(index >= 0, loss[np.maximum(index, 0)], np.inf)
