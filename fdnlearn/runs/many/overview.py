"""One self-contained HTML page about a batch: how the errors are spread, and the worst rooms to listen to."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.version import __version__
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
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    from fdnlearn.acoustics.grading import format_number
    from fdnlearn.report.style import to_svg

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": format_number}
    template = resources.files("fdnlearn.runs.many").joinpath("template.html.j2").read_text("utf-8")
    css = resources.files("fdnlearn.report").joinpath("page.css").read_text("utf-8")
    caption = (
        "Share of the rooms whose error is no larger; the dotted line is one just-noticeable difference."
    )
    return environment.from_string(template).render(
        css=Markup(css),
        summary=summary,
        compared=COMPARED,
        figure=Markup(to_svg(error_distributions(errors), "spread", f"Errors: {caption}")),
        caption=caption,
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
    from matplotlib.ticker import FuncFormatter, NullFormatter

    from fdnlearn.report.style import PALETTE, figure_style, new_figure

    dashes: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
    colours = (PALETTE["room"], PALETTE["fdn"], "#2a9d6f", "#a45fbf", "#b58900", "#6c7fd8")
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
                linestyle=dashes[number % len(dashes)],
                linewidth=1.4,
            )
        axes.set(xscale="log", xlim=(_LEAST, _MOST), ylim=(0.0, 102.0))
        axes.set(xlabel="Error / just-noticeable differences", ylabel="Rooms / %")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
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
        made = level_matched_clips([recording.samples for recording in pair], rate, usable)
        clips = tuple(zip(("Room", "Network"), made, strict=True))
    return Worst(row, f"{ROOMS}/{row['room']}", clips)
