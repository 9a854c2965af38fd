"""Helper processes: whatever reads a visitor's file happens in one of them, under a time limit.

A helper that crashes, hangs or runs out of memory costs its visitor one request; the next gets a new helper. Tasks are
functions of the package by name, so that the server never imports what they need.
"""

from __future__ import annotations

import importlib
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.processes import WorkerProcess
from fdnlearn_audition.limits import VisitorLimits
from fdnlearn_audition.messages import Refused, told

#: Address space of a helper: a file that unfolds into more is refused by the system, not paid for.
_MEMORY_BYTES = 12 << 30


class Bench:
    """Runs tasks in helper processes.

    Parameters
    ----------
    limits : VisitorLimits
        How many of them there are, and how long a task may take.
    """

    def __init__(self, limits: VisitorLimits) -> None:
        self._limits = limits
        self._free: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
        self._all: set[WorkerProcess] = set()
        self._lock = threading.Lock()
        for _ in range(limits.helpers):
            self._free.put(None)

    def warm(self) -> None:
        """Start one helper and let it import what nearly every task needs."""
        threading.Thread(target=self._warm, daemon=True).start()

    def _warm(self) -> None:
        with suppress(Refused):
            self.run("fdnlearn_audition.describing:ready")

    def run(self, task: str, *args: Any, subject: str | None = None) -> Any:
        """Run ``"module:function"`` in a helper.

        Parameters
        ----------
        task : str
        *args
            Must be picklable.
        subject : str, optional
            What the visitor calls the thing that the task is about.

        Raises
        ------
        Refused
            If the task refuses its input, or its helper crashes or takes too long.
        """
        try:
            helper = self._free.get(timeout=self._limits.task_s)
        except queue.Empty:
            raise Refused("The listening room is busy; try again in a minute") from None
        helper = self._started(helper)
        try:
            helper.pipe.send((task, args))
            if not helper.pipe.poll(self._limits.task_s):
                raise TimeoutError
            outcome, value = helper.pipe.recv()
        except (OSError, EOFError, TimeoutError) as error:
            self._dismiss(helper)
            self._free.put(None)
            how = (
                "takes too long" if isinstance(error, TimeoutError) else "cannot be read: its reader gave up"
            )
            name = subject or "This"
            raise Refused(f"{name}: {how}; try another file") from None
        self._free.put(helper)
        if outcome == "done":
            return value
        if outcome == "refused":
            raise Refused(told(FdnlearnError(*value), subject))
        raise Refused(f"{subject or 'This'}: cannot be processed ({value}); try another file")

    def end(self) -> None:
        """Stop all helpers."""
        for helper in list(self._all):
            self._dismiss(helper)

    def _started(self, helper: WorkerProcess | None) -> WorkerProcess:
        if helper is not None and helper.alive:
            return helper
        if helper is not None:
            self._dismiss(helper)
        new = WorkerProcess(_serve, name="helper")
        with self._lock:
            self._all.add(new)
        return new

    def _dismiss(self, helper: WorkerProcess) -> None:
        with self._lock:
            self._all.discard(helper)
        helper.end()


def _serve(pipe: Connection) -> None:
    """Life of a helper: take a task, run it, answer; until the server closes the pipe."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    while True:
        try:
            task, args = pipe.recv()
        except (EOFError, OSError):
            return
        module, _, name = task.partition(":")
        try:
            function: Callable[..., Any] = getattr(importlib.import_module(module), name)
            answer: tuple[str, Any] = ("done", function(*args))
        except FdnlearnError as error:
            answer = ("refused", (error.subject, error.problem, error.remedy))
        except MemoryError:
            answer = ("failed", "it needs too much memory")
        except Exception as error:  # whatever a hostile file provokes in a library
            answer = ("failed", type(error).__name__)
        pipe.send(answer)
