"""What benchmarks have found over time: `history.csv`, a line a figure, for comparison on equal machines.

Scripts append with ``--record`` only, so that a trial on a busy machine leaves no trace.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import platform
import subprocess
from pathlib import Path

PATH = Path(__file__).with_name("history.csv")
FIELDS = ("date", "commit", "machine", "load", "what", "figure", "unit")


def add_option(parser: argparse.ArgumentParser) -> None:
    """Give a script its ``--record``."""
    parser.add_argument("--record", action="store_true", help=f"append the figures to {PATH.name}")


def append(what: str, figure: float, unit: str, *, path: Path = PATH) -> None:
    """Append one line.

    Parameters
    ----------
    what : str
        Script and case, as "step N=6 16 kHz": the same words every time.
    figure : float
        Kept to four digits.
    unit : str
    path : Path
        The file; it begins with a line of names.
    """
    begins = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if begins:
            writer.writerow(FIELDS)
        load = f"{os.getloadavg()[0]:.1f}"
        digits = f"{figure:.4g}" if abs(figure) < 1e4 else f"{figure:.0f}"
        writer.writerow((datetime.date.today().isoformat(), _commit(), _machine(), load, what, digits, unit))


def _commit() -> str:
    """The commit that was measured, with a plus where files differ from it."""
    command = [
        "git",
        "-C",
        str(PATH.parent),
        "describe",
        "--always",
        "--exclude=*",
        "--abbrev=8",
        "--dirty=+",
    ]
    described = subprocess.run(command, capture_output=True, text=True, check=False)
    return described.stdout.strip() or "unknown"


def _machine() -> str:
    """Processor and number of cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"
