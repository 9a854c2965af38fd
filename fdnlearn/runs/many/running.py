"""Run a batch: find its rooms, skip the finished ones, let an engine fit the others, and sum up."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.registry import ENGINES, load
from fdnlearn.runs.ends import FAILED, FINISHED
from fdnlearn.runs.many.engine import BatchOrder, Engine, Resources
from fdnlearn.runs.many.folder import BatchFolder
from fdnlearn.runs.many.sources import find_rooms
from fdnlearn.runs.many.task import REPEATED, BatchRoom, RoomOutcome
from fdnlearn.runs.pipeline import Job


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch has come.

    Attributes
    ----------
    total : int
        Rooms, those that had been finished before included.
    skipped, fitted, failed : int
        Finished before; finished now; failed now.
    rooms_per_s : float or None
        Recent pace; None before the second room.
    """

    total: int
    skipped: int
    fitted: int
    failed: int
    rooms_per_s: float | None

    @property
    def done(self) -> int:
        """Rooms that need no more work."""
        return self.skipped + self.fitted + self.failed

    @property
    def left_s(self) -> float | None:
        """Time until all are done, at the recent pace."""
        return (self.total - self.done) / self.rooms_per_s if self.rooms_per_s else None


#: Called several times a second; return True to stop once the rooms under way are finished.
BatchCallback = Callable[[BatchProgress], bool]


@dataclass(frozen=True)
class BatchResult:
    """What a batch has come to.

    Attributes
    ----------
    folder : Path
    standing : BatchProgress
        At the end; fewer done than there are if it was stopped.
    seconds : float
        Of this run.
    repeated : int
        Fits that ended after another fit of the same room, whose results were kept; they count as fitted once.
    summary : mapping
        Medians and worst rooms, as `fdnlearn.runs.many.summary.summarise` returns them.
    failures : tuple of RoomOutcome
        The first of this run's failed rooms; `failures.csv` has all.
    """

    folder: Path
    standing: BatchProgress
    seconds: float
    repeated: int
    summary: dict[str, Any]
    failures: tuple[RoomOutcome, ...]

    @property
    def complete(self) -> bool:
        """Whether every room has been tried."""
        return self.standing.done == self.standing.total


def run_batch(
    inputs: Sequence[str],
    folder: str | Path,
    job: Job,
    *,
    engine: str = "local",
    resources: Resources | None = None,
    force: bool = False,
    callback: BatchCallback | None = None,
) -> BatchResult:
    """Fit every recording that `inputs` name, each into a folder of its own, and sum up.

    A finished room is safe at once and is not fitted again by the next run, unless its recording has changed. A room
    that fails costs the others nothing and is tried again by the next run.

    Parameters
    ----------
    inputs : sequence of str
        Files, folders, patterns, CSV or Parquet manifests.
    folder : str or Path
        Made if need be.
    job : Job
    engine : str
        One of `registry.ENGINES`.
    resources : Resources, optional
    force : bool
        Remove what an earlier batch has left in `folder`.
    callback : callable, optional

    Returns
    -------
    BatchResult

    Raises
    ------
    UsageError
        If there is no such engine, nothing is named, or an option is wrong.
    FdnlearnError
        If an input is not there, the folder is in use, holds a batch with other settings or cannot be written, or no
        room at all can be fitted.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}", "unknown engine", f"choose one of {', '.join(ENGINES)}")
    started = time.perf_counter()
    place = BatchFolder(Path(folder))
    rooms = find_rooms(inputs, apart=place.path)
    with place.held():
        place.open(job.settings(), force=force)
        run = _Run(place, job, callback, len(rooms))
        run.fit(
            [room for room in rooms if not run.skip(room)],
            load(ENGINES[engine]),
            resources or Resources(),
        )
        from fdnlearn.runs.many.summary import summarise

        standing = run.standing()
        if not standing.fitted and not standing.skipped and standing.failed == standing.total:
            first = run.failures[0].problem
            raise FdnlearnError(
                str(place.path), f"no room could be fitted (the first: {first})", "see failures.csv"
            )
        summary = summarise(place, rooms, run.failures, job)
    seconds = time.perf_counter() - started
    return BatchResult(place.path, standing, seconds, run.repeated, summary, tuple(run.failures))


#: Rooms over whose ends the pace is measured: the first ones wait for compilers and imports.
_PACE_ROOMS = 64


class _Run:
    """What changes while a batch runs."""

    #: Failures kept in memory, for the overview and the command line.
    SHOWN = 20

    def __init__(self, place: BatchFolder, job: Job, callback: BatchCallback | None, total: int) -> None:
        self._place, self._job, self._callback, self._total = place, job, callback, total
        self._counts = {FINISHED: 0, FAILED: 0, REPEATED: 0}
        self._skipped = 0
        self._ends: deque[float] = deque(maxlen=_PACE_ROOMS)
        self._stopping = False
        self.failures: list[RoomOutcome] = []

    @property
    def repeated(self) -> int:
        return self._counts[REPEATED]

    def skip(self, room: BatchRoom) -> bool:
        """Whether a room is finished; it is then counted."""
        finished = room.fault is None and self._place.finished(room)
        self._skipped += finished
        return finished

    def standing(self) -> BatchProgress:
        rate = None
        if len(self._ends) > 1 and self._ends[-1] > self._ends[0]:
            rate = (len(self._ends) - 1) / (self._ends[-1] - self._ends[0])
        fitted = self._counts[FINISHED] + self._counts[REPEATED]
        return BatchProgress(self._total, self._skipped, fitted, self._counts[FAILED], rate)

    def fit(self, rooms: Sequence[BatchRoom], engine: Engine, resources: Resources) -> None:
        if not rooms:
            return
        with self._place.noting_failures() as log:
            order = BatchOrder(rooms, self._job, self._place.path, resources, lambda: self._stopping)
            coming = engine(order)
            try:
                for outcome in coming:
                    if outcome is not None:
                        self._count(outcome)
                        if outcome.status == FAILED:
                            log.note(outcome)
                    if self._callback is not None and self._callback(self.standing()):
                        self._stopping = True
            finally:
                coming.close()

    def _count(self, outcome: RoomOutcome) -> None:
        if outcome.everybodys is not None:
            raise (UsageError if outcome.usage else FdnlearnError)(*outcome.everybodys)
        self._counts[outcome.status] += 1
        self._ends.append(time.perf_counter())
        if outcome.status == FAILED and len(self.failures) < self.SHOWN:
            self.failures.append(outcome)
