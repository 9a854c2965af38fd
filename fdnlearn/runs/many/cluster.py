"""The engine of many machines: a Ray task a room, or a few of them, on a cluster that shares the results' folder.

Ray brings its own retries: a task whose process or node dies is run again elsewhere. What makes that safe is that a
room is published in one step and a task first looks whether it has been.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.base.processes import thread_limits
from fdnlearn.runs.ends import FAILED
from fdnlearn.runs.many.engine import ATTEMPTS, BEAT_S, BatchOrder, Outcomes, Resources, lost
from fdnlearn.runs.many.groups import rooms_together, with_company
from fdnlearn.runs.many.memory import BASE_BYTES, Allowance, fit_bytes
from fdnlearn.runs.many.one import fit_rooms
from fdnlearn.runs.many.task import BatchRoom, RoomOutcome
from fdnlearn.runs.pipeline import Job

#: Tasks handed to the cluster ahead of those that run, so that no core waits for the driver; more would only lie in its
#: memory.
_AHEAD = 2
_CONNECT_S = 5.0
_REMEDY = "start one with ray start --head, or leave --address away"


def outcomes(order: BatchOrder) -> Outcomes:
    """Fit rooms as tasks of a Ray cluster; see `fdnlearn.runs.many.engine.Engine`.

    Raises
    ------
    UsageError
        If Ray is not installed.
    FdnlearnError
        If the cluster cannot be reached, or has too little of what a fit is to take.
    """
    job, resources, stopping = order.job, order.resources, order.stopping
    ray = _library()
    with _nothing_on_stdout(), _connected(ray, resources):
        task = ray.remote(max_retries=ATTEMPTS, num_cpus=resources.threads, num_gpus=resources.gpus)(_fit)
        _check_capacity(ray, resources)
        shared = ray.put(pickle.dumps(job))
        queue = deque(order.rooms)
        together = rooms_together(job, resources, gpu=resources.gpus > 0)
        everything = Allowance(job, None, 1)  # Ray itself looks after memory
        alone: set[str] = set()
        pending: dict[Any, tuple[BatchRoom, ...]] = {}
        while (queue and not stopping()) or pending:
            most = resources.workers or _AHEAD * max(1, int(_slots(ray, resources)))
            while queue and not stopping() and len(pending) < most:
                group = with_company(queue.popleft(), together, queue, everything, alone)
                memory = _memory(group, job, resources)
                handle = task.options(**memory).remote(
                    group, shared, str(order.folder.resolve()), resources.threads
                )
                pending[handle] = group
            # What is waited for must be few: Ray looks at each of them every time.
            ready, _ = ray.wait(list(pending), num_returns=1, timeout=BEAT_S)
            for handle in ready:
                group = pending.pop(handle)
                outcomes_of = _outcomes(ray, handle, group)
                if outcomes_of is None and len(group) > 1:  # one room may be to blame for all
                    alone.update(room.name for room in group)
                    queue.extendleft(reversed(group))
                else:
                    yield from outcomes_of or map(lost, group)
            yield None


def _fit(group: tuple[BatchRoom, ...], packed: bytes, folder: str, threads: int) -> tuple[RoomOutcome, ...]:
    """A room or a few, in a process of the cluster; it may have fitted others before.

    The job comes packed: unpacking it loads libraries, and those read how many threads they may use as they are loaded.
    """
    os.environ.update(thread_limits(threads))
    job: Job = pickle.loads(packed)
    warnings.simplefilter("ignore")
    return fit_rooms(group, job, Path(folder))


def _outcomes(ray: Any, handle: Any, group: tuple[BatchRoom, ...]) -> tuple[RoomOutcome, ...] | None:
    """What a task has come to; None if its processes were killed each time."""
    try:
        outcomes: tuple[RoomOutcome, ...] = ray.get(handle)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError):
        return None
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        problem = f"Ray could not run it ({type(error).__name__}: {reason}); see the logs of its nodes"
        return tuple(RoomOutcome(room, FAILED, f"{room.source}: {problem}") for room in group)
    return outcomes


def _library() -> Any:
    # Before it is imported: it reads these once.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise UsageError("--engine ray", "Ray is not installed", 'pip install "fdnlearn[ray]"') from None
    return ray


@contextmanager
def _connected(ray: Any, resources: Resources) -> Iterator[None]:
    """Be the driver of a cluster, or of one node that is started for it here."""
    if resources.address not in (None, "auto"):
        _knock(str(resources.address))
    try:
        ray.init(
            address=resources.address,
            num_cpus=resources.workers if resources.address is None else None,
            include_dashboard=False if resources.address is None else None,
            configure_logging=False,
            log_to_driver=False,
        )
    except (ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FdnlearnError(
            f"--address {resources.address}", f"no Ray cluster there ({reason})", _REMEDY
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _nothing_on_stdout() -> Iterator[None]:
    """Ray and its libraries greet on stdout, where a program that calls us expects one JSON document."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _knock(address: str) -> None:
    """See whether anybody listens: Ray itself would try for minutes.

    Raises
    ------
    UsageError
        If this is no address.
    FdnlearnError
        If nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"--address {address}", "is not an address", "write HOST:PORT, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise FdnlearnError(f"--address {address}", f"cannot be reached ({reason})", _REMEDY) from None


def _slots(ray: Any, resources: Resources) -> float:
    """Fits that the cluster, as it is now, runs at a time."""
    there = ray.cluster_resources()
    slots = there.get("CPU", 0.0) / resources.threads
    return float(min(slots, there.get("GPU", 0.0) / resources.gpus) if resources.gpus else slots)


def _check_capacity(ray: Any, resources: Resources) -> None:
    there = ray.cluster_resources()
    for name, kind, wanted in (("--threads", "CPU", resources.threads), ("--gpus", "GPU", resources.gpus)):
        if wanted and there.get(kind, 0.0) <= 0:
            raise FdnlearnError(f"{name} {wanted:g}", f"the cluster has no {kind}", "add nodes that do")


def _memory(group: tuple[BatchRoom, ...], job: Job, resources: Resources) -> dict[str, float]:
    """What Ray is told of a task's memory: it places no more on a node than the node has."""
    if resources.max_memory_bytes is None:
        return {}
    return {"memory": BASE_BYTES + sum(fit_bytes(room, job) - BASE_BYTES for room in group)}
