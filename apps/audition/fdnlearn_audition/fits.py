"""Fits of all visitors: one queue, a process each, nothing that one of them does reaches the server or another."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from fdnlearn_audition.fit_process import FitRequest, run
from fdnlearn_audition.limits import Limits
from fdnlearn_audition.messages import Refused

_SPAWN = multiprocessing.get_context("spawn")

#: States from which a fit does not move any more.
OVER = ("done", "failed", "cancelled")


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
        self._stop = _SPAWN.Event()
        self._process: Any = None
        self._lock = threading.Lock()
        self._rates: deque[tuple[float, int]] = deque(maxlen=8)

    @property
    def over(self) -> bool:
        """Whether it has ended, however."""
        return self.state in OVER

    def stop(self) -> None:
        """Ask it to keep its best network so far and end."""
        with self._lock:
            self._stop.set()
            if self.state == "waiting":
                self._set("cancelled")

    def cancel(self) -> None:
        """End it at once, whatever is lost."""
        with self._lock:
            process = self._process
            if not self.over:
                self._set("cancelled")
        if process is not None:
            process.kill()

    def snapshot(self) -> dict[str, Any]:
        """What the page is told: ``state``, ``version`` and all that has been heard of it."""
        with self._lock:
            return {"state": self.state, "version": self.version, "stopping": self._stop.is_set(), **self._told}

    def work(self) -> None:
        """Run to the end; in a thread of the queue's."""
        receiver, sender = _SPAWN.Pipe(duplex=False)
        with self._lock:
            if self.over:
                return
            self._process = _SPAWN.Process(
                target=run, args=(self.request, sender, self._stop), daemon=True, name="fit"
            )
            self._set("starting")
        self._process.start()
        with self._lock:
            cancelled = self.over
        if cancelled:
            self._process.kill()
        sender.close()
        try:
            while True:
                kind, value = receiver.recv()
                with self._lock:
                    self._hear(kind, value)
        except (EOFError, OSError):
            pass
        finally:
            receiver.close()
            self._process.join(timeout=5.0)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        with self._lock:
            if not self.over:
                self._told["problem"] = f"{self.request.name}: the fit's process ended unexpectedly; fit again"
                self._set("failed")

    def _hear(self, kind: str, value: dict[str, Any]) -> None:
        if self.over:
            return
        if kind == "progress":
            self._rates.append((time.monotonic(), value["iteration"]))
            self._told["progress"] = value | {"left_s": self._left_s(value)}
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
        (first_s, first), (last_s, last) = self._rates[0], self._rates[-1]
        if last <= first:
            return None
        return round((progress["total"] - last) * (last_s - first_s) / (last - first), 1)

    def _set(self, state: str) -> None:
        self.state = state
        self.version += 1


class Fits:
    """The queue.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: deque[Fit] = deque()
        self._running: set[Fit] = set()
        self._lock = threading.Lock()

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
                threading.Thread(target=self._run, args=(fit, fit.work), daemon=True).start()

    def _run(self, fit: Fit, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._lock:
                self._running.discard(fit)
            self._advance()
