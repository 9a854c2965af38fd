"""``fdnlearn batch``: many recordings go in, a folder for each and an overview come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from fdnlearn import registry
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.cli.common import (
    NumberType,
    choice_option,
    config_option,
    count_option,
    duration,
    every_command,
    folder_option,
    number_option,
    print_json,
    say,
    warn,
)
from fdnlearn.cli.fit_options import fit_options
from fdnlearn.cli.interrupt import EXIT_INTERRUPTED, Interruptible, Interruption, stopping
from fdnlearn.cli.memory import LEARNING, require_memory
from fdnlearn.cli.progress import Shown, progress_bar

if TYPE_CHECKING:
    from fdnlearn.runs.many import BatchProgress, BatchResult

_STOPS = "stopping, the rooms under way are finished first"
_EPILOG = """RIR is a recording, a folder of them, a quoted pattern ("rooms/**/*.wav"), a SOFA file (one room for each
measurement), or a manifest: CSV or Parquet with a column path and, if need be, name, channel, measurement.

DIR receives rooms/NAME/ as from fdnlearn fit, summary.csv (and .parquet), failures.csv and overview.html. The same
command again goes on where the last one was stopped. A room that fails costs the others nothing; the exit code is then
1. Ctrl-C finishes the fits under way, a second one ends them."""


@click.command("batch", short_help="Fit many recordings.", epilog=_EPILOG)
@click.argument("recordings", metavar="RIR...", nargs=-1, required=True)
@folder_option("fdnlearn-batch")
@choice_option(
    "--engine",
    registry.ENGINES,
    "local",
    "Who fits: processes here, or a Ray cluster that shares DIR and the recordings.",
)
@count_option(
    "--workers", 65536, "Processes that fit.  [default: one a core; at most 4 on a GPU]", metavar="N"
)
@count_option("--threads", 4096, "Of each fit.", default=1, show_default=True)
@count_option("--together", 4096, "Rooms that one process fits side by side.  [default: 1; 32 on a GPU]")
@number_option(
    "--max-memory",
    "max_memory_gb",
    "GB",
    NumberType(0, 1e6, above=True),
    "Of all fits together; a room that needs more fails.",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Of a running Ray cluster, or auto.  [default: one on this machine]",
)
@number_option(
    "--gpus",
    "gpus",
    "X",
    NumberType(0, 64),
    "Share of a GPU that Ray gives each fit.  [default: 0]",
    default=0.0,
)
@click.option("--report", is_flag=True, help="Also write every room's report.html.")
@fit_options
@click.option("--force", is_flag=True, help="Remove the rooms of an earlier batch in DIR.")
@config_option
@every_command
@click.pass_obj
def command(
    interruptible: Interruptible,
    /,
    recordings: tuple[str, ...],
    folder: str,
    engine: str,
    workers: int | None,
    threads: int,
    together: int | None,
    max_memory_gb: float | None,
    address: str | None,
    gpus: float,
    report: bool,
    channel: int | Literal["all"] | None,
    stereo: bool,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Fit a network to each of many recordings, several at a time."""
    require_memory(LEARNING)
    from fdnlearn.base.errors import UsageError
    from fdnlearn.fitting import FitConfig
    from fdnlearn.runs.many import run_batch
    from fdnlearn.runs.many.engine import Resources
    from fdnlearn.runs.pipeline import Job

    for name, given in (("--address", address), ("--gpus", gpus or None)):
        if given is not None and engine == "local":
            raise UsageError(name, "belongs to a cluster", "add --engine ray")
    chosen = {name: value for name, value in settings.items() if value is not None}
    memory = None if max_memory_gb is None else max_memory_gb * 1e9
    with progress_bar() as show:
        try:
            done = run_batch(
                recordings,
                folder,
                Job(FitConfig.for_model(**chosen), channel, stereo, report),
                engine=engine,
                resources=Resources(workers, threads, memory, address, gpus, together),
                force=force,
                callback=stopping(interruptible, lambda progress: show(_shown(progress)), _STOPS),
            )
        except KeyboardInterrupt:
            if not interruptible.requested:
                raise
            raise Interruption("finished rooms are kept, the same command goes on") from None
    if as_json:
        print_json(_document(done))
    else:
        _print_summary(done)
    for failure in done.failures:
        warn(failure.room.name, failure.problem)
    if done.standing.failed > len(done.failures):
        warn(folder, f"{done.standing.failed} rooms failed, failures.csv lists them")
    if not done.complete:
        told = f"{done.standing.done} of {done.standing.total} rooms are done; the same command goes on"
        click.echo(f"fdnlearn: interrupted; {told}", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED)
    if done.standing.failed:
        raise click.exceptions.Exit(FdnlearnError.exit_code)


def _document(done: BatchResult) -> dict[str, Any]:
    from fdnlearn.runs.study.cells import finite_json

    standing = done.standing
    counts = {name: getattr(standing, name) for name in ("total", "skipped", "fitted", "failed")}
    document: dict[str, Any] = finite_json(
        {
            **counts,
            "repeated": done.repeated,
            "seconds": round(done.seconds, 3),
            "rooms_per_s": standing.rooms_per_s,
            "summary": done.summary,
            "folder": str(done.folder),
        }
    )
    return document


def _print_summary(done: BatchResult) -> None:
    from fdnlearn.report.formatting import format_number
    from fdnlearn.runs.study.quantities import COMPARED

    standing = done.standing
    before = f", {standing.skipped} had been before" if standing.skipped else ""
    say(f"{standing.fitted} rooms fitted in {done.seconds:.1f} s{before}, {standing.failed} failed")
    for compared in COMPARED:
        found = done.summary["errors"][compared.key]
        if found["rooms"] and compared.judged:
            decimals, unit = compared.quantity.error_decimals, compared.quantity.error_unit
            middle = "missed" if found["median"] is None else format_number(found["median"], decimals, unit)
            within = f"{100 * found['within_jnd']:.0f} % of {found['rooms']} within 1 JND"
            say(f"{compared.quantity.symbol:8} median {middle:>9}, {within}")
    say(f"rooms    {done.folder / 'rooms'}")
    say(f"overview {done.folder / 'overview.html'}")


def _shown(progress: BatchProgress) -> Shown:
    return Shown(describe(progress), progress.done, progress.total)


def describe(standing: BatchProgress) -> str:
    """Pace, time left and failures in one short line."""
    failed = f", {standing.failed} failed" if standing.failed else ""
    if standing.rooms_per_s is None or standing.left_s is None:
        return f"rooms{failed}"
    pace = f"{standing.rooms_per_s:.2g} rooms/s"
    return f"{pace}, {duration(standing.left_s)} left{failed}"
