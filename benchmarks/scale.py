"""What fits cost over length, lines and rooms, what a batch makes of two cores, how near the kernels are to the roof.

    python benchmarks/scale.py throughput    rooms a minute: one after the other, two workers
    python benchmarks/scale.py rooms         seconds a room over the number of rooms
    python benchmarks/scale.py sizes         milliseconds a gradient step and memory over length and lines
    PYTHONPATH=/tmp/peers python benchmarks/scale.py flamo      rooms a minute of the same number of steps by flamo

All on one thread a fit. Figures of a busy machine mean little: every table begins with the load.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Read as libraries are loaded, so before any is.
os.environ.update(dict.fromkeys(THREADS, "1"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from scipy.io import wavfile  # noqa: E402

HERE = Path(__file__).resolve().parent
RATE_HZ = 16000

#: Fits every WAV of a folder, one after the other, in one process; prints seconds a room, of the clock and of the
#: processor, without imports.
SEQUENTIAL = """
import sys, time
from pathlib import Path
from fdnlearn.runs.many import BatchRoom
from fdnlearn.runs.pipeline import Job
from fdnlearn.runs.many.folder import BatchFolder
from fdnlearn.runs.many.one import fit_room
from fdnlearn.fitting import FitConfig
job = Job(FitConfig.for_model("homogeneous", iterations=int(sys.argv[3])))
rooms = [BatchRoom(path.stem, str(path)) for path in sorted(Path(sys.argv[1]).glob("*.wav"))]
place = BatchFolder(Path(sys.argv[2]))
with place.held():
    place.open(job.settings(), force=True)
    fit_room(rooms[0], job, place.path)
    started, spent = time.perf_counter(), time.process_time()
    for room in rooms[1:]:
        assert fit_room(room, job, place.path).status == "finished"
    count = len(rooms) - 1
    print((time.perf_counter() - started) / count, (time.process_time() - spent) / count)
