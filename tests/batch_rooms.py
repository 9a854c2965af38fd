"""Small rooms for batches, the briefest of fits, and an engine that fits them in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from command_line import decay, record

from fdnlearn.batch import Job, Room
from fdnlearn.batch.engine import Outcomes, Resources
from fdnlearn.batch.one import fit_room
from fdnlearn.fitting import FitConfig

#: A fit of a tenth of a second.
TINY = Job(FitConfig(lines=2, iterations=2, restarts=1, sample_rate_hz=8000))
#: The same on the command line.
TINY_OPTIONS = ("--lines", 2, "--iterations", 2, "--restarts", 1, "--sample-rate", 8000)


def make_rooms(folder: Path, count: int, seconds: float = 0.3) -> Path:
    """Rooms ``r000.wav`` and so on, each its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        record(folder / f"r{number:03d}.wav", decay(seconds, rate=8000, seed=number), rate=8000)
    return folder


def outcomes(
    rooms: Sequence[Room], job: Job, folder: Path, resources: Resources, stopping: Callable[[], bool]
) -> Outcomes:
    """An engine without processes."""
    for room in rooms:
        if stopping():
            return
        yield fit_room(room, job, folder)
        yield None
