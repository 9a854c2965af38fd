"""One self-contained HTML page about one fit: no script, no address, nothing fetched from anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fdnlearn.acoustics.grading import Grade, curve_error, finding, judge, verdict
from fdnlearn.acoustics.quantities import CURVE_ERRORS, ECHO_DENSITY_CHANCE_RMS, JND_TABLE
from fdnlearn.base.replacing import replacing
from fdnlearn.report.data import ReportData
from fdnlearn.report.html import render_template
from fdnlearn.report.late import coherence_rows, ringing_sentence
from fdnlearn.report.sentences import colour_sentence, headline, octave_spread, reasons, worst_sentence
from fdnlearn.rir.folding import folding_sentence

if TYPE_CHECKING:
    from fdnlearn.fitting.progress import Progress
    from fdnlearn.rir.metrics_document import Metrics

#: Channels that get figures of their own; more would make the page heavy.
MAX_CHANNELS = 4
#: Matrices up to this many lines are also given as numbers.
MAX_MATRIX_LINES = 16


@dataclass(frozen=True)
class StageRow:
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
    return render_template(
        "fdnlearn.report:template.html.j2",
        **_metrics_view(data.metrics),
        **_figures_view(data),
        **_facts_view(data),
    )


def _metrics_view(metrics: Metrics) -> dict[str, Any]:
    broadband = judge(metrics)
    octaves = {hz: judge(metrics, hz) for hz in metrics.octaves_hz}
    in_octaves = tuple(judgement for judgements in octaves.values() for judgement in judgements)
    earlier = metrics.before_snapping
    curves = [
        (
            quantity,
            curve_error(metrics, quantity),
            None if earlier is None else curve_error(earlier, quantity),
        )
        for quantity in CURVE_ERRORS
    ]
    found = finding(metrics)
    coherence_bands, coherence = coherence_rows(metrics)
    return {
        "Grade": Grade,
        "quantities": JND_TABLE,
        "broadband": broadband,
        "before": None if earlier is None else judge(earlier),
        "octaves": octaves,
        "curves": curves,
        "chance_rms": ECHO_DENSITY_CHANCE_RMS,
        "verdict": verdict(broadband),
        "octave_verdict": verdict(in_octaves),
        "headline": headline(found),
        "worst_sentence": worst_sentence(found.summary),
        "colour_sentence": colour_sentence(metrics),
        "leading": found.summary,
        "octave_worst": worst_sentence(verdict(in_octaves)),
        "reasons": reasons((*broadband, *in_octaves)),
        "octave_spread": octave_spread(in_octaves),
        "ringing": ringing_sentence(metrics),
        "coherence": coherence,
        "coherence_bands": coherence_bands,
    }


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
        "direct_sentence": "" if fdn.head else folding_sentence(target),
        "times_s": fdn.reverberation_times_s,
        "whole_delays": bool(np.all(fdn.arrays.delays_samples % 1.0 == 0.0)),
        "show_matrix": fdn.lines <= MAX_MATRIX_LINES,
        "max_open_lines": MAX_MATRIX_LINES,
        "skipped_channels": max(0, skipped),
        "metrics": data.metrics,
        "warnings": tuple(dict.fromkeys((*target.warnings, *data.metrics.warnings))),
        "stages": _stages(data.history),
        "settings": _flat(data.metrics.settings),
        "provenance": json.dumps(fdn.provenance, indent=2, ensure_ascii=False, default=str),
    }


def _stages(history: Sequence[Progress]) -> list[StageRow]:
    stages, began = [], 0.0
    for name, group in groupby(history, key=lambda p: p.stage):
        entries = list(group)
        stages.append(StageRow(name, len(entries), entries[-1].seconds - began, entries[-1].best_loss))
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
