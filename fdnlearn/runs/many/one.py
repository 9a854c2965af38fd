"""Fit rooms of a batch, in whatever process: what fails comes back as a line, never as an exception."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.runs.ends import FAILED, FINISHED
from fdnlearn.runs.many.folder import BatchFolder
from fdnlearn.runs.many.task import REPEATED, BatchRoom, RoomOutcome
from fdnlearn.runs.pipeline import Job

if TYPE_CHECKING:
    from fdnlearn.fitting import Solution
    from fdnlearn.rir import Recording
    from fdnlearn.rir.target import Target

#: What a disk says when it says no to everybody.
_EVERYBODYS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


def fit_room(room: BatchRoom, job: Job, folder: Path) -> RoomOutcome:
    """Fit one room and publish its results, unless they are there already."""
    place = BatchFolder(folder)

    def fit() -> bool:
        return _publish(room, job, place, job.solve(target_of(room, job)))

    return _done_already(room, place) or _outcome(room, fit)


def fit_rooms(rooms: Sequence[BatchRoom], job: Job, folder: Path) -> tuple[RoomOutcome, ...]:
    """Fit rooms side by side, as far as that goes, and publish the results of each.

    A group that fails as a whole is tried in halves: one of them may fit into memory, or be rid of what was wrong.
    """
    if len(rooms) < 2:
        return tuple(fit_room(room, job, folder) for room in rooms)
    from fdnlearn.fitting import solve_many

    place = BatchFolder(folder)
    outcomes: dict[BatchRoom, RoomOutcome] = {}
    targets: dict[BatchRoom, Target] = {}

    def prepare(room: BatchRoom) -> bool:
        targets[room] = target_of(room, job)
        return True

    for room in rooms:
        outcome = _done_already(room, place) or _outcome(room, functools.partial(prepare, room))
        if room not in targets:
            outcomes[room] = outcome
    try:
        results = solve_many(list(targets.values()), job.config)
    except Exception:
        results = None
    if results is None:
        left = [room for room in rooms if room not in outcomes]
        middle = len(left) // 2
        for half in (left[:middle], left[middle:]):
            outcomes |= dict(zip(half, fit_rooms(half, job, folder), strict=True))
        return tuple(outcomes[room] for room in rooms)

    def finish(room: BatchRoom, result: Solution | FdnlearnError) -> bool:
        if isinstance(result, FdnlearnError):
            raise result
        return _publish(room, job, place, result)

    for room, result in zip(targets, results, strict=True):
        outcomes[room] = _outcome(room, functools.partial(finish, room, result))
    return tuple(outcomes[room] for room in rooms)


def _done_already(room: BatchRoom, place: BatchFolder) -> RoomOutcome | None:
    """The outcome of a room that needs no fit, or cannot have one."""
    if room.fault is not None:
        return RoomOutcome(room, FAILED, room.fault)
    return RoomOutcome(room, FINISHED) if place.finished(room) else None


def _outcome(room: BatchRoom, work: Callable[[], bool]) -> RoomOutcome:
    """What comes of `work` on a room, which returns False if another fit of the room had come first."""
    try:
        return RoomOutcome(room, FINISHED if work() else REPEATED)
    except FdnlearnError as error:
        cause = error.__cause__
        refused = isinstance(cause, OSError) and cause.errno in _EVERYBODYS
        # What is wrong with an option is wrong for every room.
        usage = isinstance(error, UsageError) and error.subject.startswith("--")
        shared = (error.subject, error.problem, error.remedy) if refused or usage else None
        return RoomOutcome(room, FAILED, str(error), everybodys=shared, usage=usage)
    except MemoryError:
        return RoomOutcome(
            room, FAILED, f"{room.source}: not enough memory; give fewer --workers or a --max-memory"
        )
    # One fit that goes wrong, in whatever way, must not cost the others.
    except Exception as error:
        return RoomOutcome(room, FAILED, f"{room.source}: {type(error).__name__}: {error}; report it")


def _publish(room: BatchRoom, job: Job, place: BatchFolder, solution: Solution) -> bool:
    """The rest of the way; False if another fit of the room had come first."""
    evaluation = room.job(job).evaluate(solution)
    return place.publish(room, lambda folder: job.write(evaluation, folder))


def target_of(room: BatchRoom, job: Job) -> Target:
    """Read and prepare a room.

    Raises
    ------
    FdnlearnError
        If its recording cannot be read or used.
    """
    path = Path(room.source)
    recording = _read(path, room.measurement is not None)
    subject = room.source
    if room.measurement is not None:
        recording = _measurement(recording, room)
        subject = f"{room.source}, measurement {room.measurement}"
    return room.job(job).prepare(recording, subject=subject)


def _read(path: Path, keep: bool) -> Recording:
    """A recording; of a file with many measurements the last one read is kept, for the next room is in it too."""
    from fdnlearn.rir import read_recording

    if not keep:
        return read_recording(path)
    try:
        version = path.stat().st_mtime_ns
    except (OSError, ValueError):  # reading it will say why
        version = 0
    return _last_read(path, version)


@functools.lru_cache(maxsize=1)
def _last_read(path: Path, version: int) -> Recording:
    from fdnlearn.rir import read_recording

    return read_recording(path)


def _measurement(recording: Recording, room: BatchRoom) -> Recording:
    import dataclasses

    from fdnlearn.runs.many.sources import measurements_in

    count = measurements_in(Path(room.source))
    if room.measurement is None or room.measurement >= count:
        raise FdnlearnError(
            room.source, f"has no measurement {room.measurement}", f"they are numbered from 0 to {count - 1}"
        )
    samples = recording.samples.reshape(count, -1, recording.samples.shape[-1])[room.measurement]
    return dataclasses.replace(recording, samples=samples)
