"""One self-contained HTML page about a comparison: no script, no address, nothing fetched from anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fdnlearn.report.html import FigureView, figure_view, render_template
from fdnlearn.runs.study.pairs import FEWEST_ROOMS
from fdnlearn.runs.study.quantities import COMPARED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fdnlearn.report.audio import Clip
    from fdnlearn.runs.study.runner import StudyRun

#: Rooms that can be listened to; more would make the page heavy.
LISTENING_ROOMS = 3


@dataclass(frozen=True)
class Listening:
    """One room to listen to: the recording, then each method that has fitted it."""

    room: str
    clips: tuple[tuple[str, Clip], ...]


def render_page(summary: Mapping[str, Any], listening: Sequence[Listening]) -> str:
    """The page as text; equal data give equal text.

    Parameters
    ----------
    summary : mapping
        As `summary.summarise` returns it.
    listening : sequence of Listening

    Returns
    -------
    str
        HTML; see `fdnlearn.report.page.render_report`.
    """
    return render_template(
        "fdnlearn.runs.study:template.html.j2",
        summary=summary,
        compared=COMPARED,
        figures=_figures(summary),
        listening=listening,
        sentence=verdict_sentence,
        few_rooms=len(summary["rooms"]) < FEWEST_ROOMS,
        fewest=FEWEST_ROOMS,
    )


def listening_rooms(run: StudyRun) -> tuple[Listening, ...]:
    """Audio of a few rooms between the driest and the most reverberant, first seed of every method."""
    import numpy as np

    from fdnlearn.fdn import loads_fdn
    from fdnlearn.render import impulse_response
    from fdnlearn.report.audio import level_matched_clips
    from fdnlearn.runs.outputs import on_target_scale

    cells = {(cell.place.room, cell.place.method): cell for cell in reversed(run.cells) if cell.finished}
    rooms = [r for r in run.rooms if r.target is not None and any(room == r.key for room, _ in cells)]
    rooms.sort(key=lambda r: (r.target.reverberation_time_s if r.target else 0.0, r.key))
    spread = np.linspace(0, max(len(rooms) - 1, 0), LISTENING_ROOMS)
    chosen = sorted({round(index) for index in spread.tolist()}) if rooms else []
    listening = []
    for room in (rooms[index] for index in chosen):
        assert room.target is not None
        names, responses = ["Room"], [room.target.samples]
        for method in run.plan.methods:
            if (room.key, method.spec) in cells:
                fdn = loads_fdn(json.dumps(cells[room.key, method.spec].body["fdn"]))
                names.append(method.spec)
                response = np.asarray(impulse_response(fdn), dtype=np.float64)
                responses.append(on_target_scale(room.target, response))
        clips = level_matched_clips(responses, room.target.sample_rate_hz, room.target.length_samples)
        listening.append(Listening(room.name, tuple(zip(names, clips, strict=True))))
    return tuple(listening)


def verdict_sentence(pair: Mapping[str, Any]) -> str:
    """What a comparison of two methods has found."""
    method, rival, judged = pair["method"], pair["rival"], pair["judged"]
    if not judged:
        return f"There is nothing to hold {method} and {rival} against each other in."
    quantities = pair["quantities"]
    worse = [c.quantity.symbol for c in COMPARED if c.judged and quantities[c.key]["worse_median"]]
    rooms = max(row["rooms"] for row in quantities.values())
    sentence = f"{method} against {rival} in {rooms} room{'s' if rooms > 1 else ''}: significantly better on "
    sentence += f"{pair['better_on']} of {judged} quantities"
    sentence += f", significantly worse on {pair['worse_on']}" if pair["worse_on"] else ""
    if worse:
        return f"{sentence}; its median is worse by more than a quarter of a JND in {', '.join(worse)}."
    return f"{sentence}; no median is worse by more than a quarter of a JND."


def _figures(summary: Mapping[str, Any]) -> list[FigureView]:
    from fdnlearn.runs.study import figures

    drawn: list[tuple[str, Figure | None, str, str]] = [
        (
            "seconds",
            figures.convergence(summary, "seconds"),
            "Loss against time",
            "Best loss so far, median of all fits. Where delays are rounded it rises before the rest has adapted.",
        ),
        (
            "errors",
            figures.errors(summary) if summary["rooms"] else None,
            "Errors by room",
            "A dot is a room, seeds averaged, a large mark the median; the dotted line is one just-noticeable "
            "difference (EDC rms: 1 dB; EDP rms: the distance of two noises). Misses lie at the edge.",
        ),
        (
            "evaluations",
            figures.convergence(summary, "evaluations"),
            "Loss against evaluations",
            "Best loss so far by the number of networks evaluated; one with its gradient counts as one. "
            "Methods with a loss of their own are not shown.",
        ),
    ]
    return [
        figure_view(figure, name, title, caption, tall=name == "errors")
        for name, figure, title, caption in drawn
        if figure is not None
    ]
