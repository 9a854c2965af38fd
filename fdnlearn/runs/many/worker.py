"""A process that fits one room after the other, and the driver's handle on it."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from fdnlearn.runs.many.one import fit_rooms, thread_limits
from fdnlearn.runs.many.task import BatchRoom, RoomOutcome
from fdnlearn.runs.pipeline import Job


def serve(orders: Connection, lifeline: Connection, job: Job, folder: Path) -> None:
    """Fit what `orders` brings until it ends; the other end of `lifeline` closes when the driver dies."""
    # Ctrl-C reaches the whole group; what is under way is the driver's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_driver, args=(lifeline,), daemon=True).start()
    warnings.simplefilter("ignore")  # what a user should know is in metrics.json
    while True:
        try:
            rooms: tuple[BatchRoom, ...] = orders.recv()
            orders.send(fit_rooms(rooms, job, folder))
        except (EOFError, OSError):
            return


def _die_with_driver(lifeline: Connection) -> None:
    """Wait for the end of the driver: a fit that nobody waits for must not go on beside the next driver's."""
    with suppress(OSError, EOFError):
        lifeline.recv_bytes()
    os._exit(1)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for processes that start meanwhile: in those it is too late, they load libraries to begin."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
        # A fork of a process with OpenMP threads hangs.
        context = get_context("spawn")
        self.outcomes, theirs = context.Pipe()
        their_line, self._lifeline = context.Pipe(duplex=False)
        self._process = context.Process(
            target=serve, args=(theirs, their_line, job, folder), name="fdnlearn-fit", daemon=True
        )
        with _environment(thread_limits(threads)):
            self._process.start()
        theirs.close()
        their_line.close()
        self.rooms: tuple[BatchRoom, ...] = ()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid or 0

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
        self._process.kill()
        self._process.join()
        self._process.close()
        self.outcomes.close()
        self._lifeline.close()
