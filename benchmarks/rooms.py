"""Fit every measured room with default settings and tabulate what came out.

    FDNLEARN_ROOMS=folder python benchmarks/rooms.py [--seed N] [--write docs/quality.md]

Each room goes through the same call as `fdnlearn fit`. Settings were tuned on the TUNE rooms only; medians are over
quantities that count on the recording itself, with their number.
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

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fitting import FitConfig
from fdnlearn.runs import fit_recording

TUNE = (
    "arni_lab_35_3541",
    "seminar_room_clap",
    "st_andrews_church",
    "surrey_room_a_16k",
    "terrys_typing_room",
    "living_room_noisy",
)
REPORT = (
    "genesis6_studio_live_room",
    "arthur_sykes_rymer_auditorium",
    "jack_lyons_concert_hall",
    "st_margarets_church_york",
    "tyndall_bruce_monument",
    "spokane_womans_club",
    "york_sports_centre_48k",
    "karlskirche_vienna_balloon",
    "frl_example_room",
    "bbc_rd_listening_room",
)

#: Heading, key of the value, its format; and key of the error, its unit, the bar on the median over REPORT rooms.
QUANTITIES = (
    ("T20 / s", "t20_s", ".2f", "t20_percent", "%", 4.0),
    ("T30 / s", "t30_s", ".2f", "t30_percent", "%", 2.0),
    ("EDT / s", "edt_s", ".2f", "edt_percent", "%", None),
    ("C80 / dB", "c80_db", ".2f", "c80_db", "dB", 0.4),
    ("D50 / %", "d50_percent", ".1f", "d50_pp", "pp", 1.0),
    ("Ts / ms", "ts_ms", ".1f", "ts_ms", "ms", None),
    ("DRR / dB", "drr_db", ".2f", "drr_db", "dB", None),
    ("EDC rms / dB", None, ".2f", "edc_rms_db", "dB", None),
    ("EDP rms", None, ".3f", "edp_rms", "", 0.12),
)


def fit(room: Path, seed: int) -> dict[str, Any] | None:
    """Metrics of one room's default fit, None if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = fit_recording(room, Path(folder) / "fit", FitConfig.for_model("homogeneous", seed=seed))
        except FdnlearnError as error:
            print(f"failed: {error}", flush=True)
            return None
        evaluation = done.evaluation
        for warning in evaluation.solution.target.warnings + evaluation.warnings:
            print(f"{room.stem}: {warning}", flush=True)
        return evaluation.metrics.to_json()


def counts(metrics: Mapping[str, Any], value_key: str | None) -> bool:
    """Whether a quantity counts on this recording; curve distances always do."""
    if value_key is None:
        return True
    return bool(metrics["measurable"]["broadband"][value_key.split("_")[0]]["counts"])


def cell(metrics: Mapping[str, Any] | None, quantity: Sequence[Any]) -> str:
    """``target → fit``, or the distance alone; in brackets where the quantity does not count."""
    _, value_key, form, error_key, _, _ = quantity
    if metrics is None:
        return "failed"
    if value_key is None:
        value = metrics["error"]["broadband"][error_key]
        return "–" if value is None else format(value, form)
    pair = [metrics[side]["broadband"][value_key] for side in ("target", "fitted")]
    text = " → ".join("–" if value is None else format(value, form) for value in pair)
    return text if counts(metrics, value_key) else f"({text})"


def median_row(results: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """Median error of each quantity with its number of rooms; a failed fit or an absent value is a miss."""
    row = []
    for _, value_key, form, error_key, unit, bar in QUANTITIES:
        errors = []
        for metrics in results:
            if metrics is None:
                errors.append(float("inf"))
            elif counts(metrics, value_key):
                value = metrics["error"]["broadband"][error_key]
                errors.append(float("inf") if value is None else value)
        text = (
            f"{statistics.median(errors):{form}} {unit}".strip() + f" (n = {len(errors)})" if errors else "–"
        )
        row.append(text if bar is None else f"{text}, bar {bar:g}")
    return row


def table(title: str, results: Mapping[str, Mapping[str, Any] | None]) -> str:
    """One Markdown table."""
    lines = [f"## {title}", "", "| room | " + " | ".join(q[0] for q in QUANTITIES) + " | fit / s |"]
    lines.append("|---|" + "---|" * (len(QUANTITIES) + 1))
    for name, metrics in results.items():
        seconds = "–" if metrics is None else f"{metrics['seconds']:.1f}"
        lines.append(f"| {name} | " + " | ".join(cell(metrics, q) for q in QUANTITIES) + f" | {seconds} |")
    seconds = [m["seconds"] for m in results.values() if m is not None]
    middle = f"{statistics.median(seconds):.1f}" if seconds else "–"
    lines.append("| **median error** | " + " | ".join(median_row(list(results.values()))) + f" | {middle} |")
    return "\n".join(lines)


def main() -> None:
    """Run the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="also write the tables into this Markdown file")
    arguments = parser.parse_args()
    folder = Path(os.environ["FDNLEARN_ROOMS"])
    parts = [
        "# Quality of the homogeneous model\n\n"
        "Default settings (6 lines, 16 kHz, delays snapped to whole samples), seed "
        f"{arguments.seed}, written by `benchmarks/rooms.py`. Target → fit; brackets: does not count on this recording "
        "(too little decay range, or C80 above 25 dB). EDC and EDP rms are distances between curves; two independent "
        "noises differ by 0.10 in EDP.\n\n"
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {version('torch')}, numba {version('numba')}."
    ]
    for title, names in (("REPORT rooms (never tuned on)", REPORT), ("TUNE rooms", TUNE)):
        found = {name: fit(folder / f"{name}.wav", arguments.seed) for name in names}
        parts.append(table(title, found))
        print(parts[-1], flush=True)
    if arguments.write:
        arguments.write.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
