"""The engine of one machine: spawned worker processes, each replaced when it is killed."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path

from fdnlearn.batch.engine import ATTEMPTS, Outcomes, Resources, lost
from fdnlearn.batch.memory import Allowance
from fdnlearn.batch.task import Job, Outcome, Room
from fdnlearn.batch.worker import Worker
from fdnlearn.errors import FdnlearnError

#: Longest silence of the generator.
_BEAT_S = 0.2
#: Rooms in a row that may be lost to killed processes: then something is wrong with all of them.
_LOST_IN_A_ROW = 5


def outcomes(
    rooms: Sequence[Room],
    job: Job,
    folder: Path,
    resources: Resources,
    stopping: Callable[[], bool],
) -> Outcomes:
    """Fit rooms in worker processes; see `fdnlearn.batch.engine.Engine`.

    Raises
    ------
    FdnlearnError
        If no worker process can be kept alive.
    """
    wanted = max(1, min(resources.workers or cores(), len(rooms)))
    allowance = Allowance(job, resources.max_memory_bytes, wanted)
    pool = _Pool(lambda: Worker(job, folder, resources.threads))
    queue = deque(rooms)
    begun: Counter[str] = Counter()
    lost_in_a_row = 0
    try:
        while (queue and not stopping()) or pool.count_busy():
            while pool.count_busy() < allowance.workers and not stopping():
                coming = allowance.take(queue)
                if coming is None:
                    break
                if isinstance(coming, Outcome):
                    yield coming
                    continue
                pool.give(coming)
                begun[coming.name] += 1
            for room, outcome in pool.collect():
                allowance.release(room)
                if outcome is not None:
                    del begun[room.name]
                    lost_in_a_row = 0
                    yield outcome
                elif begun[room.name] < ATTEMPTS:
                    queue.appendleft(room)
                else:
                    yield lost(room)
                    lost_in_a_row += 1
            if lost_in_a_row >= _LOST_IN_A_ROW:
                raise FdnlearnError(
                    "worker processes",
                    f"were killed under {lost_in_a_row} rooms in a row",
                    "look at the machine's memory",
                )
            yield None
    finally:
        pool.end()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Pool:
    """Workers, made when there is something for them to do."""

    def __init__(self, make: Callable[[], Worker]) -> None:
        self._make = make
        self._workers: list[Worker] = []
        self._stillborn = 0

    def count_busy(self) -> int:
        """Workers that are fitting."""
        return sum(worker.room is not None for worker in self._workers)

    def give(self, room: Room) -> None:
        """Let a free worker fit `room`; one that has died meanwhile is replaced."""
        for worker in [w for w in self._workers if w.room is None]:
            if worker.fit(room):
                return
            self._drop(worker)
        self._workers.append(worker := self._make())
        worker.fit(room)  # had it died already, `collect` will find out

    def collect(self) -> Iterator[tuple[Room, Outcome | None]]:
        """Outcomes that have come within a beat; None for a room whose worker was killed."""
        by_connection = {w.outcomes: w for w in self._workers if w.room is not None}
        for connection in wait(list(by_connection), timeout=_BEAT_S):
            worker = by_connection[connection]  # type: ignore[index]
            room = worker.room
            assert room is not None
            outcome = worker.collect()
            if outcome is None:
                self._drop(worker)
            yield room, outcome

    def _drop(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.end()

    def end(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []
