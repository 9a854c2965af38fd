"""One self-contained HTML page about one fit: no script, no address, nothing fetched from anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fdnlearn.acoustics.grading import (
    CURVE_ERRORS,
    ECHO_DENSITY_CHANCE_RMS,
    QUANTITIES,
    Grade,
    Judgement,
    Verdict,
    curve_error,
    format_band,
    format_jnds,
    format_number,
    format_time,
    judge,
    octave_bands,
    verdict,
)
from fdnlearn.base.files import replacing
from fdnlearn.report.data import ReportData
from fdnlearn.report.late import coherence_rows, ringing_sentence

if TYPE_CHECKING:
    from fdnlearn.fitting.progress import Progress

#: Channels that get figures of their own; more would make the page heavy.
MAX_CHANNELS = 4
#: Matrices up to this many lines are also given as numbers.
MAX_MATRIX_LINES = 16


@dataclass(frozen=True)
class Stage:
    """Consecutive iterations of one stage of the fit."""

    name: str
    iterations: int
    seconds: float
    best_loss: float


def write_report(path: str | os.PathLike[str], data: ReportData) -> None:
    """Write the page; the file appears whole or not at all.

    Parameters
    ----------
    path : path-like
    data : ReportData

    Raises
    ------
    FdnlearnError
        If the file cannot be written.
    """
    # File names that are not UTF-8 reach us as lone surrogates: "?" in the page rather than no page.
    content = render_report(data).encode("utf-8", errors="replace")
    with replacing(Path(path)) as partial:
        partial.write_bytes(content)


def render_report(data: ReportData) -> str:
    """The page as text; equal data give equal text.

    Parameters
    ----------
    data : ReportData

    Returns
    -------
    str
        HTML, UTF-8 when written. All strings of the data are escaped.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("fdnlearn.report")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "band": format_band,
        "gain_db": _gain_db,
        "jnds": format_jnds,
        "number": format_number,
        "time": format_time,
    }
    template = environment.from_string(folder.joinpath("template.html.j2").read_text("utf-8"))
    css = Markup(folder.joinpath("page.css").read_text("utf-8"))
    return template.render(css=css, **_metrics_view(data), **_figures_view(data), **_facts_view(data))


def _metrics_view(data: ReportData) -> dict[str, Any]:
    broadband = judge(data.metrics)
    octaves = {band: judge(data.metrics, band) for band in octave_bands(data.metrics)}
    everything = [j for judgements in (broadband, *octaves.values()) for j in judgements]
    before = None if data.unsnapped_metrics is None else judge(data.unsnapped_metrics)
    curves = [
        (
            quantity,
            curve_error(data.metrics, quantity),
            None if data.unsnapped_metrics is None else curve_error(data.unsnapped_metrics, quantity),
        )
        for quantity in CURVE_ERRORS
    ]
    coherence_bands, coherence = coherence_rows(data.metrics)
    in_octaves = verdict(j for judgements in octaves.values() for j in judgements)
    return {
        "Grade": Grade,
        "quantities": QUANTITIES,
        "broadband": broadband,
        "before": before,
        "octaves": octaves,
        "curves": curves,
        "chance_rms": ECHO_DENSITY_CHANCE_RMS,
        "verdict": verdict(broadband),
        "octave_verdict": in_octaves,
        "headline": headline(verdict(broadband)),
        "worst_sentence": _worst_sentence(verdict(broadband)),
        "octave_worst": _worst_sentence(in_octaves),
        "reasons": _reasons(everything),
        "octave_spread": _octave_spread(octaves),
        "ringing": ringing_sentence(data.metrics),
        "coherence": coherence,
        "coherence_bands": coherence_bands,
    }


def headline(summary: Verdict) -> str:
    """The finding of the page in one sentence."""
    if summary.counted == 0:
        return "The recording has too little decay range to judge the fit"
    if summary.counted == 1:
        found = f"The only counted broadband quantity is {'' if summary.within else 'not '}within"
    elif summary.within == summary.counted:
        found = f"All {summary.counted} counted broadband quantities are within"
    else:
        are = "is" if summary.within == 1 else "are"
        found = f"{summary.within or 'None'} of {summary.counted} counted broadband quantities {are} within"
    return f"{found} one just-noticeable difference"


