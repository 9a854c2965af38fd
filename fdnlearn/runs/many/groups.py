"""Which rooms a process fits side by side: as many as its device is good for, of about one length."""

from __future__ import annotations

from collections import deque
from collections.abc import Container

from fdnlearn.registry import METHODS
from fdnlearn.runs.many.engine import Resources
from fdnlearn.runs.many.memory import Allowance, size_class
from fdnlearn.runs.many.task import BatchRoom, RoomOutcome
from fdnlearn.runs.pipeline import Job

#: Rooms that fill a GPU's launches.
_ON_A_GPU = 32


def rooms_together(job: Job, resources: Resources, *, gpu: bool) -> int:
    """As many as were asked for; else one on a CPU, whose cores are kept busy by other processes."""
    if resources.together is not None:
        return resources.together
    return _ON_A_GPU if METHODS[job.config.method.name].side_by_side and gpu else 1


def with_company(
    room: BatchRoom, most: int, queue: deque[BatchRoom], allowance: Allowance, alone: Container[str]
) -> tuple[BatchRoom, ...]:
    """A room and others out of the queue that are about as long, up to `most` together; none that is to go `alone`."""
    found = [room]
    if room.name in alone:
        return (room,)
    while len(found) < most:
        coming = allowance.take(queue, lambda r: r.name not in alone and size_class(r) == size_class(room))
        if isinstance(coming, RoomOutcome):  # too large, even alone: its turn will come
            queue.append(coming.room)
            break
        if coming is None:
            break
        found.append(coming)
    return tuple(found)
