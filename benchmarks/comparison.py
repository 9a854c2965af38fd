"""Hold the methods against each other on measured rooms and write docs/comparison.md.

``FDNLEARN_ROOMS=rooms python benchmarks/comparison.py`` takes hours: rooms x methods x seeds x budgets. It can be
stopped at any time and goes on where it was; ``--no-run`` writes the page from what is there. With ``--threads 1`` as
many of these may run at a time as there are cores, each with other ``--methods`` or ``--budgets`` or ``--split``;
``--gather`` then makes one of their fits, without a new one. Every figure of the page comes from the `summary.json`
files of the runs. What stands between the two discussion marks of the page is written by hand and kept.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.registry import METHODS
from fdnlearn.report.formatting import format_effort, format_number, format_p
from fdnlearn.runs.study import VARIANTS, Plan, compare_methods, parse_methods
from fdnlearn.runs.study.page import verdict_sentence
from fdnlearn.runs.study.pairs import FEWEST_ROOMS
from fdnlearn.runs.study.quantities import COMPARED
from fdnlearn.runs.study.runner import Step

OPENAIR, YORK = "openairlib.net", "openairlib.net, AudioLab, University of York"

#: Settings were chosen on these rooms; file name without suffix -> credit and licence.
TUNE = {
    "arni_lab_35_3541": ("Prawda, Schlecht, Välimäki, Zenodo 10.5281/zenodo.6985104", "CC BY 4.0"),
    "seminar_room_clap": ("spatialaudio/communication-acoustics-exercises", "CC0 1.0"),
    "st_andrews_church": (f"D. T. Murphy, {YORK}", "CC BY-SA 3.0"),
    "surrey_room_a_16k": ("IoSR, University of Surrey", "MIT"),
    "terrys_typing_room": (f"D. T. Murphy, {YORK}", "CC BY-SA 3.0"),
    "living_room_noisy": (OPENAIR, "public domain"),
}
#: On these nothing was chosen.
REPORT = {
    "genesis6_studio_live_room": (OPENAIR, "CC BY 4.0"),
    "arthur_sykes_rymer_auditorium": (YORK, "CC BY 4.0"),
    "jack_lyons_concert_hall": (f"A. Duffell, A. Sridhar, Z. Li, {YORK}", "CC BY 4.0"),
    "st_margarets_church_york": (f"ncem.co.uk, {YORK}", "CC BY 4.0"),
    "tyndall_bruce_monument": (f"D. T. Murphy, {YORK}", "CC BY-SA 3.0"),
    "spokane_womans_club": (f"J. Cadwallader, {OPENAIR}", "CC BY 3.0"),
    "york_sports_centre_48k": (YORK, "CC BY-SA 3.0"),
    "karlskirche_vienna_balloon": ("jmuehlhans, Freesound 220752", "CC0 1.0"),
    "frl_example_room": ("facebookresearch/BinauralSDM", "CC BY 4.0"),
    "bbc_rd_listening_room": ("BBC R&D, bbc/bbcrd-brirs", "CC BY-SA 4.0"),
}
SPLITS = {"report": ("Rooms for reporting", REPORT), "tune": ("Rooms for tuning", TUNE)}
BEGIN, END = "<!-- discussion -->", "<!-- end of discussion -->"

Document = Mapping[str, Any]


def run(split: str, budget_s: float, rooms: Sequence[Path], options: argparse.Namespace) -> None:
    """Finish one comparison; progress goes to stderr, a line for each fit."""
    last = ""

    def show(step: Step) -> bool:
        nonlocal last
        if step.doing != last:
            last = step.doing
            print(
                f"{split} {budget_s:g} s  {step.done}/{step.cells}  {step.doing}", file=sys.stderr, flush=True
            )
        return bool(options.gather)

    plan = Plan(
        tuple(rooms),
        parse_methods(options.methods),
        seeds=options.seeds,
        budget_s=budget_s,
        threads=options.threads,
    )
    compare_methods(plan, place(options.work, split, budget_s), resume=True, callback=show)


def place(work: Path, split: str, budget_s: float) -> Path:
    """Folder of one comparison."""
    return work / f"{split}-{budget_s:g}s"


def page(summaries: Mapping[tuple[str, float], Document], discussion: str) -> str:
    """The whole document."""
    lines = [
        "# Gradient descent against the alternatives",
        "",
        "Written by `benchmarks/comparison.py`; every figure comes from the runs named here.",
        "",
        *_setup(list(summaries.values())),
    ]
    if discussion:
        lines += ["", "## Discussion", "", BEGIN, discussion, END]
    for split, (title, _) in SPLITS.items():
        found = {budget: summary for (name, budget), summary in summaries.items() if name == split}
        if not found:
            continue
        lines += ["", f"## {title}"]
        for budget_s, summary in sorted(found.items(), reverse=True):
            lines += ["", f"### {budget_s:g} s a fit, {len(summary['rooms'])} rooms", *_results(summary)]
    return "\n".join([*lines, "", *_credits(summaries), ""])


def _setup(summaries: Sequence[Document]) -> list[str]:
    settings = summaries[0]["settings"]
    dates = sorted({date for summary in summaries for date in summary["dates"]})
    machines: list[Document] = []
    for summary in summaries:
        machines += [machine for machine in summary["machines"] if machine not in machines]
    tolerances = ", ".join(
        f"{c.quantity.symbol} {c.tolerance:g} {c.quantity.error_unit}".strip() for c in COMPARED if c.judged
    )
    lines = [
        f"{settings['lines']} lines at {settings['sample_rate_hz'] / 1000:g} kHz, {settings['seeds']} seed(s), "
        f"{settings['threads']} thread(s) a fit, no more of them at a time than cores, methods taking turns; "
        "everything is compiled before the first fit, and the time of a fit holds everything up to whole-sample "
        "delays. All methods use the same kernels; those that search evaluate batches in one call. How their "
        "settings were found is told in "
        "[decisions.md](decisions.md).",
        "",
        "Errors are absolute, broadband, on whole-sample delays, seeds averaged first, medians over rooms. A room "
        "counts for a quantity if its recording allows it; where a fit has no value it is a miss and ranks last. "
        "Tests are two-sided Wilcoxon signed-rank tests over rooms, corrected after Holm over the six judged "
        f"quantities of a pair (EDT and Ts are reported, not judged; below {FEWEST_ROOMS} rooms nothing can be "
        "significant); effect is the matched-pairs rank-biserial correlation, the interval a 95 % percentile "
        "bootstrap of the median difference. Worse by more than a quarter of a just-noticeable difference means: "
        f"{tolerances} (EDC rms is taken in steps of 1 dB, EDP rms in steps of the distance of two noises).",
        "",
        f"{', '.join(dates)}, {summaries[0]['program']}.",
        "",
        *("- " + ", ".join(f"{key} {value}" for key, value in machine.items()) for machine in machines),
    ]
    about: dict[str, str] = {}
    for summary in summaries:
        about |= summary["settings"]["methods"]
    lines += ["", *(f"- `{spec}`: {text}" for spec, text in about.items() if text)]
    return lines


def _results(summary: Document) -> list[str]:
    lines = ["", *_medians(summary), ""]
    if summary["cells"]["pending"]:
        lines += [f"**{summary['cells']['pending']} of {summary['cells']['total']} fits are missing.**", ""]
    for pair in summary["pairs"]:
        lines.append(f"- {verdict_sentence(pair)}")
    lines += ["", *_pairs(summary), "", *_losses(summary), "", *_by_room(summary)]
    failures = [
        f"- {f['room']}, {f['method'] or 'all methods'}, seed {f['seed']}: {f['reason']}"
        for f in summary["failures"]
    ]
    return [*lines, *(["", "Failed fits:", "", *failures] if failures else [])]


def _medians(summary: Document) -> list[str]:
    rows = []
    for spec, row in summary["methods"].items():
        cells = [
            _error(row["median"][c.key]["value"], c.quantity.error_decimals, row["median"][c.key])
            for c in COMPARED
        ]
        rows.append([f"`{spec}`", *cells, format_effort(row["seconds"]), format_effort(row["evaluations"])])
    counted = [
        str(max(row["median"][c.key]["rooms"] for row in summary["methods"].values())) for c in COMPARED
    ]
    return _table(["", *_heads(), "s", "evaluations"], [*rows, ["rooms", *counted, "", ""]])


def _pairs(summary: Document) -> list[str]:
    rows = []
    for pair in summary["pairs"]:
        for c in COMPARED:
            q = pair["quantities"][c.key]
            d = c.quantity.error_decimals
            interval = " … ".join(format_number(bound, d) for bound in q["interval"] or ()) or "—"
            effect, p, p_holm = format_number(q["effect"], 2), format_p(q["p"]), format_p(q["p_holm"])
            difference = format_number(q["median_difference"], d)
            name = f"{c.quantity.symbol}{f' / {c.quantity.error_unit}' if c.quantity.error_unit else ''}"
            rows.append(
                [
                    f"`{pair['rival']}`",
                    name,
                    difference,
                    interval,
                    effect,
                    p,
                    p_holm,
                    q["finding"] or "not judged",
                ]
            )
    heads = ["rival", "", "difference", "95 %", "effect", "p", "p, Holm", "finding"]
    title = "Quantity by quantity: rival minus the first method, positive favours the first"
    return _folded(title, _table(heads, rows)) if rows else []


def _losses(summary: Document) -> list[str]:
    """Rooms in which the first method is worse than a rival by more than is tolerated."""
    first, *rivals = summary["methods"]
    found = []
    for rival in rivals:
        for c in COMPARED:
            places = []
            for room in summary["rooms"]:
                errors = [room["methods"][spec]["error"] for spec in (first, rival)]
                if None in errors or c.key not in room["counts"]:
                    continue
                own, other = (float("inf") if e[c.key] is None else e[c.key] for e in errors)
                if own - other > c.tolerance:
                    decimals = c.quantity.error_decimals
                    places.append(
                        f"{room['name']} ({format_number(own, decimals)} against {format_number(other, decimals)})"
                    )
            if places:
                found.append(f"- `{rival}`, {c.quantity.symbol}: {', '.join(places)}")
    if not found:
        return [
            f"In no room is `{first}` worse than a rival by more than a quarter of a just-noticeable difference."
        ]
    return [f"Where `{first}` is worse by more than a quarter of a just-noticeable difference:", "", *found]


def _by_room(summary: Document) -> list[str]:
    rows = []
    for room in summary["rooms"]:
        for spec, row in room["methods"].items():
            if row["error"] is None:
                continue
            cells = [
                _error(row["error"][c.key], c.quantity.error_decimals, {"rooms": c.key in room["counts"]})
                for c in COMPARED
            ]
            rows.append(
                [
                    room["name"],
                    f"`{spec}`",
                    *cells,
                    format_effort(row["seconds"]),
                    format_number(row["loss"], 4),
                ]
            )
    table = _table(["room", "", *_heads(), "s", "loss"], rows)
    return _folded("Room by room", table)


def _credits(summaries: Mapping[tuple[str, float], Document]) -> list[str]:
    used: dict[str, float] = {}
    for summary in summaries.values():
        used |= {room["name"]: room["reverberation_time_s"] for room in summary["rooms"]}
    known = {**REPORT, **TUNE}
    rows = [[name, format_number(used[name], 2), *known[name]] for name in sorted(used)]
    return ["## Recordings", "", *_table(["room", "T60 / s", "credit", "licence"], rows)]


def _heads() -> list[str]:
    return [
        f"{c.quantity.symbol}{f' / {c.quantity.error_unit}' if c.quantity.error_unit else ''}"
        for c in COMPARED
    ]


def _error(value: float | None, decimals: int, counts: Document) -> str:
    if not counts["rooms"]:
        return "–"
    missed = f" ({counts['missed']} missed)" if counts.get("missed") else ""
    return ("missed" if value is None else format_number(value, decimals)) + missed


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = [
        "---" if head in ("", "room", "rival", "finding", "credit", "licence") else "---:" for head in heads
    ]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)]


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]


def _discussion(path: Path) -> str:
    """What was written by hand into an earlier page."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    _, found, rest = text.partition(BEGIN)
    return rest.partition(END)[0].strip("\n") if found else ""


