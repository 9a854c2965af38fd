"""Who fits the rooms of a batch: every engine takes rooms and gives outcomes, in whatever order they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fdnlearn.runs.ends import FAILED
from fdnlearn.runs.many.task import BatchRoom, RoomOutcome
from fdnlearn.runs.pipeline import Job

#: Times that a room is begun whose process is killed under it, before it counts as failed.
ATTEMPTS = 3
#: Longest silence of an engine.
BEAT_S = 0.2

Outcomes = Generator[RoomOutcome | None, None, None]


@dataclass(frozen=True)
class Resources:
    """What an engine may use.

    Attributes
    ----------
    workers : int or None
        Fits at a time; None for one a core.
    threads : int
        Of the kernels of each fit.
    max_memory_bytes : float or None
        Of all fits together.
    address : str or None
        Of a cluster; None for this machine.
    gpus : float
        Share of a GPU that a fit takes, of an engine that distributes them.
    together : int or None
        Rooms that one process fits side by side; None for as many as its device is good for.
    """

    workers: int | None = None
    threads: int = 1
    max_memory_bytes: float | None = None
    address: str | None = None
    gpus: float = 0.0
    together: int | None = None


@dataclass(frozen=True)
class BatchOrder:
    """What an engine is to do.

    Attributes
    ----------
    rooms : sequence of BatchRoom
    job : Job
    folder : Path
        Of the batch.
    resources : Resources
    stopping : callable
        Once it returns True no room is begun; those under way are finished.
    """

    rooms: Sequence[BatchRoom]
    job: Job
    folder: Path
    resources: Resources
    stopping: Callable[[], bool]


class Engine(Protocol):
    """Fits rooms, several at a time.

    An engine is a module that offers ``outcomes`` with this signature, named in `registry.ENGINES`.
    """

    def __call__(self, order: BatchOrder) -> Outcomes:
        """Yield the outcome of every room, and None several times a second (`BEAT_S`).

        A caller that closes the generator ends the fits that are under way.
        """


def lost(room: BatchRoom) -> RoomOutcome:
    """The outcome of a room whose process has been killed each time."""
    problem = (
        f"its process was killed {ATTEMPTS} times (out of memory?); give a --max-memory or fewer --workers"
    )
    return RoomOutcome(room, FAILED, f"{room.source}: {problem}")
