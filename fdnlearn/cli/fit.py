"""``fdnlearn fit``: a recording goes in, a folder with a network comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from fdnlearn.cli.common import (
    config_option,
    duration,
    every_command,
    print_json,
    print_table,
    say,
    warn,
    was_given,
)
from fdnlearn.cli.fit_options import fit_options
from fdnlearn.cli.interrupt import EXIT_INTERRUPTED, Interruptible, Interruption, stopping
from fdnlearn.cli.memory import LEARNING, require_memory
from fdnlearn.cli.names import fit_folder
from fdnlearn.cli.progress import Shown, progress_bar

if TYPE_CHECKING:
    from fdnlearn.fitting import Progress
    from fdnlearn.rir import Target
    from fdnlearn.runs import RecordingFit

#: Steps after which the time of the rest is known well enough, and how long it has to be to be worth a line.
_TIMED_STEPS, _LONG_S = 3, 60.0

_STOPS = "stopping, the best network so far is kept"
_EPILOG = """DIR receives fdn.json (the network), ir.wav (what it renders), target.wav (the prepared
recording), metrics.json, history.csv and report.html. Ctrl-C keeps the best network so far;
--resume goes on from there."""


@click.command("fit", short_help="Fit a network to a recording.", epilog=_EPILOG)
@click.argument("rir", metavar="RIR")
@click.option(
    "-o",
    "folder",
    metavar="DIR",
    help="Where the results go.  [default: RIR's name with -fdn; if that is another recording's, with its folder's "
    "name in front]",
)
@fit_options
@click.option("--resume", is_flag=True, help="Continue the unfinished fit in DIR, with its settings.")
@click.option("--force", is_flag=True, help="Replace results in DIR.")
@config_option
@every_command
@click.pass_obj
def command(
    interruptible: Interruptible,
    /,
    rir: str,
    folder: str | None,
    channel: int | Literal["all"] | None,
    stereo: bool,
    resume: bool,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Fit a Feedback Delay Network to RIR, a measured room impulse response.

    RIR may be WAV, W64, FLAC, AIFF, CAF, AU or SOFA.
    """
    require_memory(LEARNING)
    from fdnlearn.fitting import FitConfig
    from fdnlearn.runs import fit_recording
    from fdnlearn.runs.folder import ResultFolder

    recording = Path(rir)
    destination = Path(folder) if folder else fit_folder(recording)
    chosen = {"channel": channel, "stereo": stereo, **settings}
    results = ResultFolder(destination)
    if resume:
        named = {name: value for name, value in chosen.items() if was_given(name)}
        chosen = results.settings_to_resume(named) or chosen
    of_signals = {name: chosen.pop(name) for name in ("channel", "stereo")}

    def begin(target: Target) -> None:
        if resume and not results.checkpoint.exists():
            warn(str(destination), "holds nothing to resume: this fit begins anew")
        warn(rir, *target.warnings)

    try:
        with progress_bar(recording.name) as show:
            done = fit_recording(
                recording,
                destination,
                FitConfig.for_model(**chosen),
                **of_signals,
                resume=resume,
                force=force,
                on_prepared=begin,
                callback=stopping(interruptible, _telling(recording.name, show), _STOPS),
            )
    except KeyboardInterrupt:
        if not results.checkpoint.exists():
            raise
        raise Interruption("go on with --resume") from None
    if as_json:
        print_json({**done.evaluation.metrics.to_json(), "folder": str(done.folder)})
    else:
        _print_summary(done)
    warn(rir, *done.evaluation.warnings)
    if interruptible.requested:
        raise click.exceptions.Exit(EXIT_INTERRUPTED)


def _telling(name: str, show: Callable[[Shown], None]) -> Callable[[Progress], None]:
    """Show how far a fit has come; of a long one say on stderr, as soon as that is known, how long it will take."""

    def tell(progress: Progress) -> None:
        left = duration(progress.left_s)
        if progress.iteration == _TIMED_STEPS and progress.left_s > _LONG_S:
            click.echo(f"{name}: this fit will take about {left}; Ctrl-C keeps the best so far", err=True)
        note = f"loss {progress.best_loss:.4g}, {left} left"
        show(Shown(progress.stage, progress.iteration, progress.total_iterations, note))

    return tell


def _by_stage(history: Sequence[Progress]) -> str:
    """How many iterations of each stage, where there are several: ``--iterations`` is the length of the last."""
    counts = Counter(progress.stage for progress in history)
    if len(counts) < 2:
        return ""
    return f" ({', '.join(f'{stage} {count}' for stage, count in counts.items())})"


def _print_summary(done: RecordingFit) -> None:
    from fdnlearn.report import metrics_table, octave_table

    evaluation, solution = done.evaluation, done.evaluation.solution
    print_table(octave_table(evaluation.metrics))
    print_table(metrics_table(evaluation.metrics))
    say(
        f"{evaluation.fdn.lines} lines, {solution.iterations} iterations{_by_stage(solution.history)} in "
        f"{solution.seconds:.1f} s ({solution.status.value}, loss {solution.loss:.4g})"
    )
    if evaluation.metrics.stereo:
        left, right = evaluation.metrics.stereo.drr_shift_db
        say(f"stereo   DRR of the channels shifts by {left or 0.0:+.1f} and {right or 0.0:+.1f} dB")
    say(f"network  {done.folder / 'fdn.json'}")
    say(f"report   {done.folder / 'report.html'}")
