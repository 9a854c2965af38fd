"""Fit every measured room with the banded model and tabulate its octaves.

    FDNLEARN_ROOMS=folder python benchmarks/octaves.py [--seed N] [--only ROOM,ROOM] [--write docs/quality-banded.md]

Each room goes through the same call as `fdnlearn fit --model banded`. Settings were tuned on the TUNE rooms only. What
counts is decided on the recording alone; a failed fit and a value that is not there are misses.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rooms import REPORT, TUNE

from fdnlearn.errors import FdnlearnError
from fdnlearn.fitting import FitConfig
from fdnlearn.jobs import fit_recording

Metrics = Mapping[str, Any]

#: Quantity, its bar in words, and the share of counted bands (of rooms for DRR) that is to keep it.
BARS = (
    ("t30", "T30 within 5 %", 0.88),
    ("c80", "C80 within 1 dB", 0.94),
    ("edt", "EDT within max(10 %, 20 ms)", 0.80),
    ("drr", "DRR within 0.5 dB", 0.90),
)


def within(name: str, error: Mapping[str, float | None]) -> bool:
    """Whether an error keeps its bar."""
    limits = {"t30": (("t30_percent", 5.0),), "c80": (("c80_db", 1.0),), "drr": (("drr_db", 0.5),)}
    limits["edt"] = (("edt_percent", 10.0), ("edt_ms", 20.0))
    values = [(error[key], most) for key, most in limits[name]]
    return any(value is not None and value <= most for value, most in values)


def kept(metrics: Metrics) -> dict[str, tuple[int, int]]:
    """How many counted bands keep each bar, and how many count; the room itself for DRR."""
    found = {}
    for name, _, _ in BARS[:3]:
        counted = [hz for hz, row in metrics["measurable"]["octave"].items() if row[name]["counts"]]
        found[name] = (sum(within(name, metrics["error"]["octave"][hz]) for hz in counted), len(counted))
    found["drr"] = (int(within("drr", metrics["error"]["broadband"])), 1)
    return found


def cells(metrics: Metrics, hz: str) -> str:
    """Errors of one octave: T30 / %, C80 / dB, EDT / %; in brackets what does not count, bold what misses its bar."""
    if hz not in metrics["error"]["octave"]:
        return "–"
    error, counts = metrics["error"]["octave"][hz], metrics["measurable"]["octave"][hz]
    parts = []
    for name, key, form in (
        ("t30", "t30_percent", ".1f"),
        ("c80", "c80_db", ".2f"),
        ("edt", "edt_percent", ".0f"),
    ):
        text = "–" if error[key] is None else format(error[key], form)
        if not counts[name]["counts"]:
            text = f"({text})"
        elif not within(name, error):
            text = f"**{text}**"
        parts.append(text)
    return " / ".join(parts)


def fit(room: Path, seed: int) -> Metrics:
    """Metrics of one room's default fit."""
    with tempfile.TemporaryDirectory() as folder:
        done = fit_recording(room, Path(folder) / "fit", FitConfig.for_model("banded", seed=seed))
        return {**done.metrics, "lines": done.fdn.lines}


def table(title: str, results: Mapping[str, Metrics | None]) -> str:
    """One Markdown table and, below it, how many bands keep each bar."""
    octaves = ("125", "250", "500", "1000", "2000", "4000", "8000")
    head = ["room", *(f"{hz} Hz" for hz in octaves), "DRR / dB", "EDP rms", "lines", "fit / s"]
    lines = [f"## {title}", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    totals = {name: [0, 0] for name, _, _ in BARS}
    for name, metrics in results.items():
        if metrics is None:
            lines.append(f"| {name} | failed" + " | " * (len(head) - 2) + "|")
            totals["drr"][1] += 1
            continue
        broad = metrics["error"]["broadband"]
        told = [
            f"{broad['drr_db']:.2f}",
            f"{broad['edp_rms']:.3f}",
            str(metrics["lines"]),
            f"{metrics['seconds']:.0f}",
        ]
        lines.append(f"| {name} | " + " | ".join([*(cells(metrics, hz) for hz in octaves), *told]) + " |")
        for key, (good, counted) in kept(metrics).items():
            totals[key][0] += good
            totals[key][1] += counted
    lines.append("")
    for name, words, bar in BARS:
        good, counted = totals[name]
        share = f"{100 * good / counted:.0f} %" if counted else "–"
        lines.append(f"- {words}: **{good} of {counted}** ({share}; bar {100 * bar:.0f} %)")
    errors = [m["error"]["broadband"]["edp_rms"] for m in results.values() if m is not None]
    if errors:
        lines.append(
            f"- echo density, median rms: {statistics.median(errors):.3f} (two noises: 0.10 at 16 kHz)"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="rooms, separated by commas")
    parser.add_argument("--write", type=Path, help="also write the tables into this Markdown file")
    options = parser.parse_args(arguments)
    folder = Path(os.environ["FDNLEARN_ROOMS"])
    wanted = set(options.only.split(",")) if options.only else {*REPORT, *TUNE}
    parts = [
        "# Quality of the banded model\n\n"
        f"`fdnlearn fit --model banded`, default settings (48 kHz at most, delays whole samples), seed {options.seed}, "
        "written by `benchmarks/octaves.py`. Each octave: error of T30 in %, of C80 in dB, of EDT in %; in brackets "
        "what does not count on this recording, bold what misses its bar.\n\n"
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {version('torch')}, numba {version('numba')}."
    ]
    for title, names in (("REPORT rooms (never tuned on)", REPORT), ("TUNE rooms", TUNE)):
        found: dict[str, Metrics | None] = {}
        for name in (n for n in names if n in wanted):
            try:
                found[name] = fit(folder / f"{name}.wav", options.seed)
            except FdnlearnError as error:
                print(f"failed: {error}", flush=True)
                found[name] = None
        parts.append(table(title, found))
        print(parts[-1], flush=True)
    if options.write:
        options.write.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
