"""MP3: what its decoder writes to stderr is heard and told, instead of passing every caller by.

libmpg123 goes on over damage with what it can decode, and says so with one or many lines on the descriptor of stderr.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

DAMAGED = "The MP3 is damaged, or holds more than sound: what could be decoded was read."
_STDERR = 2
#: The descriptor is the process's: one at a time may take it.
_taken = threading.Lock()


def is_mpeg(head: bytes) -> bool:
    """Whether libsndfile may give a file to that decoder, by its first bytes."""
    return head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Within, nothing reaches the descriptor of stderr; if anything was to, the list holds `DAMAGED` afterwards."""
    told: list[str] = []
    with _taken, tempfile.TemporaryFile() as heard:
        try:
            own = os.dup(_STDERR)
        except OSError:  # closed: there is nothing to keep clean
            yield told
            return
        os.dup2(heard.fileno(), _STDERR)
        try:
            yield told
        finally:
            os.dup2(own, _STDERR)
            os.close(own)
            if heard.tell() or os.fstat(heard.fileno()).st_size:
                told.append(DAMAGED)
