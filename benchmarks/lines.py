"""What more lines buy: quality and seconds of banded fits over the number of lines.

    FDNLEARN_ROOMS=folder python benchmarks/lines.py [--lines 8 16 24 32 48 64] [--rooms ROOM ...] [--keep DIR]

TUNE rooms only, for the rule that chooses the number is among what is tuned. One row a number of lines, over all rooms:
counted octave bands that keep their bar, median echo density and loss, seconds of the fit, multiplications a sample of
what a renderer plays. With --keep the fits stay in DIR, and those that are there are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

from octaves import BARS, Metrics, kept
from rooms import TUNE

from fdnlearn.fdn import load_fdn
from fdnlearn.fitting import FitConfig
from fdnlearn.runs import fit_recording

#: Of a section, direct form.
_SECTION = 5


def fit(room: Path, lines: int, keep: Path) -> Metrics:
    """Metrics of one fit, and what a sample of it costs."""
    folder = keep / f"{room.stem}-{lines}"
    if not (folder / "fdn.json").exists():
        fit_recording(room, folder, FitConfig.for_model("banded", lines=lines), force=True)
    fdn = load_fdn(folder / "fdn.json")
    metrics: Metrics = json.loads((folder / "metrics.json").read_text())
    sections = len(metrics["measurable"]["octave"]) if fdn.absorption is not None else 0
    return {**metrics, "multiplications": lines * (lines + 2 + _SECTION * sections)}


def main() -> None:
    """Print a row for each number of lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, nargs="+", default=[8, 16, 24, 32, 48, 64])
    parser.add_argument("--rooms", nargs="+", default=sorted(TUNE))
    parser.add_argument("--keep", type=Path, help="where fits stay and are found again")
    options = parser.parse_args()
    folder = Path(os.environ["FDNLEARN_ROOMS"])
    print("| lines | T30 | C80 | EDT | DRR | EDP rms | loss | fit / s | multiplications |")
    print("|---" * 9 + "|")
    with tempfile.TemporaryDirectory() as temporary:
        for lines in options.lines:
            found = [
                fit(folder / f"{room}.wav", lines, options.keep or Path(temporary)) for room in options.rooms
            ]
            counts = [kept(metrics) for metrics in found]
            bands = [
                f"{sum(each[key][0] for each in counts)}/{sum(each[key][1] for each in counts)}"
                for key, _, _ in BARS
            ]
            echo, loss, seconds = (
                statistics.median(values)
                for values in (
                    [m["error"]["broadband"]["edp_rms"] for m in found],
                    [m["loss"] for m in found],
                    [m["seconds"] for m in found],
                )
            )
            cost = round(statistics.median(m["multiplications"] for m in found))
            print(
                f"| {lines} | {' | '.join(bands)} | {echo:.3f} | {loss:.3f} | {seconds:.0f} | {cost} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
