"""Fits of all visitors: one queue, a process each, nothing that one of them does reaches the server or another."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from fdnlearn.base.processes import SPAWN, WorkerProcess
from fdnlearn_audition import previews
from fdnlearn_audition.fit_process import FitRequest, run
from fdnlearn_audition.limits import VisitorLimits
from fdnlearn_audition.messages import Refused

#: States from which a fit does not move any more.
OVER = ("done", "failed", "cancelled")
#: Most values of the loss that a page is told.
_LOSSES = 240
#: How long the process of a fit may take to end by itself.
_PATIENCE_S = 5.0


class FitWorker(WorkerProcess):
    """The process of one fit, not yet or already at work."""

    def __init__(self) -> None:
        self.stop = SPAWN.Event()
        super().__init__(run, self.stop, name="fit")


class Fit:
    """One fit from its place in the queue to its end.

    Attributes
    ----------
    state : str
        ``waiting``, ``starting``, ``fitting``, ``writing``, or one of `OVER`.
    """

    def __init__(self, request: FitRequest) -> None:
        self.request = request
        self.state = "waiting"
        self.version = 0
        self._told: dict[str, Any] = {}
        self._losses: list[Any] = []
        self._stopping = False
        self._worker: FitWorker | None = None
        self._lock = threading.Lock()
        self._rates: deque[tuple[float, int]] = deque(maxlen=8)

    @property
    def over(self) -> bool:
        """Whether it has ended, however."""
        return self.state in OVER

    def stop(self) -> None:
        """Ask it to keep its best network so far and end."""
        with self._lock:
            self._stopping = True
            if self._worker is not None:
                self._worker.stop.set()
            elif not self.over:
                self._set("cancelled")

    def cancel(self) -> None:
        """End it at once, whatever is lost."""
        with self._lock:
            worker = self._worker
            if not self.over:
                self._set("cancelled")
        if worker is not None:
            worker.kill()

    def snapshot(self) -> dict[str, Any]:
        """What the page is told: ``state``, ``version`` and all that has been heard of it."""
        with self._lock:
            return {"state": self.state, "version": self.version, "stopping": self._stopping, **self._told}

    def preview(self, key: str) -> Path | None:
        """Folder of a network that it has let be heard, if it is there to be heard."""
        return None if self.over else previews.find(self.request.previews, key)

    def work(self, worker: FitWorker) -> None:
        """Run to the end in a worker; in a thread of the queue's."""
        with self._lock:
            if self.over:
                worker.end()
                return
            self._worker = worker
            self._set("starting")
        try:
            worker.pipe.send(self.request)
            while True:
                kind, value = worker.pipe.recv()
                with self._lock:
                    self._hear(kind, value)
        except (EOFError, OSError):
            pass
        finally:
            worker.end(_PATIENCE_S)
            shutil.rmtree(self.request.previews, ignore_errors=True)
        with self._lock:
            if not self.over:
                self._told["problem"] = (
                    f"{self.request.name}: the fit's process ended unexpectedly; fit again"
                )
                self._set("failed")

    def _hear(self, kind: str, value: dict[str, Any]) -> None:
        if self.over:
            return
        if kind == "progress":
            self._rates.append((time.monotonic(), value["iteration"]))
            self._losses += value["losses"]
            thinned = self._losses[:: max(1, len(self._losses) // _LOSSES)] + self._losses[-1:]
            # Not every frame has new curves.
            drawn = self._told.get("progress", {}).get("curves")
            value = ({"curves": drawn} if drawn else {}) | value
            self._told["progress"] = value | {"left_s": self._left_s(value), "losses": thinned}
            self._set("fitting")
        elif kind == "done":
            self._told["take"] = value
            self._set("done")
        elif kind == "failed":
            self._told |= value
            self._set("failed")
        else:
            self._told[kind] = value
            self._set("writing" if kind == "writing" else self.state)

    def _left_s(self, progress: dict[str, Any]) -> float | None:
        """Time left at the present pace."""
        (first_s, first), (last_s, last) = self._rates[0], self._rates[-1]
        if last <= first:
            return None
        pace_s = (last_s - first_s) / (last - first)
        return round(float(progress["total"] - last) * pace_s, 1)

    def _set(self, state: str) -> None:
        self.state = state
        if self.over:
            self._told.pop("preview", None)
        self.version += 1


class Fits:
    """The queue, first come, first served: as many fits run and wait as the visitors' limits allow."""

    def __init__(self, limits: VisitorLimits) -> None:
        self._limits = limits
        self._waiting: deque[Fit] = deque()
        self._running: set[Fit] = set()
        self._spare: FitWorker | None = None
        self._ended = False
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Start a process that imports what a fit needs while nobody waits for it."""
        with self._lock:
            if not self._ended and (self._spare is None or not self._spare.alive):
                self._spare = FitWorker()

    def submit(self, request: FitRequest) -> Fit:
        """Put a fit at the end of the queue.

        Raises
        ------
        Refused
            If the queue is full.
        """
        with self._lock:
            self._forget_ended()
            if len(self._waiting) >= self._limits.waiting_fits:
                raise Refused("The queue is full; try again in a few minutes")
            fit = Fit(request)
            self._waiting.append(fit)
        self._advance()
        return fit

    def place(self, fit: Fit) -> int:
        """How many fits start before this one, this one included; 0 once it is running or over."""
        with self._lock:
            self._forget_ended()
            return self._waiting.index(fit) + 1 if fit in self._waiting else 0

    @property
    def running(self) -> int:
        """Fits that have a process."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Fits in the queue."""
        with self._lock:
            self._forget_ended()
            return len(self._waiting)

    def end(self) -> None:
        """Cancel everything."""
        with self._lock:
            fits = [*self._waiting, *self._running]
            self._waiting.clear()
            self._ended, spare = True, self._spare
        if spare is not None:
            spare.kill()
        for fit in fits:
            fit.cancel()

    def _forget_ended(self) -> None:
        for fit in [fit for fit in self._waiting if fit.over]:
            self._waiting.remove(fit)

    def _advance(self) -> None:
        with self._lock:
            self._forget_ended()
            while self._waiting and len(self._running) < self._limits.running_fits:
                fit = self._waiting.popleft()
                self._running.add(fit)
                threading.Thread(target=self._run, args=(fit,), daemon=True).start()

    def _run(self, fit: Fit) -> None:
        with self._lock:
            worker, self._spare = self._spare, None
        try:
            fit.work(worker if worker is not None and worker.alive else FitWorker())
        finally:
            with self._lock:
                self._running.discard(fit)
            self._advance()
            self.warm()
