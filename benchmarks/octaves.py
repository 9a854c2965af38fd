"""Fit every measured room with the banded model and tabulate its octaves and its colour, against the recording.

    FDNLEARN_ROOMS=folder python benchmarks/octaves.py [--seeds K] [--only ROOM,ROOM] [--keep DIR]
                                                       [--write docs/quality-banded.md]

Each room goes through the same call as `fdnlearn fit --model banded`. Settings were tuned on the TUNE rooms only. What
counts is decided on the recording alone; a failed fit and a value that is not there are misses. With --keep the fits
stay in DIR, and those that are there are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba
from rooms import REPORT, TUNE

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fdn import load_fdn
from fdnlearn.fitting import FitConfig
from fdnlearn.runs import fit_recording

Metrics = Mapping[str, Any]

#: Quantity, its bar in words, and the share of counted bands (of rooms for DRR) that is to keep it.
BARS = (
    ("t30", "T30 within 5 %", 0.97),
    ("c80", "C80 within 1 dB", 0.97),
    ("edt", "EDT within max(10 %, 20 ms)", 0.94),
    ("drr", "DRR within 0.5 dB", 1.00),
)
#: Part of the colour, and its bar: rms in the median room; and what no third octave is to be beyond, dB.
COLOUR_BARS = (("whole", "whole", 1.0), ("late", "from 50 ms on", 1.5))
WORST_DB = 3.0


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


def fit(room: Path, seed: int, keep: Path) -> Metrics | None:
    """Metrics of one room's default fit; None if it failed."""
    folder = keep / f"{room.stem}-{seed}"
    if not (folder / "fdn.json").exists():
        try:
            fit_recording(room, folder, FitConfig.for_model("banded", seed=seed), force=True)
        except FdnlearnError as error:
            print(f"failed: {error}", flush=True)
            return None
    metrics: Metrics = json.loads((folder / "metrics.json").read_text())
    return {**metrics, "lines": load_fdn(folder / "fdn.json").lines}


def table(title: str, results: Mapping[str, Metrics | None]) -> str:
    """One Markdown table and, below it, how many bands keep each bar."""
    octaves = ("125", "250", "500", "1000", "2000", "4000", "8000")
    head = [
        "room",
        *(f"{hz} Hz" for hz in octaves),
        "DRR / dB",
        "colour / dB",
        "late colour / dB",
        "decays / dB",
    ]
    head += ["EDP rms", "ringing", "lines", "fit / s"]
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
            *(colour_cell(metrics["colour"][part]) for part, _, _ in COLOUR_BARS),
            "–" if metrics["colour"]["decay_rms_db"] is None else f"{metrics['colour']['decay_rms_db']:.2f}",
            f"{broad['edp_rms']:.3f}",
            str(len(metrics["ringing"])),
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
    lines += colour_lines([metrics for metrics in results.values() if metrics is not None])
    errors = [m["error"]["broadband"]["edp_rms"] for m in results.values() if m is not None]
    if errors:
        lines.append(
            f"- echo density, median rms: {statistics.median(errors):.3f} (two noises: 0.10 at 16 kHz)"
        )
    return "\n".join(lines)


def colour_cell(part: Mapping[str, Any]) -> str:
    """Rms and worst third octave, bold beyond its bar."""
    if part["rms_db"] is None:
        return "–"
    worst = f"{part['worst_db']:.1f} ({part['worst_hz']:g} Hz)"
    return f"{part['rms_db']:.2f}, {f'**{worst}**' if part['worst_db'] > WORST_DB else worst}"


def colour_lines(rooms: Sequence[Metrics]) -> list[str]:
    """The median room's colour, and in how many rooms a third octave is beyond its bar."""
    lines = []
    for key, words, bar in COLOUR_BARS:
        parts = [metrics["colour"][key] for metrics in rooms if metrics["colour"][key]["rms_db"] is not None]
        if parts:
            median = statistics.median(part["rms_db"] for part in parts)
            beyond = sum(part["worst_db"] > WORST_DB for part in parts)
            lines.append(
                f"- colour, {words}: median rms **{median:.2f} dB** (bar {bar:g} dB), a third octave beyond "
                f"{WORST_DB:g} dB in **{beyond} of {len(parts)}** rooms (bar 0)"
            )
    return lines


