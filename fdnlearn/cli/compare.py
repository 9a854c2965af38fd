"""``fdnlearn compare``: rooms, methods and seeds go in, what can be said about the methods comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fdnlearn import registry
from fdnlearn.cli.common import (
    budget_option,
    choice_option,
    count_option,
    every_command,
    folder_option,
    lines_option,
    print_json,
    print_table,
    sample_rate_option,
    say,
    warn,
)
from fdnlearn.cli.interrupt import EXIT_INTERRUPTED, Interruptible, Interruption, stopping
from fdnlearn.cli.memory import LEARNING, require_memory
from fdnlearn.cli.progress import Shown, progress_bar

if TYPE_CHECKING:
    from rich.table import Table

    from fdnlearn.runs.study.progress import StudyProgress

#: Methods side by side in 80 characters.
_COLUMNS = 5
_STOPS = "stopping, the fit under way is dropped and finished ones are kept"
_EPILOG = """Methods: {methods}. A method can be named without one of its parts: {variants}.

DIR receives summary.json, report.html and one file for every finished fit, in cells/. Ctrl-C loses the fit
under way and no other; --resume goes on from there, also with more rooms, methods or seeds."""


def _epilog() -> str:
    from fdnlearn.runs.study.methods import VARIANTS

    return _EPILOG.format(methods=", ".join(registry.METHODS), variants=", ".join(VARIANTS))


@click.command("compare", short_help="Hold methods against each other.", epilog=_epilog())
@click.argument("recordings", metavar="RIR...", nargs=-1, required=True)
@folder_option("fdnlearn-comparison")
@choice_option("--model", registry.MODELS, "homogeneous", "What is fitted.")
@click.option(
    "--methods",
    metavar="LIST",
    help="Comma-separated; the first is held against each of the others.  [default: all that fit the model]",
)
@count_option("--seeds", 1000, "Fits of each method in each room.", default=3, show_default=True)
@budget_option("Wall-clock time of each fit.", default=10.0, show_default=True)
@lines_option("Number of delay lines.  [default: the model's]")
@sample_rate_option("Rate of the fits.  [default: the model's]")
@count_option("--threads", 4096, "Of the kernels, for every method.  [default: all]")
@click.option("--resume", is_flag=True, help="Keep the finished fits in DIR.")
@click.option("--force", is_flag=True, help="Replace the fits in DIR.")
@every_command
@click.pass_obj
def command(
    interruptible: Interruptible,
    /,
    recordings: tuple[str, ...],
    folder: str,
    model: str,
    methods: str | None,
    resume: bool,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Fit every RIR by several methods, each for the same wall-clock time, and compare the results."""
    require_memory(LEARNING)
    from fdnlearn.runs.study import Plan, compare_methods

    plan = Plan.for_model(model, tuple(Path(path) for path in recordings), methods, **settings)
    with progress_bar() as show:

        def show_cell(progress: StudyProgress) -> None:
            show(Shown(progress.doing, progress.done, progress.cells))

        try:
            done = compare_methods(
                plan, folder, resume=resume, force=force, callback=stopping(interruptible, show_cell, _STOPS)
            )
        except KeyboardInterrupt:
            if not (Path(folder) / "cells").is_dir():
                raise
            raise Interruption("finished fits are kept, go on with --resume") from None
    if as_json:
        print_json({**done.summary, "folder": str(done.folder)})
    elif done.complete:
        _print_findings(done.summary)
        say(f"report  {done.folder / 'report.html'}")
    for failure in done.summary["failures"]:
        cell = f", {failure['method']}, seed {failure['seed']}" if failure["method"] else ""
        warn(f"{failure['room']}{cell}", failure["reason"])
    if not done.complete:
        cells = done.summary["cells"]
        told = f"{cells['total'] - cells['pending']} of {cells['total']} fits are done; go on with --resume"
        click.echo(f"fdnlearn: interrupted; {told}", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED)


def _print_findings(summary: Mapping[str, Any]) -> None:
    from fdnlearn.runs.study.page import verdict_sentence

    say(f"Median errors over {len(summary['rooms'])} room(s), {summary['settings']['budget_s']:g} s a fit")
    specs = list(summary["methods"])
    for first in range(0, len(specs), _COLUMNS):
        print_table(_medians(summary, specs[first : first + _COLUMNS]))
    for pair in summary["pairs"]:
        say(verdict_sentence(pair))


def _medians(summary: Mapping[str, Any], specs: Sequence[str]) -> Table:
    """Median errors over rooms, a column for each of some methods."""
    from rich import box
    from rich.table import Table

    from fdnlearn.report.formatting import format_effort, format_number
    from fdnlearn.runs.study.quantities import COMPARED

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    rows = [summary["methods"][spec] for spec in specs]
    for spec in specs:
        table.add_column(spec.replace(":", ":\n"), justify="right", overflow="fold")
    for compared in COMPARED:
        cells = []
        for row in rows:
            median = row["median"][compared.key]
            text = format_number(median["value"], compared.quantity.error_decimals)
            cells.append("missed" if median["value"] is None and median["missed"] else text)
        unit = compared.quantity.error_unit
        table.add_row(f"{compared.quantity.symbol}{f' / {unit}' if unit else ''}", *cells)
    table.add_section()
    table.add_row("Time / s", *(format_effort(row["seconds"]) for row in rows))
    table.add_row("Evaluations", *(format_effort(row["evaluations"]) for row in rows))
    table.add_row("Loss", *(format_effort(row["loss"]) for row in rows))
    return table
