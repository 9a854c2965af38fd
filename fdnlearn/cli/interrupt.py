"""Ctrl-C that keeps what has been found: the first asks the fit to stop, the second ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
        self._begun = False
        self._previous: dict[signal.Signals, Any] = {}

    def begun(self) -> None:
        """From here on there is a result worth keeping."""
        self._begun = True

    def __enter__(self) -> Self:
        # Python delivers signals to the main thread only, and refuses handlers from others.
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested or not self._begun:
            self.requested = True
            raise KeyboardInterrupt
        self.requested = True


def stopping(interruptible: Interruptible, show: Callable[[Any], object]) -> Callable[[Any], bool]:
    """A callback that shows progress, and asks to stop once a signal has arrived."""

    def callback(progress: Any) -> bool:
        interruptible.begun()
        show(progress)
        return interruptible.requested

    return callback
