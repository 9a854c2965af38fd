"""Worker processes: spawned, at the other end of a pipe, and never longer alive than who started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

#: A fork of a process with OpenMP threads hangs.
SPAWN = get_context("spawn")
#: How long a process that has been killed is waited for.
_GOES_S = 1.0
#: From linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_limits(count: int) -> dict[str, str]:
    """Environment of a process that is to run its kernels on so many threads; libraries read it as they are loaded.

    One thread a process is what keeps all cores busy: the stretches of a fit that run on one thread anyway then overlap
    with the kernels of other rooms.
    """
    return dict.fromkeys(_THREADS, str(count))


class WorkerProcess:
    """A process that does what comes through a pipe.

    Parameters
    ----------
    work : callable
        ``work(pipe, *arguments)``, a function of a module: what the process does until it ends. It leaves signals to
        whoever started it, warns nobody, and is killed when that process ends.
    *arguments
        Picklable.
    name : str
        Of the process.
    environment : mapping
        Variables that it starts with, beside ours.

    Attributes
    ----------
    pipe : Connection
        To it and from it. Readable when it has sent something or has ended.
    """

    def __init__(
        self,
        work: Callable[..., None],
        *arguments: Any,
        name: str = "fdnlearn",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._ending = threading.Lock()
        self.pipe, theirs = SPAWN.Pipe()
        their_line, self._lifeline = SPAWN.Pipe(duplex=False)
        self._process = SPAWN.Process(
            target=_live, args=(work, theirs, their_line, arguments), name=name, daemon=True
        )
        with _environment(environment or {}), _no_signals():
            self._process.start()
        theirs.close()
        their_line.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid or 0

    @property
    def alive(self) -> bool:
        """Whether it can be given work."""
        try:
            return self._process.is_alive()
        except ValueError:  # `end` has closed it
            return False

    def kill(self) -> None:
        """End it, whatever it is doing, and see it go; from any thread, also if it has ended already."""
        with suppress(ValueError, OSError, AttributeError):  # the last where `end` closes it at this moment
            self._process.kill()
            wait([self._process.sentinel], timeout=_GOES_S)

    def end(self, patience_s: float = 0.0) -> None:
        """Close the pipe, leave the process some time to end by itself, then kill it.

        From any thread; a second call waits for the first and does nothing.
        """
        with self._ending:
            self.pipe.close()
            with suppress(ValueError):
                if patience_s:
                    self._process.join(patience_s)
                self._process.kill()
                self._process.join()
                self._process.close()
            self._lifeline.close()


def _live(
    work: Callable[..., None], pipe: Connection, lifeline: Connection, arguments: tuple[Any, ...]
) -> None:
    # Ctrl-C reaches the whole group; what is under way is for who started it to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _unblock()
    threading.Thread(target=_die_with, args=(lifeline,), daemon=True).start()
    warnings.simplefilter("ignore")  # what a user should know comes through the pipe
    work(pipe, *arguments)


def _die_with(lifeline: Connection) -> None:
    """Wait until the other end is closed, as it is when its process ends: nobody waits for this one any more."""
    with suppress(OSError, EOFError):
        lifeline.recv_bytes()
    os._exit(1)


def end_with_parent() -> None:
    """Let this process, whose standard input is a pipe from whoever started it, be over when that one is.

    On Linux the kernel sees to it, whatever this process is in the middle of; elsewhere, and where that one has ended
    before this was called, the end of the pipe does.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def wait() -> None:
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _no_signals() -> Iterator[None]:
    """Let a process that starts meanwhile get no SIGINT until it ignores it: Ctrl-C would end it with a traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # it would lift the block as it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _unblock() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for a process that starts meanwhile: in it that is too late, it loads libraries to begin."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