def seeds_table(found: Mapping[str, Mapping[int, Mapping[str, Metrics | None]]]) -> str:
    """How many bands keep each bar with every seed, and the worst room of each."""
    lines = [
        "## Every seed",
        "",
        "| rooms | seed | "
        + " | ".join(words for _, words, _ in BARS)
        + " | colour, late / dB | ringing | worst room |",
        "|---" * (len(BARS) + 5) + "|",
    ]
    for title, by_seed in found.items():
        for seed, results in by_seed.items():
            done = {name: metrics for name, metrics in results.items() if metrics is not None}
            shares = {name: kept(metrics) for name, metrics in done.items()}
            cells, medians = [], []
            for key, _, _ in BARS:
                good, counted = (sum(share[key][i] for share in shares.values()) for i in (0, 1))
                cells.append(f"{good} of {counted}")
            for part in ("whole", "late"):
                rms = [
                    m["colour"][part]["rms_db"]
                    for m in done.values()
                    if m["colour"][part]["rms_db"] is not None
                ]
                medians.append(f"{statistics.median(rms):.2f}" if rms else "–")
            misses = {name: sum(c - g for g, c in share.values()) for name, share in shares.items()}
            worst = max(misses, key=lambda name: misses[name])
            rings = sum(len(metrics["ringing"]) for metrics in done.values())
            failed = len(results) - len(done)
            told = f"{worst} ({misses[worst]} misses)" + (f", {failed} failed" if failed else "")
            lines.append(
                f"| {title.split()[0]} | {seed} | {' | '.join(cells)} | {', '.join(medians)} | {rings} | {told} |"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="fits of each room, with seeds from 0")
    parser.add_argument("--keep", type=Path, help="where fits stay and are found again")
    parser.add_argument("--only", help="rooms, separated by commas")
    parser.add_argument("--write", type=Path, help="also write the tables into this Markdown file")
    options = parser.parse_args(arguments)
    folder = Path(os.environ["FDNLEARN_ROOMS"])
    wanted = set(options.only.split(",")) if options.only else {*REPORT, *TUNE}
    parts = [
        "# Quality of the banded model\n\n"
        f"`fdnlearn fit --model banded`, default settings (48 kHz at most, delays whole samples), seed 0, written by "
        "`benchmarks/octaves.py`. Each octave: error of T30 in %, of C80 in dB, of EDT in %; in brackets what does not "
        "count on this recording, bold what misses its bar; against the recording itself. Colour: third-octave levels, "
        "mean removed, rms and worst band, of the whole and from 50 ms on; decays: rms distance of third-octave decay "
        "curves. Ringing: lines of the late spectrum more than 12 dB above "
        "their third of an octave where the target has none, in two windows (mixing time to -30 dB, -30 to -50 dB).\n\n"
        f"{platform.machine()}, {os.cpu_count()} cores, {numba.get_num_threads()} thread(s) a fit, "
        f"Python {platform.python_version()}, "
        f"torch {version('torch')}, numba {version('numba')}."
    ]
    found: dict[str, dict[int, dict[str, Metrics | None]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        keep = options.keep or Path(temporary)
        for title, names in (("REPORT rooms (never tuned on)", REPORT), ("TUNE rooms", TUNE)):
            chosen = [name for name in names if name in wanted]
            if not chosen:
                continue
            found[title] = {
                seed: {name: fit(folder / f"{name}.wav", seed, keep) for name in chosen}
                for seed in range(options.seeds)
            }
            parts.append(table(title, found[title][0]))
            print(parts[-1], flush=True)
    if options.seeds > 1:
        parts.append(seeds_table(found))
        print(parts[-1], flush=True)
    if options.write:
        options.write.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
