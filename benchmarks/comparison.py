"""Hold the methods against each other on measured rooms; write docs/comparison.md and docs/comparison.csv.

``FDNLEARN_ROOMS=rooms python benchmarks/comparison.py`` takes hours: models x rooms x methods x seeds x budgets. It can
be stopped at any time and goes on where it was; ``--no-run`` writes the page from what is there. With ``--threads 1``
as many of these may run at a time as there are cores, each with another ``--model``, ``--budgets`` or ``--split``;
``--gather`` then makes one of their fits, without a new one. Every figure comes from the `summary.json` files of the
runs. A comparison of which the working folder has no run keeps its section and its rows, as does what is written by
hand between the two discussion marks of the page.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from comparison_figures import write_figures

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.registry import METHODS, MODELS
from fdnlearn.report.formatting import format_effort, format_number
from fdnlearn.runs.study import VARIANTS, Plan, compare_methods, parse_methods
from fdnlearn.runs.study.pairs import FEWEST_ROOMS
from fdnlearn.runs.study.progress import StudyProgress
from fdnlearn.runs.study.quantities import COMPARED

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
#: `Compared.tolerance` is a quarter of a just-noticeable difference.
_QUARTERS = 4
BEGIN, END = "<!-- discussion -->", "<!-- end of discussion -->"

Document = Mapping[str, Any]


class Comparison(NamedTuple):
    """Which of the comparisons; its fields begin every row of the table."""

    model: str
    room_set: str
    budget_s: float

    @property
    def heading(self) -> str:
        """Of its section."""
        return f"### {self.model}, {SPLITS[self.room_set][0].lower()}, {self.budget_s:g} s a fit"

    def place(self, work: Path) -> Path:
        """Folder of its run."""
        return work / f"{self.model}-{self.room_set}-{self.budget_s:g}s"


def run(which: Comparison, rooms: Sequence[Path], options: argparse.Namespace) -> None:
    """Finish one comparison; progress goes to stderr, a line for each fit."""
    last = ""

    def show(step: StudyProgress) -> bool:
        nonlocal last
        if step.doing != last:
            last = step.doing
            print(
                f"{which.model} {which.room_set} {which.budget_s:g} s  {step.done}/{step.cells}  {step.doing}",
                file=sys.stderr,
                flush=True,
            )
        return bool(options.gather)

    plan = Plan.for_model(
        which.model,
        tuple(rooms),
        options.methods,
        seeds=options.seeds,
        budget_s=which.budget_s,
        threads=options.threads,
    )
    compare_methods(plan, which.place(options.work), resume=True, callback=show)


def page(summaries: Mapping[Comparison, Document], earlier: str) -> str:
    """The whole document; of the earlier one stays what no summary replaces."""
    discussion, known = _discussion(earlier), _sections(earlier)
    sections = {which.heading: section(summary) for which, summary in summaries.items()}
    lines = [
        "# Gradient descent against the alternatives",
        "",
        "Written by `benchmarks/comparison.py` from its runs. [comparison.csv](comparison.csv) holds every figure: "
        "medians, pairs with intervals and tests, every room, and each place where the gradient is worse; "
        "`benchmarks/comparison_figures.py` says what a row is.",
        "",
        "## Method",
        "",
        *_method(),
    ]
    if discussion:
        lines += ["", BEGIN, discussion, END]
    lines += [
        "",
        "## Medians",
        "",
        "Over the rooms of a set, seeds averaged first. The last column counts the judged quantities in which "
        "the first method is significantly better, and worse, than that of the row; *within* is the number of rooms in "
        "which every judged quantity that counts is within one just-noticeable difference.",
    ]
    for which in _in_order(summaries, known):
        lines += ["", which.heading, "", *(sections.get(which.heading) or known[which.heading])]
    return "\n".join([*lines, "", *_credits(summaries, earlier), ""])


def _in_order(
    summaries: Mapping[Comparison, Document], known: Mapping[str, Sequence[str]]
) -> list[Comparison]:
    """All comparisons that there are, in the order of the page."""
    budgets = {float(words[-4]) for words in (heading.split() for heading in known)}
    budgets |= {which.budget_s for which in summaries}
    possible = [
        Comparison(model, split, budget)
        for model in sorted(MODELS)
        for split in SPLITS
        for budget in sorted(budgets, reverse=True)
    ]
    return [which for which in possible if which in summaries or which.heading in known]


def section(summary: Document) -> list[str]:
    """Under what conditions, and the medians."""
    settings = summary["settings"]
    lines = f"{settings['lines']} lines" if settings["lines"] else "as many lines as the room asks for"
    conditions = (
        f"{len(summary['rooms'])} rooms, {lines} at {settings['sample_rate_hz'] / 1000:g} kHz, "
        f"{settings['seeds']} seed(s), {settings['threads']} thread(s) a fit; {', '.join(summary['dates'])}, "
        f"{summary['program']}, "
        + "; ".join(", ".join(f"{key} {value}" for key, value in one.items()) for one in summary["machines"])
    )
    return [f"{conditions}.", *_results(summary)]


def _sections(earlier: str) -> dict[str, list[str]]:
    """What an earlier page has under the heading of every comparison."""
    found: dict[str, list[str]] = {}
    _, _, rest = earlier.partition("\n## Medians\n")
    for part in rest.partition("\n## ")[0].split("\n### ")[1:]:
        heading, _, text = part.partition("\n")
        found[f"### {heading}"] = text.strip("\n").split("\n")
    return found


def _method() -> list[str]:
    tolerances = ", ".join(
        f"{c.quantity.symbol} {c.tolerance:g} {c.quantity.error_unit}".strip() for c in COMPARED if c.judged
    )
    about = {spec: text for spec in (*METHODS, *VARIANTS) if (text := parse_methods(spec)[0].about)}
    return [
        "No more fits at a time than cores, methods taking turns; everything is compiled before the first fit, and the "
        "time of a fit holds everything up to whole-sample delays. All methods use the same kernels, those of the "
        "banded model the loop in the time domain where the gradient does; those that search evaluate batches in one "
        "call. How their settings were found is told in [tuning.md](tuning.md).",
        "",
        "Errors are absolute, broadband, on whole-sample delays, seeds averaged first, medians over rooms. A room "
        "counts for a quantity if its recording allows it; where a fit has no value it is a miss and ranks last. "
        "Tests are two-sided Wilcoxon signed-rank tests over rooms, corrected after Holm over the six judged "
        f"quantities of a pair (EDT and Ts are reported, not judged; below {FEWEST_ROOMS} rooms nothing can be "
        "significant); effect is the matched-pairs rank-biserial correlation, the interval a 95 % percentile "
        "bootstrap of the median difference. Worse by more than a quarter of a just-noticeable difference means: "
        f"{tolerances} (EDC rms is taken in steps of 1 dB, EDP rms in steps of the distance of two noises).",
        "",
        *(f"- `{spec}`: {text}" for spec, text in about.items()),
    ]


def _results(summary: Document) -> list[str]:
    lines = ["", *_medians(summary), ""]
    if summary["cells"]["pending"]:
        lines += [f"**{summary['cells']['pending']} of {summary['cells']['total']} fits are missing.**", ""]
    lines.append(_worse_medians(summary))
    failures = [
        f"- {f['room']}, {f['method'] or 'all methods'}, seed {f['seed']}: {f['reason']}"
        for f in summary["failures"]
    ]
    return [*lines, *(["", "Failed fits:", "", *failures] if failures else [])]


def _medians(summary: Document) -> list[str]:
    verdicts = {
        pair["rival"]: f"{pair['better_on']}, {pair['worse_on']} of {pair['judged']}"
        for pair in summary["pairs"]
    }
    rows = []
    for spec, row in summary["methods"].items():
        cells = [_error(row["median"][c.key], c.quantity.error_decimals) for c in COMPARED]
        effort = [format_effort(row["seconds"]), format_effort(row["evaluations"])]
        rows.append([f"`{spec}`", *cells, str(_within(summary, spec)), *effort, verdicts.get(spec, "")])
    counted = [
        str(max(row["median"][c.key]["rooms"] for row in summary["methods"].values())) for c in COMPARED
    ]
    heads = ["", *_heads(), "within", "s", "evaluations", "better, worse"]
    return _table(heads, [*rows, ["rooms", *counted, str(len(summary["rooms"])), "", "", ""]])


def _within(summary: Document, spec: str) -> int:
    """In how many rooms a method is within one just-noticeable difference in every judged quantity that counts."""
    found = 0
    for room in summary["rooms"]:
        errors = room["methods"][spec]["error"] or {}
        counted = [c for c in COMPARED if c.judged and c.key in room["counts"]]
        values = [(errors.get(c.key), _QUARTERS * c.tolerance) for c in counted]
        found += all(value is not None and value <= most for value, most in values)
    return found


def _worse_medians(summary: Document) -> str:
    """The medians of the first method that are worse than a rival's by more than is tolerated."""
    first = next(iter(summary["methods"]))
    worse = [
        f"{c.quantity.symbol} (`{pair['rival']}`)"
        for pair in summary["pairs"]
        for c in COMPARED
        if c.judged and pair["quantities"][c.key]["worse_median"]
    ]
    if worse:
        return f"Medians of `{first}` worse by more than a quarter of a JND: {', '.join(worse)}."
    return f"No median of `{first}` is worse than another method's by more than a quarter of a JND."


