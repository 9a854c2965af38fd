"""Figures of a comparison: how the loss falls, and how far each method is from each room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from fdnlearn.report.style import (
    DASHES,
    FURTHER_COLOURS,
    PALETTE,
    figure_style,
    new_figure,
    set_log_levels,
    write_plainly,
)
from fdnlearn.runs.study.quantities import COMPARED

#: The first is the method that is held against the others.
_COLOURS = (PALETTE["fdn"], PALETTE["room"], *FURTHER_COLOURS)
_MARKERS = "osD^vP*X"
#: Errors beyond this many steps are drawn at the edge.
_EDGE = 30.0

Document = Mapping[str, Any]


def convergence(summary: Document, axis: str) -> Figure | None:
    """Median best loss of each method against time or evaluations.

    Parameters
    ----------
    summary : mapping
        As `summary.summarise` returns it.
    axis : str
        ``"seconds"`` or ``"evaluations"``.

    Returns
    -------
    Figure or None
        None if no curve can be drawn.
    """
    curves = summary["convergence"][axis]
    grid = np.asarray(curves["grid"], dtype=np.float64)
    looks = _looks(list(summary["methods"]))
    drawn = {
        spec: np.array([np.nan if value is None else value for value in loss], dtype=np.float64)
        for spec, loss in curves["loss"].items()
    }
    drawn = {spec: loss for spec, loss in drawn.items() if np.isfinite(loss).any()}
    if not drawn:
        return None
    with figure_style():
        figure = new_figure(270.0)
        axes = figure.subplots()
        for spec, loss in drawn.items():
            last = int(np.flatnonzero(np.isfinite(loss))[-1])
            axes.plot(grid, loss, label=spec, linewidth=1.6, markersize=4, markevery=[last], **looks[spec])
        axes.set_xscale("log")
        values = np.concatenate([loss[np.isfinite(loss)] for loss in drawn.values()])
        if values.min() > 0.0:
            set_log_levels(axes, values.min(), values.max())
        write_plainly(axes.xaxis)
        unit = "Time / s" if axis == "seconds" else "Evaluations / 1"
        axes.set(xlabel=unit, ylabel="Loss, median of the fits / 1")
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def errors(summary: Document) -> Figure:
    """Errors of every method in every room, in just-noticeable differences, with their medians.

    Parameters
    ----------
    summary : mapping

    Returns
    -------
    Figure
        One row a quantity; misses are drawn at the right edge.
    """
    specs = list(summary["methods"])
    looks = _looks(specs)
    with figure_style():
        figure = new_figure(70.0 + len(COMPARED) * (14.0 + 9.0 * len(specs)))
        axes = figure.subplots()
        axes.axvline(1.0, color=PALETTE["muted"], linewidth=0.9, linestyle=":")
        for row, compared in enumerate(COMPARED):
            if row % 2:
                axes.axhspan(row - 0.5, row + 0.5, color=PALETTE["band"], zorder=0, linewidth=0)
            for number, spec in enumerate(specs):
                y = row + (number - (len(specs) - 1) / 2.0) * 0.8 / len(specs)
                of_rooms = [_error_of(room, spec, compared.key) for room in summary["rooms"]]
                steps = np.array([e for e in of_rooms if e is not None], dtype=np.float64) / compared.step
                if not steps.size:
                    continue
                shown = np.clip(steps, 1.0 / _EDGE, _EDGE)
                colour = looks[spec]["color"]
                axes.plot(shown, np.full(shown.size, y), ".", color=colour, markersize=3.5, alpha=0.55)
                middle = float(np.clip(np.median(steps), 1.0 / _EDGE, _EDGE))
                axes.plot(
                    middle,
                    y,
                    looks[spec]["marker"],
                    color=colour,
                    markersize=5.5,
                    label=spec if not row else None,
                )
        axes.set_yticks(range(len(COMPARED)), [c.quantity.symbol for c in COMPARED])
        axes.set(ylim=(len(COMPARED) - 0.5, -0.5), xlim=(0.9 / _EDGE, 1.1 * _EDGE), xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        write_plainly(axes.xaxis)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Error / just-noticeable differences")
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside upper center", ncols=2)
    return figure


def _error_of(room: Document, spec: str, key: str) -> float | None:
    """None where there is nothing to compare, infinite where the fit missed."""
    errors_by_key = room["methods"][spec]["error"]
    if errors_by_key is None or key not in room["counts"]:
        return None
    return float("inf") if errors_by_key[key] is None else float(errors_by_key[key])


def _looks(specs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour, dashes and marker of each method: never colour alone."""
    return {
        spec: {
            "color": _COLOURS[number % len(_COLOURS)],
            "linestyle": DASHES[number % len(DASHES)],
            "marker": _MARKERS[number % len(_MARKERS)],
        }
        for number, spec in enumerate(specs)
    }
