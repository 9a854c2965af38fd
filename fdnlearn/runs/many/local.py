"""The engine of one machine: spawned worker processes, each replaced when it is killed."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from pathlib import Path

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.processes import cores
from fdnlearn.runs.many.engine import ATTEMPTS, BEAT_S, BatchOrder, Outcomes, lost
from fdnlearn.runs.many.groups import rooms_together, with_company
from fdnlearn.runs.many.memory import Allowance
from fdnlearn.runs.many.task import BatchRoom, RoomOutcome
from fdnlearn.runs.many.worker import Worker
from fdnlearn.runs.pipeline import Job

#: Rooms in a row that may be lost to killed processes: then something is wrong with all of them.
_LOST_IN_A_ROW = 5
#: Processes on a GPU unless told otherwise: while one measures and writes, others fit. Each holds a group in memory.
_SHARE_A_GPU = 4
#: What a GPU's driver puts there.
_GPU = Path("/dev/nvidiactl")


def outcomes(order: BatchOrder) -> Outcomes:
    """Fit rooms in worker processes; see `fdnlearn.runs.many.engine.Engine`.

    Raises
    ------
    FdnlearnError
        If no worker process can be kept alive.
    """
    job, resources, stopping = order.job, order.resources, order.stopping
    queue = deque(order.rooms)
    gpu = _gpu_in_sight(job)
    together = rooms_together(job, resources, gpu=gpu)
    usual = min(cores(), _SHARE_A_GPU) if gpu else cores()
    workers = max(1, min(resources.workers or usual, math.ceil(len(queue) / together)))
    allowance = Allowance(job, resources.max_memory_bytes, workers)
    pool = _Pool(lambda: Worker(job, order.folder, resources.threads))
    begun: Counter[str] = Counter()
    lost_in_a_row = 0
    try:
        while (queue and not stopping()) or pool.count_busy():
            while pool.count_busy() < allowance.workers and not stopping():
                coming = allowance.take(queue)
                if coming is None:
                    break
                if isinstance(coming, RoomOutcome):
                    yield coming
                    continue
                # What was under a process that was killed goes alone: one room may be to blame for all.
                group = with_company(coming, together, queue, allowance, begun)
                pool.give(group)
                begun.update(room.name for room in group)
            for group, outcomes_of in pool.collect():
                for room in group:
                    allowance.release(room)
                if outcomes_of is not None:
                    lost_in_a_row = 0
                    for outcome in outcomes_of:
                        del begun[outcome.room.name]
                        yield outcome
                    continue
                for room in reversed(group):
                    if begun[room.name] < ATTEMPTS:
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


def _gpu_in_sight(job: Job) -> bool:
    """Whether fits are likely to run on a GPU, without loading what would know for certain."""
    return job.config.device == "cuda" or (job.config.device == "auto" and _GPU.exists())


class _Pool:
    """Workers, made when there is something for them to do."""

    def __init__(self, make: Callable[[], Worker]) -> None:
        self._make = make
        self._workers: list[Worker] = []
        self._stillborn = 0

    def count_busy(self) -> int:
        """Workers that are fitting."""
        return sum(bool(worker.rooms) for worker in self._workers)

    def give(self, rooms: tuple[BatchRoom, ...]) -> None:
        """Let a free worker fit `rooms`; one that has died meanwhile is replaced."""
        for worker in [w for w in self._workers if not w.rooms]:
            if worker.fit(rooms):
                return
            self._drop(worker)
        self._workers.append(worker := self._make())
        worker.fit(rooms)  # had it died already, `collect` will find out

    def collect(self) -> Iterator[tuple[tuple[BatchRoom, ...], tuple[RoomOutcome, ...] | None]]:
        """Outcomes that have come within a beat; None for rooms whose worker was killed."""
        by_connection = {w.outcomes: w for w in self._workers if w.rooms}
        for connection in wait(list(by_connection), timeout=BEAT_S):
            worker = by_connection[connection]  # type: ignore[index]
            rooms = worker.rooms
            outcomes = worker.collect()
            if outcomes is None:
                self._drop(worker)
            yield rooms, outcomes

    def _drop(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.end()

    def end(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []
