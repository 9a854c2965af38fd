"""How far two fits of one room are apart that ran on different processors.

    FDNLEARN_ROOMS=folder python benchmarks/processors.py [--rooms ROOM,ROOM] [--keep DIR]

A processor without wide vectors adds in another order, and the descent carries last bits on until the networks differ.
`fdnlearn fit ROOM` runs here as on other processors, by what Numba, torch and OpenBLAS take from the environment.
For each room: loss, counted octaves within the bars of `octaves.py`, and how far what was fitted is from the fit of the
first line, over octaves that count on the recording: median and largest. Another seed stands last for comparison.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from octaves import BARS, kept
from rooms import TUNE

#: Words, settings of the environment, seed.
FITS: tuple[tuple[str, dict[str, str], int], ...] = (
    ("as it is", {}, 0),
    ("one thread", {"NUMBA_NUM_THREADS": "1"}, 0),
    (
        "no wide vectors",
        {
            "NUMBA_CPU_NAME": "generic",
            "ATEN_CPU_CAPABILITY": "default",
            "OPENBLAS_CORETYPE": "Prescott",
            "NUMBA_CACHE_DIR": "numba",  # compiled code of its own
        },
        0,
    ),
    ("another seed", {}, 1),
)
#: Key of a value, of its measurability, whether it is compared in percent.
COMPARED = (("t30_s", "t30", True), ("edt_s", "edt", True), ("c80_db", "c80", False))

Metrics = Mapping[str, Any]


def fit(room: Path, folder: Path, settings: Mapping[str, str], seed: int) -> Metrics:
    """Metrics of one fit in a process of its own, and the hash of its network."""
    if not (folder / "fdn.json").exists():
        own = dict(settings)
        if "NUMBA_CACHE_DIR" in own:
            own["NUMBA_CACHE_DIR"] = str(folder.parent / own["NUMBA_CACHE_DIR"])
        command = [sys.executable, "-m", "fdnlearn", "fit", str(room), "-o", str(folder), "--seed", str(seed)]
        subprocess.run(command, env=os.environ | own, check=True, stdout=subprocess.DEVNULL)
    metrics: Metrics = json.loads((folder / "metrics.json").read_text())
    return {**metrics, "sha256": hashlib.sha256((folder / "fdn.json").read_bytes()).hexdigest()[:8]}


def apart(one: Metrics, other: Metrics) -> list[str]:
    """Median and largest difference of what was fitted, for each quantity."""
    cells = []
    for value, key, relative in COMPARED:
        differences = []
        for hz, counts in one["measurable"]["octave"].items():
            a, b = (metrics["fitted"]["octave"][hz][value] for metrics in (one, other))
            if counts[key]["counts"] and a is not None and b is not None:
                differences.append(abs(a - b) * (100.0 / a if relative else 1.0))
        unit = "%" if relative else "dB"
        cells.append(f"{statistics.median(differences):.2f}, {max(differences):.2f} {unit}")
    return cells


def main() -> None:
    """Fit and print a table a room."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rooms", default="surrey_room_a_16k,arni_lab_35_3541", help=f"of {', '.join(TUNE)}")
    parser.add_argument("--keep", type=Path, help="where fits stay and are found again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        keep = options.keep or Path(temporary)
        for name in options.rooms.split(","):
            print(
                f"\n{name}\n\n| fit | fdn.json | loss | {' | '.join(words for _, words, _ in BARS)} |", end=""
            )
            print(" T30 apart | EDT apart | C80 apart |")
            print("|---" * (6 + len(BARS)) + "|")
            first: Metrics | None = None
            for words, settings, seed in FITS:
                folder = keep / f"{name}-{words.replace(' ', '-')}"
                metrics = fit(Path(os.environ["FDNLEARN_ROOMS"], f"{name}.wav"), folder, settings, seed)
                first = first or metrics
                bars = [f"{good} of {counted}" for good, counted in kept(metrics).values()]
                cells = [words, metrics["sha256"], f"{metrics['loss']:.4f}", *bars, *apart(first, metrics)]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
