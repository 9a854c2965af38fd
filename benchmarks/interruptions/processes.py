"""Commands as processes of their own: how they end, and when they answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

#: Longest run, seconds; what takes longer hangs.
PATIENCE_S = 180.0
#: How long workers may outlive the process that they work for, seconds.
OUTLIVES_S = 10.0
#: Exit code of what hung.
HANGS = -1000
#: Of the lines that answer a signal.
ANSWERS = (b"once more to end at once", b"fdnlearn: interrupted")


@dataclass(frozen=True)
class Ended:
    """A process that has ended.

    Attributes
    ----------
    code : int
        Exit code; negative where a signal ended it, -1000 where it hung.
    stderr : str
    answered_s : float or None
        From a signal to the first line that answers it; None where nobody was there any more, or not yet.
    orphans : bool
        Whether processes of its own outlived it.
    """

    code: int
    stderr: str
    answered_s: float | None = None
    orphans: bool = False

    @property
    def complaints(self) -> list[str]:
        """Lines on stderr that are neither warnings nor answers to a signal."""
        told = (line for line in self.stderr.splitlines() if "warning:" not in line)
        return [line for line in told if ANSWERS[0].decode() not in line]

    @property
    def told(self) -> str:
        """How it ended, and the last of what it said."""
        return f"exit code {self.code}: {self.stderr[-300:]}"


class Running:
    """A command under way, in a process group of its own, below everybody else's work.

    Parameters
    ----------
    command : list of str
    limit_bytes : int, optional
        No file may grow beyond: to a program that writes, a full disk.
    """

    def __init__(self, command: list[str], limit_bytes: int | None = None) -> None:
        limit = [] if limit_bytes is None else ["prlimit", f"--fsize={limit_bytes}"]
        self._process = subprocess.Popen(
            [*limit, "nice", "-n", "10", sys.executable, "-m", "fdnlearn", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        self._lines: list[tuple[IO[bytes], float, bytes]] = []
        self._signalled_s: float | None = None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stdout, self.stderr = self._process.stdout, self._process.stderr
        self._readers = [
            threading.Thread(target=self._read, args=(pipe,), daemon=True)
            for pipe in (self.stdout, self.stderr)
        ]

    def listen(self) -> Self:
        """Take in what it says, so that it never waits for a reader."""
        for reader in self._readers:
            reader.start()
        return self

    def said(self, text: str) -> bool:
        """Whether it has said that already."""
        return any(text.encode() in line for _, _, line in self._lines)

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal if it is still there, as a terminal does to the whole group."""
        if self._process.poll() is None:
            self._signalled_s = time.monotonic()
            (os.killpg if group else os.kill)(self._process.pid, number)

    def end(self) -> Ended:
        """Wait for it, and for all that it has started."""
        try:
            code = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            code = HANGS
        orphans = code == HANGS or not self._alone_before_long()
        if orphans:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for reader in self._readers:
            if reader.ident is not None:
                reader.join()
        told = [(at, line) for pipe, at, line in self._lines if pipe is self.stderr]
        answers = [at for at, line in told if any(answer in line for answer in ANSWERS)]
        answered_s = answers[0] - self._signalled_s if answers and self._signalled_s else None
        return Ended(code, b"".join(line for _, line in told).decode(), answered_s, orphans)

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._lines.append((pipe, time.monotonic(), line))

    def _alone_before_long(self) -> bool:
        """Whether no process of its group is left, or none is before long."""
        deadline = time.monotonic() + OUTLIVES_S
        while time.monotonic() < deadline:
            if not _members(self._process.pid):
                return True
            time.sleep(0.05)
        return False


def run(command: list[str]) -> Ended:
    """A command from its start to its end."""
    return Running(command).listen().end()


def _members(group: int) -> list[int]:
    """Processes of a group that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, of, *_ = path.read_text().rpartition(")")[2].split()
            if int(of) == group and state != "Z":
                found.append(int(path.parent.name))
    return found
