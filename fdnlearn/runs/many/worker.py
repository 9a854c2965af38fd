"""A process that fits one room after the other, and the driver's handle on it."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path

from fdnlearn.base.processes import WorkerProcess, thread_limits
from fdnlearn.runs.many.one import fit_rooms
from fdnlearn.runs.many.task import BatchRoom, RoomOutcome
from fdnlearn.runs.pipeline import Job


def fit_incoming(pipe: Connection, job: Job, folder: Path) -> None:
    """Fit the rooms that come through a pipe until it ends, and send their outcomes back."""
    while True:
        try:
            rooms: tuple[BatchRoom, ...] = pipe.recv()
            pipe.send(fit_rooms(rooms, job, folder))
        except (EOFError, OSError):
            return


class Worker:
    """The driver's handle on one worker process.

    Parameters
    ----------
    job : Job
    folder : Path
    threads : int

    Attributes
    ----------
    rooms : tuple of BatchRoom
        What it is fitting, side by side.
    outcomes : Connection
        Readable when an outcome has come or the process has ended.
    """

    def __init__(self, job: Job, folder: Path, threads: int) -> None:
        self._process = WorkerProcess(
            fit_incoming, job, folder, name="fdnlearn-fit", environment=thread_limits(threads)
        )
        self.outcomes = self._process.pipe
        self.rooms: tuple[BatchRoom, ...] = ()

    def fit(self, rooms: tuple[BatchRoom, ...]) -> bool:
        """Hand over rooms; False if the process has died."""
        self.rooms = rooms
        try:
            self.outcomes.send(rooms)
        except OSError:
            return False
        return True

    def collect(self) -> tuple[RoomOutcome, ...] | None:
        """The outcomes that have come, or None if the process has died instead."""
        try:
            outcomes: tuple[RoomOutcome, ...] = self.outcomes.recv()
        except (EOFError, OSError):
            return None
        self.rooms = ()
        return outcomes

    def end(self) -> None:
        """Kill the process, whatever it is doing."""
        self._process.end()
