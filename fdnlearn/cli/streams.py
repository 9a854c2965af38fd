"""Standard streams that take every text, and that nobody has to listen to.

What is printed says what has been done. That there is nobody who reads it, or an encoding without some of its
characters, is no reason to lose what has been done, nor to call it a failure.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import unicodedata
from typing import TextIO

#: Name of the error handler that writes what an encoding lacks in what it has.
NEAREST = "fdnlearn.nearest"
_NEAREST = {
    "–": "-",
    "—": "-",
    "−": "-",
    "×": "x",
    "·": ".",
    "≤": "<=",
    "≥": ">=",
    "±": "+/-",
    "→": "->",
    "≈": "~",
    "°": " deg",
    "ß": "ss",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}
#: What a pipe without a reader answers, and a descriptor that cannot be written.
_NOBODY = {errno.EPIPE, errno.EBADF, *([errno.EINVAL] if os.name == "nt" else [])}


def nearest(error: UnicodeError) -> tuple[str | bytes, int]:
    """Error handler: the nearest characters that an encoding has, and a question mark where there are none.

    Bytes of file names that were no text in the first place come out as they went in.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00]), error.start + 1
    plain = _NEAREST.get(character) or unicodedata.normalize("NFKD", character)
    plain = "".join(part for part in plain if not unicodedata.combining(part))
    try:
        plain.encode(error.encoding)
    except UnicodeEncodeError:
        plain = "?"
    return plain, error.start + 1


class Forgiving(io.TextIOWrapper):
    """A stream to somebody who may leave: what comes later goes nowhere, and the work goes on."""

    def write(self, text: str, /) -> int:
        """Write, or drop if there is nobody."""
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Flush, or drop if there is nobody."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        # What is left in the buffer goes there too: Python would complain of it once more as it ends.
        _open_nowhere(self.fileno())
        if error.errno not in _NOBODY:
            raise OSError(error.errno, os.strerror(error.errno or 0), str(self.name)) from error


def prepare_streams() -> None:
    """Make standard streams of this process that neither a closed one nor an encoding can bring to a halt."""
    codecs.register_error(NEAREST, nearest)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Otherwise the next file that is opened would be taken for the stream.
            _open_nowhere(number)
            opened = open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, opened)
    sys.stdout, sys.stderr = _forgiving(sys.stdout), _forgiving(sys.stderr)


def _forgiving(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    encoding, by_line, errors = stream.encoding, stream.line_buffering, stream.errors
    stream.flush()
    return Forgiving(
        stream.detach(),
        encoding,
        NEAREST if errors in ("strict", "surrogateescape") else errors,
        newline=None if os.name == "nt" else "\n",
        line_buffering=by_line,
    )


def _open_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
