"""Reading and writing files, failing in one line where a disk refuses."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fdnlearn.base.errors import FdnlearnError

_REMEDIES = {
    errno.ENOSPC: "free some space or choose another place with -o",
    errno.EDQUOT: "free some of your quota or choose another place with -o",
    errno.EFBIG: "raise the file size limit (ulimit -f) or choose another place with -o",
    errno.EACCES: "check its permissions or choose another place with -o",
    errno.EPERM: "check its permissions or choose another place with -o",
    errno.EROFS: "it is read-only: choose another place with -o",
    errno.ENAMETOOLONG: "choose a shorter name with -o",
}


def write_error(path: Path | str, error: OSError) -> FdnlearnError:
    """Say in one line why `path` could not be written."""
    reason = (error.strerror or str(error)).lower()
    remedy = _REMEDIES.get(error.errno or 0, "choose another place with -o")
    return FdnlearnError(str(path), f"cannot be written ({reason})", remedy)


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn an `OSError` raised inside into an `FdnlearnError` about `path`."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Turn an `OSError` raised inside into an `FdnlearnError` about `path`."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FdnlearnError(
            str(path), f"cannot be read ({reason})", "check the disk and its permissions"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as it is, without translating line ends.

    A file name that is no UTF-8 reaches us with lone surrogates in it; they become question marks.
    """
    path.write_bytes(text.encode("utf-8", errors="replace"))
