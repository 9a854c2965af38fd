"""Memory of a batch over thousands of tiny rooms: what the driver and its workers hold, room after room.

``python benchmarks/many_rooms.py --rooms 10000`` makes synthetic rooms of 0.3 s at 8 kHz, fits each briefly with two
lines, and samples the resident memory of all processes of the batch (a page that several share counts for each).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.io import wavfile

RATE_HZ, LENGTH_S = 8000, 0.3
OPTIONS = ["--model", "homogeneous", "--lines", "2", "--iterations", "2", "--restarts", "1"]
OPTIONS += ["--sample-rate", str(RATE_HZ)]
#: Rooms after which memory must stay where it is, and by how much it may still grow.
SETTLED_AFTER, MOST_GROWTH_MB = 500, 50.0
SAMPLE_S = 2.0


def make_rooms(folder: Path, count: int) -> None:
    """Decaying noise over a floor at -75 dB, every room its own."""
    t = np.arange(round(RATE_HZ * LENGTH_S)) / RATE_HZ
    for number in range(count):
        rng = np.random.default_rng(number)
        h = 0.2 * rng.standard_normal(t.size) * 10 ** (-3 * t / (0.15 + 0.1 * rng.random()))
        h[0] = 1.0
        h += 10 ** (-75 / 20) * rng.standard_normal(t.size)
        wavfile.write(folder / f"room{number:06d}.wav", RATE_HZ, (0.5 * h).astype(np.float32))


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def resident_mb(pid: int) -> tuple[float, float]:
    """Resident memory of a process, and of all below it."""
    own, below = 0.0, 0.0
    for member in family(pid):
        try:
            pages = int(Path(f"/proc/{member}/statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
        megabytes = pages * os.sysconf("SC_PAGESIZE") / 1e6
        if member == pid:
            own = megabytes
        else:
            below += megabytes
    return own, below


def main() -> None:
    """Run the batch and print its memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rooms, out = Path(scratch, "rooms"), Path(scratch, "out")
        rooms.mkdir()
        make_rooms(rooms, options.rooms)
        command = [sys.executable, "-m", "fdnlearn", "batch", str(rooms), "-o", str(out), *OPTIONS]
        command += ["--workers", str(options.workers), "--json"]
        started = time.perf_counter()
        # What the program prints at its end fits a pipe.
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        samples = []
        shown = 0
        while process.poll() is None:
            time.sleep(SAMPLE_S)
            done = len(os.listdir(out / "rooms")) if (out / "rooms").is_dir() else 0
            driver, workers = resident_mb(process.pid)
            if done and workers:
                samples.append((done, driver, workers))
                if done >= shown:
                    print(f"{done:>7} rooms: driver {driver:.0f} MB, workers {workers:.0f} MB", flush=True)
                    shown = done + max(options.rooms // 20, 1)
        seconds = time.perf_counter() - started
        found = json.loads(process.communicate()[0])
    assert found["fitted"] == options.rooms, found
    print(
        f"{options.rooms} rooms in {seconds:.0f} s, {options.rooms / seconds:.1f} rooms/s, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    settled = [sample for sample in samples if sample[0] >= SETTLED_AFTER]
    if len(settled) > 1:
        first = settled[0]
        growth = max(driver + workers for _, driver, workers in settled) - first[1] - first[2]
        print(f"growth after the first {first[0]} rooms: {growth:.1f} MB, all processes together")
        assert growth < MOST_GROWTH_MB


if __name__ == "__main__":
    main()