"""


def make_rooms(folder: Path, count: int, seconds: float = 1.0) -> Path:
    """Rooms of a second, T60 about half of it, over a floor at -75 dB."""
    folder.mkdir(parents=True, exist_ok=True)
    t = np.arange(round(RATE_HZ * seconds)) / RATE_HZ
    for number in range(count):
        rng = np.random.default_rng(number)
        h = 0.2 * rng.standard_normal(t.size) * 10 ** (-3 * t / (seconds * (0.4 + 0.2 * rng.random())))
        h[0] = 1.0
        h += 10 ** (-75 / 20) * rng.standard_normal(t.size)
        wavfile.write(folder / f"room{number:04d}.wav", RATE_HZ, (0.5 * h).astype(np.float32))
    return folder


def batch_seconds(rooms: Path, out: Path, workers: int, iterations: int) -> list[float]:
    """When each room of a batch ended, in seconds since the first did."""
    command = [sys.executable, "-m", "fdnlearn", "batch", str(rooms), "-o", str(out), "--force"]
    command += ["--model", "homogeneous"]
    command += ["--workers", str(workers), "--iterations", str(iterations)]
    subprocess.run(command, check=True, capture_output=True)
    ends = sorted(path.stat().st_mtime for path in (out / "rooms").glob("*/fdn.json"))
    return [end - ends[0] for end in ends]


def steady_pace(ends: list[float], workers: int) -> float:
    """Seconds a room between the first ends and the last: imports and the idle tail of the last room left out."""
    return (ends[-workers] - ends[0]) / (len(ends) - workers)


def throughput(options: argparse.Namespace) -> None:
    """Sequential fits against two workers, in turns."""
    title(f"{options.rooms} rooms of 1 s at 16 kHz, {options.iterations} iterations, {options.turns} turns")
    ratios, alone, together = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        rooms = make_rooms(Path(scratch, "rooms"), options.rooms)
        for _ in range(options.turns):
            command = [
                sys.executable,
                "-W",
                "ignore",
                "-c",
                SEQUENTIAL,
                str(rooms),
                str(Path(scratch, "one")),
            ]
            done = subprocess.run(
                [*command, str(options.iterations)], check=True, capture_output=True, text=True
            )
            alone.append(float(done.stdout.split()[0]))
            together.append(steady_pace(batch_seconds(rooms, Path(scratch, "two"), 2, options.iterations), 2))
            ratios.append(alone[-1] / together[-1])
            print(
                f"sequential {alone[-1]:.2f} s a room, batch {together[-1]:.2f}, ratio {ratios[-1]:.2f}",
                flush=True,
            )
    one, two = (60 / statistics.median(seconds) for seconds in (alone, together))
    print(f"rooms a minute: {one:.1f} one after the other, {two:.1f} by two workers")
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def rooms(options: argparse.Namespace) -> None:
    """Seconds a room over the number of rooms."""
    title(f"rooms of 0.5 s, {options.iterations} iterations")
    with tempfile.TemporaryDirectory() as scratch:
        counts = [options.rooms * factor for factor in (1, 2, 4)]
        source = make_rooms(Path(scratch, "rooms"), counts[0], 0.5)
        command = [sys.executable, "-W", "ignore", "-c", SEQUENTIAL, str(source), str(Path(scratch, "one"))]
        done = subprocess.run([*command, str(options.iterations)], check=True, capture_output=True, text=True)
        clock, spent = map(float, done.stdout.split())
        print(f"one after the other: {clock:.3f} s a room, {spent:.3f} s of CPU", flush=True)
        known: list[tuple[int, float]] = []
        for count in counts:
            source = make_rooms(Path(scratch, f"rooms{count}"), count, 0.5)
            before = sum(os.times()[2:4])
            ends = batch_seconds(source, Path(scratch, f"out{count}"), 2, options.iterations)
            known.append((count, sum(os.times()[2:4]) - before))
            print(f"{count:>4} rooms by two workers: {steady_pace(ends, 2):.3f} s a room", end="")
            if len(known) > 1:  # what does not depend on the number of rooms, imports and page, cancels out
                (few, less), (many, more) = known[-2:]
                print(f", {(more - less) / (many - few):.3f} s of CPU for each further room", end="")
            print(flush=True)


def sizes(options: argparse.Namespace) -> None:
    """A gradient step and the memory of a fit over length and lines; each in a process of its own."""
    title("one gradient step of one network, EDC + echo density")
    print(f"{'model':>12} {'rate':>6} {'length/s':>8} {'lines':>5} {'CPU ms/step':>12} {'peak/MB':>8}")
    for model, rate, length, lines in (
        *(("homogeneous", 16000, length, 6) for length in (0.5, 1.0, 2.0, 4.0)),
        *(("homogeneous", 16000, 1.0, lines) for lines in (4, 8, 16, 32)),
        *(("banded", 48000, length, 16) for length in (0.5, 1.0, 2.0)),
        *(("banded", 48000, 1.0, lines) for lines in (8, 32)),
    ):
        command = [
            sys.executable,
            "-W",
            "ignore",
            __file__,
            "one-size",
            model,
            str(rate),
            str(length),
            str(lines),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        print(
            f"{model:>12} {rate:>6} {length:>8} {lines:>5} {found['ms']:>12.2f} {found['mb']:>8.0f}",
            flush=True,
        )


def one_size(model: str, rate: int, length: float, lines: int) -> None:
    """Print one row of `sizes` as JSON."""
    import resource

    advance_once = _descent(model, rate, length, lines)
    for _ in range(3):
        advance_once()
    times = []
    for _ in range(25):
        before = time.process_time()
        advance_once()
        times.append(1e3 * (time.process_time() - before))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"ms": statistics.median(times), "mb": peak}))


def _descent(model: str, rate: int, length: float, lines: int) -> Callable[[], float]:
    from fdnlearn.fitting import FitConfig
    from fdnlearn.fitting.descent import AdamState, advance, column_rates
    from fdnlearn.fitting.problem import problem_for
    from fdnlearn.rir import Recording, prepare_target

    torch.set_num_threads(1)
    t = np.arange(round(rate * length)) / rate
    h = 0.1 * np.random.default_rng(0).standard_normal(t.size) * 10 ** (-3 * t / (0.8 * length))
    h[0] = 1.0
    target = prepare_target(Recording("noise", "", rate, h[None], "synthetic"), sample_rate_hz=rate)
    problem = problem_for(target, FitConfig.for_model(model, lines=lines, sample_rate_hz=rate))
    free = problem.draw(1, 0)
    descent, rates = AdamState.start(free), 0.01 * column_rates(problem, free)
    return lambda: advance(descent, problem, free, None, rates)[0][0]


def flamo(options: argparse.Namespace) -> None:
    """Rooms a minute of 650 steps each by flamo, against whole default fits of this project."""
    title("one room of 1 s at 16 kHz, N = 6, one thread")
    spec = importlib.util.spec_from_file_location("step", HERE / "step.py")
    assert spec is not None
    assert spec.loader is not None
    step: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(step)
    problem = step.own_problem(6, RATE_HZ)
    free = problem.draw(1, seed=0)
    sides = {"fdnlearn": step.own_step(problem, free)}
    if (modules := step.find_flamo()) is not None:
        sides["flamo"] = step.flamo_step(
            problem, problem.model.network(free), free["matrix"][0].clone(), *modules
        )
    torch.set_num_threads(1)
    for name, go in sides.items():
        for _ in range(5):
            go()
        spent, done = time.process_time(), 0
        while time.process_time() - spent < 4.0:
            go()
            done += 1
        ms = 1e3 * (time.process_time() - spent) / done
        print(
            f"{name:>9}: {ms:.2f} ms of CPU a step, {60e3 / (650 * ms):.1f} rooms a minute of 650 steps, one core"
        )


def title(text: str) -> None:
    """Say what was measured and beside what."""
    print(f"{text}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


TABLES = {table.__name__: table for table in (throughput, rooms, sizes, flamo)}


def main() -> None:
    """Print the table asked for."""
    if sys.argv[1:2] == ["one-size"]:
        model, rate, length, lines = sys.argv[2:]
        one_size(model, int(rate), float(length), int(lines))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=list(TABLES))
    parser.add_argument("--rooms", type=int, default=12)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    TABLES[options.table](options)


if __name__ == "__main__":
    main()
