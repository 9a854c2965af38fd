"""What is left when commands are killed, stopped, run out of disk, meet another writer or lose their reader.

    python benchmarks/interruptions.py --times 50 --seed 0 [--only fit.kill batch.disk ...]

Every command (fit, batch, compare, export, render) is interrupted in every way at random moments of its run, and then
run again to its end. Each time it is checked that nothing is half: files that are there are whole, no earlier result is
lost, every failure is one line, no hidden folder stays after the second run. A table says how often what happened; the
exit code is 1 if a rule was broken, and each breach is told with its seed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16000
TINY = ("--model", "homogeneous", "--lines", "4", "--restarts", "2", "--iterations", "20")
#: Longest run, seconds; what takes longer hangs.
PATIENCE_S = 180.0
#: Results of a fit, and what of hidden files may stay after a run that came to its end.
RESULTS = {"target.wav", "ir.wav", "history.csv", "metrics.json", "fdn.json"}
STAYS = {".lock"}


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def complaints(self) -> list[str]:
        """Lines on stderr that are neither warnings nor answers to a signal."""
        told = (line for line in self.stderr.splitlines() if "warning:" not in line)
        return [line for line in told if "once more to end at once" not in line]


def record(path: Path, seed: int) -> None:
    """A direct sound and exponentially decaying noise, T60 0.3 s."""
    rng = np.random.default_rng(seed)
    h = 0.1 * rng.standard_normal(6400) * 10 ** (-3 * np.arange(6400) / 4800)
    h[0] = 0.5
    soundfile.write(path, h + 1e-4 * rng.standard_normal(6400), RATE_HZ, subtype="FLOAT")


def start(command: list[str], limit_bytes: int | None = None) -> subprocess.Popen[str]:
    """One command line in a session of its own, below everybody else's work."""

    def prepare() -> None:
        os.nice(10)
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    return subprocess.Popen(
        [sys.executable, "-m", "fdnlearn", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509  (no threads here)
    )


def end(process: subprocess.Popen[str]) -> Ended:
    """Wait for it."""
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
        return Ended(-1000, stdout, f"{stderr}HANGS")
    return Ended(process.returncode, stdout, stderr)


class Subject:
    """A command that is interrupted, in a folder of its own.

    Parameters
    ----------
    name : str
    folder : Path
        Holds two recordings, a network and a dry file; results go to ``out``.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder, self.out = name, folder, folder / "out"
        rooms = [str(folder / "a.wav"), str(folder / "b.wav")]
        network = str(folder / "net" / "fdn.json")
        self.command = {
            "fit": ["fit", rooms[0], "-o", str(self.out), *TINY],
            "batch": ["batch", *rooms, "-o", str(self.out), "--workers", "2", *TINY],
            "compare": [
                *("compare", rooms[0], "-o", str(self.out), "--methods", "gradient,analytic"),
                *("--seeds", "1", "--budget", "0.5", "--lines", "4"),
            ],
            "export": ["export", network, "--to", "wav,c99,faust,webaudio", "-o", str(self.out)],
            "render": ["render", network, str(folder / "dry.wav"), "-o", str(self.out / "wet.wav")],
        }[name]

    def again(self) -> list[str]:
        """The command that goes on where one was interrupted."""
        if self.name == "fit" and (self.out / "checkpoint.safetensors").exists():
            return ["fit", str(self.folder / "a.wav"), "-o", str(self.out), "--resume"]
        if self.name == "fit" and (self.out / "fdn.json").exists():
            return [*self.command, "--force"]
        return [*self.command, "--resume"] if self.name == "compare" else self.command

    def breaches(self, *, over: bool) -> Iterator[str]:
        """What is wrong with what is there; `over` after a run that came to its end."""
        for path in self.out.rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(self.out).parts)
            if hidden:
                if over and path.name not in STAYS:
                    yield f"left over: {path.relative_to(self.out)}"
            elif path.is_file() and not _is_whole(path):
                yield f"half a file: {path.relative_to(self.out)}"
        folders = [path.parent for path in self.out.rglob("fdn.json") if ".work" not in path.parts]
        for folder in folders:
            if self.name in ("fit", "batch") and not {path.name for path in folder.iterdir()} >= RESULTS:
                yield f"a network without the rest: {folder.relative_to(self.out)}"
        if over:
            expected = {
                "fit": ["fdn.json"],
                "batch": ["summary.csv", "overview.html", "rooms"],
                "compare": ["summary.json", "report.html"],
                "export": [f"fdn.{target}.cert.json" for target in ("wav", "c99", "faust", "webaudio")],
                "render": ["wet.wav"],
            }[self.name]
            yield from (f"missing: {name}" for name in expected if not (self.out / name).exists())
            if self.name == "batch" and len(folders) != 2:
                yield f"{len(folders)} rooms of 2"


def _is_whole(path: Path) -> bool:
    try:
        match path.suffix:
            case ".wav":
                return bool(soundfile.read(path)[0].size)
            case ".json":
                return json.loads(path.read_text()) is not None
            case ".html":
                return path.read_text().rstrip().endswith("</html>")
            case ".csv":
                return path.read_text().endswith("\n")
            case ".safetensors":
                from safetensors import safe_open

                with safe_open(path, framework="np") as file:
                    return bool(list(file.keys()))
    except Exception:
        return False
    return True


def by_signal(number: signal.Signals) -> Callable[[Subject, random.Random, float], tuple[Ended, list[str]]]:
    """Send a signal to a command at a random moment."""

    def interrupt(subject: Subject, dice: random.Random, usual_s: float) -> tuple[Ended, list[str]]:
        process = start(subject.command)
        time.sleep(dice.uniform(0.0, 1.1 * usual_s))
        if process.poll() is None:
            os.kill(process.pid, number)
        ended = end(process)
        wrong = []
        # Before Python runs, or where it has ended, there is nobody who could say a line.
        usual = {0, 130, -number, *([1] if number is signal.SIGKILL else [])}
        if ended.code not in usual:
            wrong.append(f"exit code {ended.code}: {ended.stderr[-200:]}")
        if "Traceback" in ended.stderr and "fdnlearn: " in ended.stderr:
            wrong.append(f"traceback: {ended.stderr[-300:]}")
        return ended, wrong

    return interrupt


def by_disk(subject: Subject, dice: random.Random, usual_s: float) -> tuple[Ended, list[str]]:
    """No file may grow beyond a random size: to a program that writes, a full disk."""
    ended = end(start(subject.command, int(10 ** dice.uniform(2.0, 6.5))))
    wrong = []
    if ended.code not in (0, 1):
        wrong.append(f"exit code {ended.code}: {ended.stderr[-200:]}")
    if ended.code == 1 and len(ended.complaints) != 1:
        wrong.append(f"{len(ended.complaints)} lines: {ended.stderr[-400:]}")
    return ended, wrong


def by_writer(subject: Subject, dice: random.Random, usual_s: float) -> tuple[Ended, list[str]]:
    """Another process of the same command a random moment later."""
    first = start(subject.command)
    time.sleep(dice.uniform(0.0, 0.7 * usual_s) * dice.choice((0.0, 1.0)))
    second = start(subject.command)
    ended, other = end(first), end(second)
    codes = sorted((ended.code, other.code))
    takes_turns = subject.name in (
        "export",
        "render",
        "batch",
    )  # the second has nothing to do, or does it again
    wrong = []
    if codes != [0, 1] and not (takes_turns and codes == [0, 0]):
        wrong.append(f"exit codes {codes}: {ended.stderr[-200:]} {other.stderr[-200:]}")
    failed = [one for one in (ended, other) if one.code == 1]
    wrong += [
        f"{len(one.complaints)} lines: {one.stderr[-400:]}" for one in failed if len(one.complaints) != 1
    ]
    return (other if other.code else ended), wrong


def by_reader(subject: Subject, dice: random.Random, usual_s: float) -> tuple[Ended, list[str]]:
    """Nobody reads stdout and stderr any more after a random moment."""
    process = start([*subject.command, *dice.choice(([], ["--json"]))])
    time.sleep(dice.uniform(0.0, usual_s))
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    if dice.random() < 0.5:
        process.stderr.close()
    try:
        code = process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        code = -1000
    text = "" if process.stderr.closed else process.stderr.read()
    return Ended(code, "", text), [] if code == 0 else [f"exit code {code}: {text[-200:]}"]


WAYS = {
    "kill": by_signal(signal.SIGKILL),
    "term": by_signal(signal.SIGTERM),
    "int": by_signal(signal.SIGINT),
    "disk": by_disk,
    "writers": by_writer,
    "reader": by_reader,
}
NAMES = ("fit", "batch", "compare", "export", "render")


def trial(subject: Subject, way: str, dice: random.Random, usual_s: float) -> tuple[str, list[str]]:
    """Interrupt a command, look at what it left, run it again, look again."""
    shutil.rmtree(subject.out, ignore_errors=True)
    ended, wrong = WAYS[way](subject, dice, usual_s)
    kept = {path: path.stat().st_ino for path in subject.out.rglob("fdn.json") if ".work" not in path.parts}
    wrong += subject.breaches(over=False)
    finished = end(start(subject.again()))
    if finished.code != 0:
        wrong.append(f"again: exit code {finished.code}: {finished.stderr[-300:]}")
    wrong += [f"again: {breach}" for breach in subject.breaches(over=True)]
    if subject.name == "batch":  # finished rooms are not fitted again
        wrong += [f"fitted again: {p}" for p, inode in kept.items() if p.stat().st_ino != inode]
    return f"exit {ended.code}", wrong


def main() -> int:
    """Run trials and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="trials of each command and way")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="COMMAND.WAY", help="fit.kill, batch, disk, ..."
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no trial later than this")
    asked = parser.parse_args()
    began, broken = time.monotonic(), 0
    counts: dict[tuple[str, str], Counter[str]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for seed, name in enumerate(("a.wav", "b.wav")):
            record(folder / name, seed)
        dry = 0.1 * np.random.default_rng(9).standard_normal((20 * RATE_HZ, 2))
        soundfile.write(folder / "dry.wav", dry, RATE_HZ, subtype="FLOAT")
        made = end(start(["fit", str(folder / "a.wav"), "-o", str(folder / "net"), *TINY]))
        assert made.code == 0, made.stderr
        usual: dict[str, float] = {}
        chosen = [
            (name, way)
            for name in NAMES
            for way in WAYS
            if not asked.only or {name, way, f"{name}.{way}"} & set(asked.only)
        ]
        for turn in range(asked.times):
            for name, way in chosen:
                if time.monotonic() - began > asked.seconds:
                    break
                subject = Subject(name, folder)
                if name not in usual:
                    shutil.rmtree(subject.out, ignore_errors=True)
                    started = time.monotonic()
                    assert end(start(subject.command)).code == 0
                    usual[name] = time.monotonic() - started
                dice = random.Random(f"{asked.seed}.{name}.{way}.{turn}")
                how, wrong = trial(subject, way, dice, usual[name])
                counts.setdefault((name, way), Counter())[how] += 1
                for breach in wrong:
                    broken += 1
                    print(f"{name}.{way}, trial {turn}: {breach}", flush=True)
    print(f"{'command':8} {'way':8} {'trials':>6}  ends")
    for (name, way), ends in counts.items():
        told = ", ".join(f"{how}: {count}" for how, count in sorted(ends.items()))
        print(f"{name:8} {way:8} {ends.total():6}  {told}")
    print(f"{sum(c.total() for c in counts.values())} trials, {broken} breaches")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
