"""Ctrl-C and SIGTERM: acknowledged at once; the first asks the work to stop, the second ends it.

Python runs a handler in the main thread between two instructions of its own, and a compiler or a kernel can be a long
one. So whatever arrives also wakes a thread, which speaks in time and, where the main thread does not react to a second
signal, ends the process: results appear whole or not at all, and the locks and workers of a process end with it.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from fdnlearn.base.callbacks import interrupt

EXIT_INTERRUPTED = 130

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Signals so close together are one: `timeout` sends its signal to a process and again to its group.
TOGETHER_S = 0.4
#: How long the main thread has to react, before the first line is said and after the second signal.
_REACTS_S, _ENDS_S = 0.25, 1.0


class Interruption(KeyboardInterrupt):
    """The end of work that was interrupted; `kept` says what is left of it and how to go on.

    Where `KeyboardInterrupt` itself passes through an `exec`, as imports have them, Python ends the process by a signal
    after it has been caught.
    """

    def __init__(self, kept: str = "nothing was written") -> None:
        super().__init__(kept)
        self.kept = kept


class Interruptible:
    """Within this context SIGINT and SIGTERM set `requested`; a second one raises `KeyboardInterrupt`.

    Until `begun` is called there is nothing to keep, and the first signal already raises.

    Attributes
    ----------
    requested : bool
        Whether a stop has been asked for.
    """

    def __init__(self) -> None:
        self.requested = False
        self._stops = ""
        self._first_s = -TOGETHER_S
        self._previous: dict[signal.Signals, Any] = {}
        self._asked = self._raised = 0

    def begun(self, stops: str) -> None:
        """From here on there is a result worth keeping; `stops` says what the first signal brings about."""
        self._stops = stops

    def __enter__(self) -> Self:
        # Python delivers signals to the main thread only, and refuses handlers from others.
        if threading.current_thread() is threading.main_thread():
            self._arrivals, self._wakeup = socket.socketpair()
            self._wakeup.setblocking(False)
            self._woken_before = signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
            self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
            threading.Thread(target=self._watch, args=(self._arrivals,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous:
            for number, handler in self._previous.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._woken_before)
            self._wakeup.close()  # the thread ends

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.requested and now - self._first_s < TOGETHER_S:
            return
        if not self.requested:
            self.requested, self._first_s = True, now
            if self._stops:
                self._asked = 1
                return
        interrupt(self._raise)

    def _raise(self) -> None:
        self._raised += 1
        raise Interruption

    def _watch(self, arrivals: socket.socket) -> None:
        """Say what a signal brings about, and end a process that a second one does not."""
        count, first_s = 0, 0.0
        with arrivals:
            while told := arrivals.recv(64):
                now = time.monotonic()
                if set(told).isdisjoint(_SIGNALS) or (count and now - first_s < TOGETHER_S):
                    continue
                count += 1
                if count == 1:
                    first_s = now
                    if self._stops or not self._has_raised(1, _REACTS_S):
                        _say(f"{self._stops or 'stopping'}; once more to end at once")
                elif not self._has_raised(count - self._asked, _ENDS_S):
                    _say("ended at once; what had been finished before is kept")
                    os._exit(EXIT_INTERRUPTED)

    def _has_raised(self, times: int, patience_s: float) -> bool:
        """Whether the main thread has reacted, or does before long."""
        deadline = time.monotonic() + patience_s
        while self._raised < times and time.monotonic() < deadline:
            time.sleep(0.02)
        return self._raised >= times


def stopping(
    interruptible: Interruptible, show: Callable[[Any], object], stops: str
) -> Callable[[Any], bool]:
    """A callback that shows progress, and asks to stop once a signal has arrived; `stops` as `begun` takes it."""

    def callback(progress: Any) -> bool:
        interruptible.begun(stops)
        show(progress)
        return interruptible.requested

    return callback


def _say(text: str) -> None:
    """A line on stderr, past its buffer, which the main thread may be writing to; over a progress bar."""
    with suppress(OSError):
        over = b"\r\x1b[2K" if os.isatty(2) else b""
        os.write(2, over + f"fdnlearn: {text}\n".encode("ascii"))
