"""One file that appears whole: it is written beside its place and moved there."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fdnlearn.base.files import writing
from fdnlearn.base.locks import exclusive, remove_unheld


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of a temporary sibling, and move it onto `path` once the body has succeeded.

    The sibling is locked: those of `path` whose writers were killed are removed by the next.

    Raises
    ------
    FdnlearnError
        If the sibling cannot be written or moved. `path` is then what it was before.
    """
    # Neither longer than a name may be nor with signs that mean something in patterns.
    mark = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]
    # The suffix stays: it tells an audio library which format to write.
    partial = path.with_name(f".{mark}-{secrets.token_hex(6)}.partial{path.suffix}")
    with writing(path):
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        for left in path.parent.glob(f".{mark}-*.partial*"):
            remove_unheld(left)
    try:
        with exclusive(partial, wait=False, about=path), writing(path):
            yield partial
            os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