def _worst_sentence(summary: Verdict) -> str:
    worst = summary.worst
    if worst is None:
        return ""
    where = f" at {format_band(worst.band_hz)}" if worst.band_hz else ""
    quantity = worst.quantity
    if worst.jnds is None:
        return f"{quantity.symbol}{where} could not be measured in the fit."
    error = format_number(worst.error, quantity.error_decimals, quantity.error_unit)
    return f"Largest difference: {quantity.symbol}{where}, {error} ({format_jnds(worst.jnds)} JND)."


def _reasons(judgements: Sequence[Judgement]) -> list[tuple[str, str]]:
    """Which quantities have nothing to compare, and why, the bands that share a reason together."""
    told: dict[tuple[str, str], list[str]] = {}
    for quantity in QUANTITIES:
        for judgement in judgements:
            if judgement.quantity is quantity and judgement.reason:
                band = format_band(judgement.band_hz) if judgement.band_hz else "broadband"
                told.setdefault((quantity.symbol, judgement.reason), []).append(band)
    return [(f"{symbol}: {', '.join(bands)}", reason) for (symbol, reason), bands in told.items()]


def _octave_spread(octaves: Mapping[str, Sequence[Judgement]]) -> str:
    """How much the room's own reverberation time depends on frequency."""
    times = [
        (band, j.target) for band, js in octaves.items() for j in js if j.quantity.key == "t30" and j.counts
    ]
    known = [(band, time) for band, time in times if time is not None]
    if len(known) < 2:
        return ""
    shortest, longest = min(known, key=lambda item: item[1]), max(known, key=lambda item: item[1])
    return (
        f"The room's T30 ranges from {format_number(shortest[1], 2, 's')} at {format_band(shortest[0])} "
        f"to {format_number(longest[1], 2, 's')} at {format_band(longest[0])}."
    )


def _figures_view(data: ReportData) -> dict[str, Any]:
    from fdnlearn.report.audio import level_matched_clips
    from fdnlearn.report.gallery import channel_figures, loss_figure, network_figures

    channels = min(data.fitted.shape[0], data.target.samples.shape[0])
    clips = level_matched_clips(
        (data.target.samples, data.fitted), data.target.sample_rate_hz, data.target.length_samples
    )
    return {
        "channel_figures": [channel_figures(data, channel) for channel in range(min(channels, MAX_CHANNELS))],
        "channels": channels,
        "clips": list(zip(("Room", "FDN"), clips, strict=True)),
        "clip_channels": min(2, channels),
        "loss_figure": loss_figure(data) if data.history else None,
        "network_figures": network_figures(data),
    }


def _facts_view(data: ReportData) -> dict[str, Any]:
    target, fdn = data.target, data.fdn
    skipped = target.samples.shape[0] - MAX_CHANNELS
    return {
        "target": target,
        "fdn": fdn,
        "times_s": fdn.reverberation_times_s,
        "whole_delays": bool(np.all(fdn.arrays.delays_samples % 1.0 == 0.0)),
        "show_matrix": fdn.lines <= MAX_MATRIX_LINES,
        "max_open_lines": MAX_MATRIX_LINES,
        "skipped_channels": max(0, skipped),
        "warnings": tuple(dict.fromkeys((*target.warnings, *data.warnings))),
        "status": data.metrics.get("status") or "—",
        "seconds": data.metrics.get("seconds"),
        "iterations": data.metrics.get("iterations"),
        "stages": _stages(data.history),
        "settings": _flat(data.settings),
        "provenance": json.dumps(fdn.provenance, indent=2, ensure_ascii=False, default=str),
        "version": data.version,
    }


def _stages(history: Sequence[Progress]) -> list[Stage]:
    stages, began = [], 0.0
    for name, group in groupby(history, key=lambda p: p.stage):
        entries = list(group)
        stages.append(Stage(name, len(entries), entries[-1].seconds - began, entries[-1].best_loss))
        began = entries[-1].seconds
    return stages


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as rows, ``outer.inner`` on the left."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            rows.append((f"{prefix}{key}", "—" if value is None else text))
    return rows


def _gain_db(gain: float) -> str:
    return format_number(20.0 * float(np.log10(abs(gain))), 1, "dB") if gain else "−∞ dB"
