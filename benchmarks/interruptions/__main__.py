"""What is left when commands are killed, stopped, run out of disk, meet another writer or lose their reader.

    unshare -rm python benchmarks/interruptions --times 50 --seed 0 [--only fit.kill batch full ...]

Every command (fit, batch, compare, export, render) is interrupted in every way at random moments of its run, and then
run again to its end. Each time it is checked that nothing is half: files that are there are whole, no earlier result is
lost, every failure is one line, no hidden folder, temporary file or process stays. analyze and audition, which leave
nothing, are sent signals. Tables say how often what happened, and how long after a signal the line came that answers
it; the exit code is 1 if a rule was broken, and each breach is told with its trial.

A disk that is filled or made read-only has to be mounted: ``unshare -rm`` allows that without being root.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from processes import Running, run
from subjects import FLEETING, NAMES, Subject, prepare
from ways import ON_A_DISK, SIGNALS, WAYS, disk

#: By command and way.
Pair = tuple[str, str]


def trial(
    subject: Subject, way: str, dice: random.Random, usual_s: float
) -> tuple[str, float | None, list[str]]:
    """Interrupt a command, look at what it left, run it again, look again."""
    shutil.rmtree(subject.out, ignore_errors=True)
    ended, wrong = WAYS[way](subject, dice, usual_s)
    if ended.orphans:
        wrong.append("its processes outlived it")
    kept = subject.results()
    wrong += subject.breaches(over=False)
    if ended.code >= 0:  # who is killed cannot tidy up
        wrong += subject.litter()
    if (again := subject.again()) is not None:
        finished = run(again)
        if finished.code != 0:
            wrong.append(f"again: {finished.told}")
        wrong += [f"again: {breach}" for breach in subject.breaches(over=True)]
        if subject.name == "batch":  # finished rooms are not fitted again
            wrong += [f"fitted again: {p}" for p, inode in kept.items() if p.stat().st_ino != inode]
    shutil.rmtree(subject.folder / "tmp")
    (subject.folder / "tmp").mkdir()
    return f"exit {ended.code}", ended.answered_s, wrong


def time_of(subject: Subject) -> float:
    """How long a command usually takes; of the listening room, until shortly after it is open."""
    shutil.rmtree(subject.out, ignore_errors=True)
    started = time.monotonic()
    if subject.name == "audition":
        process = Running(subject.command).listen()
        while not process.said("listening room at"):
            time.sleep(0.05)
        process.send(signal.SIGTERM)
        assert process.end().code == 0
        return 1.5 * (time.monotonic() - started)
    done = run(subject.command)
    assert done.code == 0, done.told
    return time.monotonic() - started


def main() -> int:
    """Run trials and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="trials of each command and way")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="COMMAND.WAY", help="fit.kill, batch, full, ..."
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no trial later than this")
    asked = parser.parse_args()
    began, broken = time.monotonic(), 0
    ends: dict[Pair, Counter[str]] = defaultdict(Counter)
    answers: dict[Pair, list[float]] = defaultdict(list)
    usual: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as made, disk((folder := Path(made)) / "place") as mounted:
        prepare(folder)
        for turn in range(asked.times):
            for name, way in _chosen(asked.only, mounted=mounted):
                if time.monotonic() - began > asked.seconds:
                    break
                dice = random.Random(f"{asked.seed}.{name}.{way}.{turn}")
                subject = Subject(name, folder, dice)
                if name not in usual:
                    usual[name] = time_of(subject)
                how, answered_s, wrong = trial(subject, way, dice, usual[name])
                ends[name, way][how] += 1
                if answered_s is not None:
                    answers[name, way].append(answered_s)
                for breach in wrong:
                    broken += 1
                    print(f"{name}.{way}, trial {turn}: {breach}", flush=True)
    if not mounted:
        print(f"no disk could be mounted: {' and '.join(ON_A_DISK)} were left out; see unshare -rm")
    _print_ends(ends)
    _print_answers(answers)
    print(
        f"{sum(of.total() for of in ends.values())} trials, {broken} breaches, "
        f"{time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}"
    )
    return 1 if broken else 0


def _chosen(only: Sequence[str], *, mounted: bool) -> list[Pair]:
    pairs = [(name, way) for name in NAMES for way in WAYS if mounted or way not in ON_A_DISK]
    pairs += [(name, way) for name in FLEETING for way in SIGNALS]
    return [(name, way) for name, way in pairs if not only or {name, way, f"{name}.{way}"} & set(only)]


def _print_ends(ends: Mapping[Pair, Counter[str]]) -> None:
    print(f"{'command':8} {'way':8} {'trials':>6}  ends")
    for (name, way), of in ends.items():
        told = ", ".join(f"{how}: {count}" for how, count in sorted(of.items()))
        print(f"{name:8} {way:8} {of.total():6}  {told}")


def _print_answers(answers: Mapping[Pair, Sequence[float]]) -> None:
    print(f"{'command':8} {'way':8} {'answers':>7}  median and longest, seconds")
    for (name, way), seconds in answers.items():
        print(f"{name:8} {way:8} {len(seconds):7}  {statistics.median(seconds):.3f} {max(seconds):.3f}")


if __name__ == "__main__":
    sys.exit(main())