def _credits(summaries: Mapping[Comparison, Document], earlier: str) -> list[str]:
    rows = {}
    for line in earlier.partition("\n## Recordings\n")[2].splitlines()[3:]:
        room, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
        rows[room] = cells
    known = {**REPORT, **TUNE}
    for summary in summaries.values():
        for room in summary["rooms"]:
            rows[room["name"]] = [format_number(room["reverberation_time_s"], 2), *known[room["name"]]]
    table = [[name, *rows[name]] for name in sorted(rows)]
    return ["## Recordings", "", *_table(["room", "T60 / s", "credit", "licence"], table)]


def _heads() -> list[str]:
    return [
        f"{c.quantity.symbol}{f' / {c.quantity.error_unit}' if c.quantity.error_unit else ''}"
        for c in COMPARED
    ]


def _error(median: Document, decimals: int) -> str:
    if not median["rooms"]:
        return "–"
    missed = f" ({median['missed']} missed)" if median["missed"] else ""
    return ("missed" if median["value"] is None else format_number(median["value"], decimals)) + missed


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = [
        "---" if head in ("", "room", "rival", "finding", "credit", "licence") else "---:" for head in heads
    ]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)]


def _discussion(earlier: str) -> str:
    """What was written by hand into an earlier page."""
    _, found, rest = earlier.partition(BEGIN)
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
    parser.add_argument("--budgets", default="2,10,60", help="seconds of each fit")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", choices=sorted(MODELS), help="this one only")
    parser.add_argument("--methods", help="of each model by default all that fit it, without variants")
    parser.add_argument("--threads", type=int, help="of each fit; by default all there are")
    parser.add_argument("--split", choices=SPLITS, help="these rooms only")
    parser.add_argument("--only", help="comma-separated names of rooms, to try things out")
    parser.add_argument("--gather", action="store_true", help="sum up the fits that are there; begin none")
    parser.add_argument(
        "--no-run", action="store_true", help="write page and table from the runs that are there"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/comparison.md"))
    options = parser.parse_args()
    budgets = [float(budget) for budget in options.budgets.split(",")]
    wanted = set(options.only.split(",")) if options.only else {*REPORT, *TUNE}
    every = [
        Comparison(model, split, budget_s)
        for model in sorted(MODELS)
        for budget_s in budgets
        for split in SPLITS
        if options.model in (None, model) and options.split in (None, split)
    ]
    try:
        if not options.no_run:
            if options.rooms is None:
                parser.error("name the folder of the rooms with --rooms or FDNLEARN_ROOMS")
            for which in every:
                names = SPLITS[which.room_set][1]
                if rooms := [options.rooms / f"{name}.wav" for name in names if name in wanted]:
                    run(which, rooms, options)
        summaries = {}
        for which in every:
            path = which.place(options.work) / "summary.json"
            if path.exists():
                summaries[which] = json.loads(path.read_text(encoding="utf-8"))
        if not summaries:
            raise FdnlearnError(str(options.work), "holds no runs", "run without --no-run")
    except FdnlearnError as error:
        raise SystemExit(f"comparison: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("comparison: interrupted; run it again to go on") from None
    earlier = options.output.read_text(encoding="utf-8") if options.output.exists() else ""
    options.output.write_text(page(summaries, earlier), encoding="utf-8")
    figures = options.output.with_suffix(".csv")
    by_key = {(which.model, which.room_set, which.budget_s): summary for which, summary in summaries.items()}
    write_figures(figures, by_key)
    print(options.output, figures)


if __name__ == "__main__":
    main()