def main() -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rooms", type=Path, default=os.environ.get("FDNLEARN_ROOMS"), help="folder of WAV files"
    )
    parser.add_argument("--work", type=Path, default=Path("build/comparison"), help="where the runs are kept")
    parser.add_argument("--budgets", default="5,60", help="seconds of each fit")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", default=",".join((*METHODS, *VARIANTS)))
    parser.add_argument("--threads", type=int, help="of each fit; by default all there are")
    parser.add_argument("--split", choices=SPLITS, help="these rooms only")
    parser.add_argument("--only", help="comma-separated names of rooms, to try things out")
    parser.add_argument("--gather", action="store_true", help="sum up the fits that are there; begin none")
    parser.add_argument("--no-run", action="store_true", help="write the page from the runs that are there")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/comparison.md"))
    options = parser.parse_args()
    budgets = [float(budget) for budget in options.budgets.split(",")]
    wanted = set(options.only.split(",")) if options.only else {*REPORT, *TUNE}
    try:
        if not options.no_run:
            if options.rooms is None:
                parser.error("name the folder of the rooms with --rooms or FDNLEARN_ROOMS")
            for budget_s in budgets:
                for split, (_, names) in SPLITS.items():
                    if options.split not in (None, split):
                        continue
                    if rooms := [options.rooms / f"{name}.wav" for name in names if name in wanted]:
                        run(split, budget_s, rooms, options)
        summaries = {}
        for split in SPLITS:
            for budget_s in budgets:
                path = place(options.work, split, budget_s) / "summary.json"
                if path.exists():
                    summaries[split, budget_s] = json.loads(path.read_text(encoding="utf-8"))
        if not summaries:
            raise FdnlearnError(str(options.work), "holds no runs", "run without --no-run")
    except FdnlearnError as error:
        raise SystemExit(f"comparison: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("comparison: interrupted; run it again to go on") from None
    options.output.write_text(page(summaries, _discussion(options.output)), encoding="utf-8")
    print(options.output)


if __name__ == "__main__":
    main()
