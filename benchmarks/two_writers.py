"""Two fits into one folder at once, again and again: one finishes, the other is refused, nothing is lost.

    python benchmarks/two_writers.py --times 50

Two processes fit the example room briefly, with seeds 1 and 2, into the same folder; the second starts up to
``--spread`` seconds after the first, at random. Where they do not overlap both are in the right: the second finds
results.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fdnlearn import FdnlearnError, example_path, load_fdn
from fdnlearn.runs.folder import RESULTS

OPTIONS = ("--model", "homogeneous", "--iterations", "20", "--restarts", "1")
#: What the one that is refused may say.
BUSY, TOO_LATE = "another fit is running in it", "already holds results"


def start(folder: Path, seed: int) -> subprocess.Popen[str]:
    """A fit of the example room."""
    room = str(example_path("small_room"))
    command = [
        sys.executable,
        "-m",
        "fdnlearn",
        "fit",
        room,
        "-o",
        str(folder),
        *OPTIONS,
        "--seed",
        str(seed),
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def what_is_wrong(folder: Path, codes: list[int], lines: list[list[str]]) -> str:
    """Why an end is not a right one; empty if it is."""
    if sorted(codes) != [0, 1]:
        return f"exit codes {codes}: {lines}"
    winner = codes.index(0)
    refusal = lines[1 - winner]
    if len(refusal) != 1 or not (BUSY in refusal[0] or TOO_LATE in refusal[0]):
        return f"the loser said {refusal}"
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if there != set(RESULTS):
        return f"the folder holds {sorted(there)}"
    try:
        fdn = load_fdn(folder / "fdn.json")
    except FdnlearnError as error:
        return str(error)
    seeds = {fdn.provenance["seed"], json.loads((folder / "metrics.json").read_text())["settings"]["seed"]}
    return "" if seeds == {winner + 1} else f"fit {winner + 1} finished, seeds {seeds} are there"


def main() -> None:
    """Print how the fits ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--spread", type=float, default=2.0, help="largest time between the starts, seconds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(options.times):
            folder = Path(scratch, f"turn{turn}", "out")
            first = start(folder, 1)
            time.sleep(chance.uniform(0.0, options.spread))
            processes = [first, start(folder, 2)]
            said = [process.communicate()[1].splitlines() for process in processes]
            codes = [process.returncode for process in processes]
            problem = what_is_wrong(folder, codes, said)
            ends["finished"] += codes.count(0)
            ends["refused"] += sum(any(BUSY in line for line in lines) for lines in said)
            ends["too late"] += sum(any(TOO_LATE in line for line in lines) for lines in said)
            ends["lost"] += bool(problem)
            if problem:
                print(f"turn {turn}: {problem}", flush=True)
    print(
        f"{options.times} times two fits: {ends['finished']} finished, {ends['refused']} refused while the other ran, "
        f"{ends['too late']} after it, {ends['lost']} wrong; load {os.getloadavg()[0]:.1f}"
    )
    sys.exit(bool(ends["lost"]))


if __name__ == "__main__":
    main()
