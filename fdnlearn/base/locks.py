"""Locks that end with their process, whatever ends that: on a file, or on a folder that leaves no file behind."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fdnlearn.base.files import writing

#: What a file system answers that has no locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}
#: Times that a path is made and locked whose last holder removes it meanwhile.
_TRIES = 100
#: Times, and seconds between them, that a lock is asked for without waiting: `is_held` has it for an instant.
_LOOKS, _LOOK_S = 4, 0.02


@contextmanager
def exclusive(path: Path, *, wait: bool, folder: bool = False, about: Path | None = None) -> Iterator[bool]:
    """Hold a lock; give whether it could be had.

    Where the system (Windows) or the file system has no such locks nothing is locked, and everybody is given it.

    Parameters
    ----------
    path : Path
        What is locked; made if need be, its parents with it, and left. Who holds the lock may remove it.
    wait : bool
        Whether to wait for whoever holds it.
    folder : bool
        Whether `path` is a folder instead of a file.
    about : Path, optional
        What a failure is about; `path` by default.

    Raises
    ------
    FdnlearnError
        If `path` cannot be made.
    """
    with writing(about or path):
        handle, ours = _lock(path, wait=wait, folder=folder)
    try:
        yield ours
    finally:
        if handle is not None:
            os.close(handle)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock on a file or folder. Changes nothing."""
    try:
        import fcntl

        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (ImportError, OSError):
        return False
    try:
        # Shared: those who only look do not see each other.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def remove_unheld(path: Path) -> None:
    """Remove a file unless somebody holds its lock; nothing where there are no locks, or it cannot be removed."""
    with suppress(OSError):
        handle, _ = _lock(path, wait=False, folder=False)
        if handle is not None:
            try:
                path.unlink()
            finally:
                os.close(handle)


def _lock(path: Path, *, wait: bool, folder: bool) -> tuple[int | None, bool]:
    """An open handle that has the lock, or None, and whether its owner may go on."""
    for attempt in range(_TRIES):
        try:
            handle = _open(path, folder=folder)
        except (FileNotFoundError, FileExistsError):  # somebody removes, between two looks, what is made here
            if attempt + 1 < _TRIES:
                continue
            raise
        if handle is None:
            return None, True
        try:
            ours = _flock(handle, wait=wait)
        except OSError as error:
            os.close(handle)
            if error.errno in _NO_LOCKS:
                return None, True
            raise
        if ours and _names(path, handle):
            return handle, True
        os.close(handle)
        if not ours:
            return None, False
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _open(path: Path, *, folder: bool) -> int | None:
    """A handle on `path`, which is made; None where the system has no locks."""
    (path if folder else path.parent).mkdir(parents=True, exist_ok=True)
    if os.name == "nt":
        return None
    how = os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT
    return os.open(path, how | os.O_CLOEXEC, 0o666)


def _flock(handle: int, *, wait: bool) -> bool:
    import fcntl

    if wait:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return True
    for look in range(_LOOKS):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if look + 1 < _LOOKS:
                time.sleep(_LOOK_S)
        else:
            return True
    return False


def _names(path: Path, handle: int) -> bool:
    """Whether `path` is still what was opened: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
