"""Interruptions wait while a C library calls back into Python: what is raised there is printed and lost.

libsndfile reads through functions of ours, and took an interruption inside one for the end of the file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: How many such libraries the main thread is in, and what is to be raised when it is back.
_depth = 0
_waiting: list[Callable[[], None]] = []


@contextmanager
def calling_back() -> Iterator[None]:
    """Within, `interrupt` waits until the end. Signals come to the main thread; in others this does nothing."""
    global _depth  # noqa: PLW0603  (of the one main thread)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth and _waiting:
            last = _waiting.pop()
            _waiting.clear()
            last()


def interrupt(raising: Callable[[], None]) -> None:
    """Call what raises an interruption, at once or when the library is back; in a handler of signals."""
    if _depth:
        _waiting.append(raising)
    else:
        raising()
