"""A whole comparison, from recordings to a folder of findings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.runs.study.cells import REPORT, SUMMARY, CellFolder
from fdnlearn.runs.study.plan import Plan
from fdnlearn.runs.study.progress import StudyCallback


@dataclass(frozen=True)
class StudyResult:
    """What a comparison has found.

    Attributes
    ----------
    folder : Path
        Holds ``cells/``, `summary.json` and, if no cell is pending, `report.html`.
    summary : mapping
        As in `summary.json`; see `summary.summarise`.
    """

    folder: Path
    summary: Mapping[str, Any]

    @property
    def complete(self) -> bool:
        """Whether every cell has been tried."""
        return not self.summary["cells"]["pending"]


def compare_methods(
    plan: Plan,
    folder: str | Path,
    *,
    resume: bool = False,
    force: bool = False,
    callback: StudyCallback | None = None,
) -> StudyResult:
    """Fit every room by every method with every seed, and say what can be said about the methods.

    Every finished fit is safe at once: a run that is stopped or killed loses only the one under way.

    Parameters
    ----------
    plan : Plan
    folder : str or Path
        Made if need be.
    resume : bool
        Keep the finished cells that `folder` holds. The plan may have grown by rooms, methods or seeds.
    force : bool
        Remove the cells that `folder` holds.
    callback : callable, optional
        Receives a `StudyProgress`; returns True to stop.

    Returns
    -------
    StudyResult

    Raises
    ------
    UsageError
        If the plan asks for what is not there, or both `resume` and `force` are given.
    FdnlearnError
        If no recording can be used, no fit succeeds, or the folder already holds a comparison, one with other
        settings, is in use by another, or cannot be written.
    """
    if resume and force:
        raise UsageError("--resume and --force", "contradict each other", "choose one of them")
    cells = CellFolder(Path(folder))
    cells.admit(resume=resume, force=force)

    # What takes seconds to import comes after everything that can refuse in milliseconds.
    from fdnlearn.runs.study.page import listening_rooms, render_page
    from fdnlearn.runs.study.rooms import load_rooms
    from fdnlearn.runs.study.runner import run_cells
    from fdnlearn.runs.study.summary import summarise

    rooms = load_rooms(plan.recordings, plan.sample_rate_hz)
    with cells.held(resume=resume, force=force):
        run = run_cells(plan, rooms, cells, callback, clear=force)
        summary = summarise(run)
        cells.publish(SUMMARY, json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        done = StudyResult(cells.path, summary)
        if done.complete and not summary["cells"]["finished"]:
            reason = run.cells[0].body["reason"]
            raise FdnlearnError(
                str(cells.path), f"no fit has succeeded (the first: {reason})", "see its cells"
            )
        if done.complete:
            cells.publish(REPORT, render_page(summary, listening_rooms(run)))
    return done
