"""How much memory fits may take together, and which room may begin."""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.options import AUTO, Banded, Gradient
from fdnlearn.runs.ends import FAILED
from fdnlearn.runs.many.task import BatchRoom, RoomOutcome
from fdnlearn.runs.pipeline import Job

#: A process with its libraries, before it has read anything.
BASE_BYTES = 600e6
#: Lines of a network whose number is left to the room.
_AUTO_LINES = 24
#: Rooms at the head of the queue among which one that fits is looked for.
_LOOK_AHEAD = 64
#: Ratio of the lengths of two recordings that are about as long.
_ALIKE = 1.25
_SAMPLE_BYTES = 8


def fit_bytes(room: BatchRoom, job: Job) -> float:
    """Estimate of the memory that a process takes while it fits a room.

    From the length in the file's header: line outputs and adjoints of a batch of starts in single precision, the
    responses with what the loss keeps of each, and the recording itself. An unreadable file takes nothing more than
    the process: it is refused there.
    """
    from fdnlearn.fitting.stages import plan

    seconds, channels, bytes_read = _header(Path(room.source))
    config = job.config
    outputs = channels if room.job(job).channel == "all" else 1
    # A quarter more than the recording, and the next length that transforms well.
    samples = 1.4 * seconds * config.sample_rate_hz
    lines = config.model.lines if config.model.lines != AUTO else _AUTO_LINES
    # What another method evaluates at a time is about what the gradient fit would have.
    gradient = config if isinstance(config.method, Gradient) else replace(config, method=Gradient())
    rows = max(stage.rows for stage in plan(gradient))
    banded = isinstance(config.model, Banded)
    per_bin = 4 * (2 * lines * (1 + outputs) + (6 * lines if banded else 0))
    per_sample = 4 * 8 * outputs + (4 * 8 * 12 * outputs if banded else 0)
    return BASE_BYTES + rows * samples * (per_bin / 2 + per_sample) + 6 * bytes_read


def size_class(room: BatchRoom) -> tuple[int, int]:
    """Equal for rooms whose recordings are about as long and have as many channels, by their headers."""
    seconds, channels, _ = _header(Path(room.source))
    return round(math.log(max(seconds, 1e-3)) / math.log(_ALIKE)), channels


@functools.lru_cache(maxsize=4 * _LOOK_AHEAD)
def _header(path: Path) -> tuple[float, int, float]:
    """Seconds, channels and bytes of samples, without reading any."""
    from fdnlearn.rir.audio_file import AudioFile
    from fdnlearn.rir.limits import check_file

    try:
        check_file(path)
        if path.suffix.lower() == ".sofa":
            import netCDF4

            with netCDF4.Dataset(str(path)) as file:
                by_emitter = "E" if "E" in file.variables["Data.IR"].dimensions else ""
                sizes = {name: int(file.dimensions[name].size) for name in "MRN" + by_emitter}
                rate = float(file.variables["Data.SamplingRate"][:].ravel()[0])
            return (
                sizes["N"] / rate,
                sizes["R"] * sizes.get("E", 1),
                float(_SAMPLE_BYTES * math.prod(sizes.values())),
            )
        with AudioFile(path, math.inf, math.inf) as file:
            seconds, bytes_read = (
                file.frames / file.sample_rate_hz,
                _SAMPLE_BYTES * file.frames * file.channels,
            )
            return seconds, file.channels, float(bytes_read)
    except (FdnlearnError, OSError, RuntimeError, KeyError, IndexError):
        return 0.0, 1, 0.0


class Allowance:
    """Admits rooms while their fits together stay within a limit.

    Parameters
    ----------
    job : Job
    limit_bytes : float or None
        None admits everything.
    workers : int
        Processes that are wanted; each keeps its libraries in memory even while it waits.

    Attributes
    ----------
    workers : int
        Processes that the limit leaves.

    Raises
    ------
    UsageError
        If the limit does not even hold one process.
    """

    def __init__(self, job: Job, limit_bytes: float | None, workers: int) -> None:
        self._job, self._limit = job, limit_bytes
        self._held: dict[str, float] = {}
        self.workers = workers
        if limit_bytes is None:
            return
        if limit_bytes < BASE_BYTES:
            raise UsageError(
                f"--max-memory {limit_bytes / 1e9:g}",
                f"one fit needs {BASE_BYTES / 1e9:.2g} GB",
                "allow more",
            )
        self.workers = min(workers, int(limit_bytes / BASE_BYTES))
        self._free = limit_bytes - self.workers * BASE_BYTES

    def take(
        self, queue: deque[BatchRoom], wanted_ones: Callable[[BatchRoom], bool] = lambda _: True
    ) -> BatchRoom | RoomOutcome | None:
        """Take a wanted room out of the queue that may begin now, or a refused one; None if all have to wait."""
        taken = sum(self._held.values())
        for index in range(min(len(queue), _LOOK_AHEAD)):
            room = queue[index]
            if not wanted_ones(room):
                continue
            if self._limit is None:
                del queue[index]
                return room
            wanted = fit_bytes(room, self._job) - BASE_BYTES
            if wanted <= self._free - taken:
                del queue[index]
                self._held[room.name] = wanted
                return room
            if wanted > self._free:
                del queue[index]
                return self._refusal(room, wanted)
        return None

    def release(self, room: BatchRoom) -> None:
        """The fit of a room is over."""
        self._held.pop(room.name, None)

    def _refusal(self, room: BatchRoom, wanted: float) -> RoomOutcome:
        told = (
            f"needs about {(wanted + self.workers * BASE_BYTES) / 1e9:.2g} GB with {self.workers} worker(s)"
        )
        return RoomOutcome(room, FAILED, f"{room.source}: {told}; raise --max-memory or give fewer --workers")
