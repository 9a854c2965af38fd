"""One self-contained HTML page about a batch: how the errors are spread, and the worst rooms to listen to."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.version import __version__
from fdnlearn.report.html import figure_view, render_template
from fdnlearn.runs.many.folder import ROOMS, BatchFolder
from fdnlearn.runs.many.task import RoomOutcome
from fdnlearn.runs.pipeline import Job
from fdnlearn.runs.study.quantities import COMPARED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fdnlearn.report.audio import Clip

#: Errors beyond these many just-noticeable differences are drawn at the edge.
_LEAST, _MOST = 0.01, 30.0


@dataclass(frozen=True)
class Worst:
    """One of the rooms that are farthest from their recordings."""

    row: Mapping[str, Any]
    folder: str
    clips: tuple[tuple[str, Clip], ...]


def render_overview(
    place: BatchFolder,
    summary: Mapping[str, Any],
    errors: Mapping[str, array[float]],
    failures: Sequence[RoomOutcome],
    job: Job,
) -> str:
    """The page as text, HTML; all strings of the data are escaped.

    Parameters
    ----------
    place : BatchFolder
    summary : mapping
        As `summary.summarise` returns it.
    errors : mapping of str to array
        Every room's error, by quantity.
    failures : sequence of RoomOutcome
    job : Job
    """
    return render_template(
        "fdnlearn.runs.many:template.html.j2",
        summary=summary,
        compared=COMPARED,
        spread=figure_view(
            error_distributions(errors),
            "spread",
            "How they are spread",
            "Share of the rooms whose error is no larger; the dotted line is one just-noticeable difference.",
        ),
        worst=[_worst(place, row) for row in summary["worst"]],
        failures=failures,
        settings=job.settings(),
        program=f"fdnlearn {__version__}",
    )


def error_distributions(errors: Mapping[str, array[float]]) -> Figure:
    """Cumulative distribution of each judged error over the rooms, in just-noticeable differences.

    Parameters
    ----------
    errors : mapping of str to array
        By `Compared.key`; infinite ones are misses and never reached by the curve.
    """
    from fdnlearn.report.style import (
        DASHES,
        FURTHER_COLOURS,
        PALETTE,
        figure_style,
        new_figure,
        write_plainly,
    )

    colours = (PALETTE["room"], PALETTE["fdn"], *FURTHER_COLOURS)
    with figure_style():
        figure = new_figure(270.0)
        axes = figure.subplots()
        axes.axvline(1.0, color=PALETTE["muted"], linewidth=0.9, linestyle=":")
        for number, compared in enumerate(c for c in COMPARED if c.judged):
            values = np.sort(np.asarray(errors[compared.key], dtype=np.float64)) / compared.step
            if not values.size:
                continue
            share = np.arange(1, values.size + 1) / values.size * 100.0
            reached = values <= _MOST
            axes.step(
                np.concatenate(([_LEAST], np.clip(values[reached], _LEAST, None), [_MOST])),
                np.concatenate(([0.0], share[reached], [100.0 * reached.mean()])),
                where="post",
                label=compared.quantity.symbol,
                color=colours[number % len(colours)],
                linestyle=DASHES[number % len(DASHES)],
                linewidth=1.4,
            )
        axes.set(xscale="log", xlim=(_LEAST, _MOST), ylim=(0.0, 102.0))
        axes.set(xlabel="Error / just-noticeable differences", ylabel="Rooms / %")
        write_plainly(axes.xaxis)
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside upper center", ncols=3)
    return figure


def _worst(place: BatchFolder, row: Mapping[str, Any]) -> Worst:
    from fdnlearn.report.audio import level_matched_clips
    from fdnlearn.rir import read_recording

    folder = place.rooms / row["room"]
    clips: tuple[tuple[str, Clip], ...] = ()
    try:
        pair = [read_recording(folder / name) for name in ("target.wav", "ir.wav")]
    except FdnlearnError:
        pair = []  # the page goes without what somebody has taken away
    if pair:
        rate = pair[0].sample_rate_hz
        usable = min(pair[0].samples.shape[1], math.ceil(row["reverberation_time_s"] * rate))
        matched = level_matched_clips([recording.samples for recording in pair], rate, usable)
        clips = tuple(zip(("Room", "Network"), matched, strict=True))
    return Worst(row, f"{ROOMS}/{row['room']}", clips)
