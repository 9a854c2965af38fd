"""A case, a kind of case, and how one is tried: within a time, in an empty folder, and never twice differently."""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import os
import random
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

CORPUS = Path(__file__).parent / "corpus"
#: Processor time that a case may take: all inputs are tiny.
LIMIT_S = 20.0
#: After so long on the clock the process ends: what hangs is no Python, or waits.
_PATIENCE_S = 600.0


class Fault(AssertionError):
    """Neither a right answer nor one clear line."""


class TooLong(BaseException):
    """Past everything that turns exceptions into lines."""


@dataclass(frozen=True)
class Case:
    """One input: `content` under a name that ends in `suffix`."""

    content: bytes
    suffix: str

    @property
    def name(self) -> str:
        return hashlib.sha256(self.content + self.suffix.encode()).hexdigest()[:12] + self.suffix


@dataclass(frozen=True)
class Kind:
    """What is tried.

    Attributes
    ----------
    name : str
        Of its folder in the corpus.
    seeds : callable
        Good inputs, or nearly; called once, in an empty folder.
    mutate : callable
        Another input of some (random numbers, all inputs, the one that is to change).
    check : callable
        Tries a case in an empty folder, which is the current one; raises `Fault`, or whatever went wrong.
    world : callable
        What stands around all cases: stand-ins for what takes long.
    """

    name: str
    seeds: Callable[[], list[Case]]
    mutate: Callable[[random.Random, list[Case], Case], Case]
    check: Callable[[Case], None]
    world: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext


def kept(kind: Kind) -> list[Case]:
    """What the corpus holds of a kind, in the order of names."""
    paths = sorted(path for path in (CORPUS / kind.name).glob("*") if path.is_file())
    return [Case(path.read_bytes(), path.suffix) for path in paths]


class Fuzzer:
    """Makes and tries the cases of one kind, within its `Kind.world`.

    Parameters
    ----------
    kind : Kind
    seed : int
        Decides, with its number, what each case is.
    """

    def __init__(self, kind: Kind, seed: int) -> None:
        self.kind, self._seed = kind, seed
        with _empty_folder():
            self._inputs = [*kind.seeds(), *kept(kind)]

    @property
    def known(self) -> list[Case]:
        """Seeds and corpus."""
        return list(self._inputs)

    def case(self, number: int) -> Case:
        """The case of a number, the same every time."""
        rng = random.Random(f"{self._seed} {self.kind.name} {number}")
        return self.kind.mutate(rng, self._inputs, rng.choice(self._inputs))

    def attempt(self, case: Case) -> str:
        """Try a case; what went wrong in a line, or nothing."""
        try:
            with _empty_folder(), _in_time(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # as the command does
                self.kind.check(case)
        except TooLong:
            return f"takes more than {LIMIT_S:g} s"
        except Fault as fault:
            return str(fault)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""


@contextlib.contextmanager
def _empty_folder() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="fdnlearn-fuzz-") as folder, contextlib.chdir(folder):
        yield


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    """Within a time: an exception at its end, and where no Python runs that could raise it the end of the process."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooLong

    if threading.current_thread() is not threading.main_thread() or os.name == "nt":
        yield
        return
    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    faulthandler.dump_traceback_later(_PATIENCE_S, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
