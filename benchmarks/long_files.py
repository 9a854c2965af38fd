"""Peak memory and speed of ``fdnlearn render`` over the length of the dry file.

``python benchmarks/long_files.py fdn.json`` plays noise in 16 bit through a network, every length in a process of its
own, so that one's memory does not count for the next. ``--sample-rate`` converts it as well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

#: Wall time and peak memory of a command, printed by a process that runs nothing else.
_MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3), used.ru_utime + used.ru_stime)
"""


def record_noise(path: Path, minutes: float, rate_hz: int, channels: int) -> None:
    """Write noise second by second."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", rate_hz, channels, subtype="PCM_16") as file:
        for _ in range(round(60 * minutes)):
            file.write(0.1 * rng.standard_normal((rate_hz, channels)))


def measure(network: str, dry: Path, wet: Path, options: list[str]) -> tuple[float, float, float]:
    """Megabytes at most, processor seconds and wall seconds of one rendering."""
    command = [sys.executable, "-m", "fdnlearn", "render", network, str(dry), "-o", str(wet), *options]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    memory, processor = done.stdout.split()
    return float(memory), float(processor), time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", metavar="FDN.json")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 10.0, 60.0])
    parser.add_argument("--rate", type=int, default=48000)
    parser.add_argument("--channels", type=int, default=2)
    parser.add_argument("--sample-rate", help="rate of the result")
    options = parser.parse_args()
    more = ["--sample-rate", options.sample_rate] if options.sample_rate else []
    print(f"{options.channels} channels, {options.rate} Hz, load {os.getloadavg()[0]:.1f}; times real time")
    print(f"{'minutes':>7} {'peak/MB':>8} {'processor/s':>11} {'wall/s':>7} {'processor':>9} {'wall':>6}")
    with tempfile.TemporaryDirectory() as folder:
        dry, wet = Path(folder) / "dry.wav", Path(folder) / "wet.wav"
        for minutes in options.minutes:
            record_noise(dry, minutes, options.rate, options.channels)
            memory, processor, wall = measure(options.network, dry, wet, more)
            seconds = 60 * minutes
            print(
                f"{minutes:>7g} {memory:>8.0f} {processor:>11.1f} {wall:>7.1f} "
                f"{seconds / processor:>8.0f}x {seconds / wall:>5.0f}x",
                flush=True,
            )


if __name__ == "__main__":
    main()
