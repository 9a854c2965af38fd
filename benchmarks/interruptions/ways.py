"""In which ways a command is interrupted, each a function of the command, the dice and how long it usually takes.

A way gives how the command ended and what was wrong with that.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from processes import Ended, Running
from subjects import Subject

Way = Callable[[Subject, random.Random, float], tuple[Ended, list[str]]]

#: Size of the disk that results go to, megabytes, where one can be mounted.
DISK_MB = 64
#: Commands whose second writer has nothing left to do, or does it again.
_TAKE_TURNS = ("export", "render", "batch")


def by_signal(number: signal.Signals) -> Way:
    """Send a signal to a command, or as a terminal does to all of its processes, at a random moment."""

    def interrupt(subject: Subject, dice: random.Random, usual_s: float) -> tuple[Ended, list[str]]:
        process = Running(subject.command).listen()
        time.sleep(dice.uniform(0.0, 1.1 * usual_s))
        process.send(number, group=dice.random() < 0.5 and number is not signal.SIGKILL)
        ended = process.end()
        # Before Python runs, or where it has ended, there is nobody who could say a line.
        wrong = [] if ended.code in (0, 130, -number) else [ended.told]
        if "Traceback" in ended.stderr and "fdnlearn: " in ended.stderr:
            wrong.append(f"traceback: {ended.stderr[-300:]}")
        if ended.code == 130 and ended.answered_s is None:
            wrong.append(f"no answer: {ended.told}")
        return ended, wrong

    return interrupt


def by_file_size(subject: Subject, dice: random.Random, usual_s: float) -> tuple[Ended, list[str]]:
    """No file may grow beyond a random size."""
    ended = Running(subject.command, int(10 ** dice.uniform(2.0, 6.5))).listen().end()
    return ended, _refusal(ended)


def by_full_disk(subject: Subject, dice: random.Random, usual_s: float) -> tuple[Ended, list[str]]:
    """Somebody else takes what is left of the disk, or nearly, at a random moment."""
    process = Running(subject.command).listen()
    time.sleep(dice.uniform(0.0, usual_s))
    filler = subject.place / "filler"
    with filler.open("wb") as file:
        there = os.statvfs(subject.place)
        free = there.f_bavail * there.f_frsize - dice.choice((0, 4096 * dice.randrange(64)))
        with suppress(OSError):  # the command has taken some meanwhile
            os.posix_fallocate(file.fileno(), 0, max(free, 1))
    ended = process.end()
    filler.unlink()
    return ended, _refusal(ended)


def by_read_only(subject: Subject, dice: random.Random, usual_s: float) -> tuple[Ended, list[str]]:
    """The disk takes no more: from the beginning, or from a random moment on, as after an error of its own."""
    late = dice.random() < 0.7
    if not late:
        _remount(subject.place, "ro")
    process = Running(subject.command).listen()
    if late:
        time.sleep(dice.uniform(0.0, usual_s))
        deadline = time.monotonic() + usual_s
        while not _remount(subject.place, "ro") and time.monotonic() < deadline:
            time.sleep(0.002)  # refused while a file is being written
    ended = process.end()
    _remount(subject.place, "rw")
    return ended, _refusal(ended)


def by_writer(subject: Subject, dice: random.Random, usual_s: float) -> tuple[Ended, list[str]]:
    """Another process of the same command a random moment later."""
    first = Running(subject.command).listen()
    time.sleep(dice.uniform(0.0, 0.7 * usual_s) * dice.choice((0.0, 1.0)))
    second = Running(subject.rival()).listen()
    both = first.end(), second.end()
    codes = sorted(one.code for one in both)
    wrong = []
    if codes != [0, 1] and not (subject.name in _TAKE_TURNS and codes == [0, 0]):
        wrong.append(f"exit codes {codes}: {' '.join(one.stderr[-200:] for one in both)}")
    for one in both:
        wrong += _refusal(one) if one.code == 1 else []
    return max(both, key=lambda one: one.code), wrong


def by_reader(subject: Subject, dice: random.Random, usual_s: float) -> tuple[Ended, list[str]]:
    """Nobody reads stdout, nor perhaps stderr, any more after a random moment."""
    process = Running([*subject.command, *dice.choice(([], ["--json"]))])
    time.sleep(dice.uniform(0.0, usual_s))
    process.stdout.close()
    if dice.random() < 0.5:
        process.stderr.close()
    ended = process.end()
    return ended, [] if ended.code == 0 else [ended.told]


WAYS: dict[str, Way] = {
    "kill": by_signal(signal.SIGKILL),
    "term": by_signal(signal.SIGTERM),
    "int": by_signal(signal.SIGINT),
    "size": by_file_size,
    "full": by_full_disk,
    "readonly": by_read_only,
    "writers": by_writer,
    "reader": by_reader,
}
SIGNALS = ("kill", "term", "int")
#: Ways that need a disk of their own.
ON_A_DISK = ("full", "readonly")


@contextmanager
def disk(place: Path) -> Iterator[bool]:
    """Have a small disk of our own there; give whether that is allowed, as it is inside ``unshare -rm``."""
    place.mkdir()
    mounted = _command("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(place))
    try:
        yield mounted
    finally:
        if mounted:
            _command("umount", str(place))


def _remount(place: Path, how: str) -> bool:
    return _command("mount", "-o", f"remount,{how}", str(place))


def _command(*words: str) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def _refusal(ended: Ended) -> list[str]:
    """What is wrong with an end that is a success or one line."""
    if ended.code not in (0, 1):
        return [ended.told]
    lines = len(ended.complaints)
    return [f"{lines} lines: {ended.stderr[-400:]}"] if ended.code == 1 and lines != 1 else []
