"""From a recording to files: prepare, solve, evaluate, publish; whoever fits, fits by these steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from fdnlearn.base.errors import UsageError
from fdnlearn.base.files import writing
from fdnlearn.runs.folder import ResultFolder

if TYPE_CHECKING:
    from fdnlearn.config import FitConfig
    from fdnlearn.fitting.progress import Callback, Checkpointing
    from fdnlearn.fitting.solution import Solution
    from fdnlearn.rir import Recording, Target
    from fdnlearn.runs.outputs import Evaluation


@dataclass(frozen=True)
class Job:
    """What decides a fit and its files, besides the recording. Its methods are the steps, in their order.

    Attributes
    ----------
    config : FitConfig
    channel, stereo
        As `fit_recording` takes them.
    report : bool
        Whether there is a page: drawing one takes about as long as a fit.
    """

    config: FitConfig
    channel: int | Literal["all"] | None = None
    stereo: bool = False
    report: bool = False

    def settings(self) -> dict[str, Any]:
        """As plain JSON values: results with other settings are not mixed with these."""
        asked = {name: getattr(self, name) for name in ("channel", "stereo", "report")}
        return {**self.config.settings(), **asked}

    def prepare(self, recording: str | Path | Recording, *, subject: str | None = None) -> Target:
        """Read a recording, or take one that has been read, and prepare it.

        Parameters
        ----------
        recording : str, Path or Recording
            A path names a WAV, W64, FLAC, AIFF, CAF, AU or SOFA file.
        subject : str, optional
            What a refusal is about; the file by default.

        Raises
        ------
        FdnlearnError
            If it cannot be read or used.
        """
        from fdnlearn.rir import prepare_target, read_recording

        if isinstance(recording, str | Path):
            subject = subject or str(recording)
            recording = read_recording(recording)
        return prepare_target(
            recording,
            sample_rate_hz=self.config.sample_rate_hz,
            channel=self.channel,
            subject=subject,
        )

    def solve(
        self, target: Target, callback: Callback | None = None, checkpointing: Checkpointing | None = None
    ) -> Solution:
        """Fit a network; see `fdnlearn.fitting.solve`."""
        from fdnlearn.fitting import solve

        return solve(target, self.config, callback, checkpointing)

    def evaluate(self, solution: Solution, *, more: Mapping[str, Any] = MappingProxyType({})) -> Evaluation:
        """Measure a solution, whoever has found it; see `fdnlearn.runs.outputs.evaluate`."""
        from fdnlearn.runs import outputs

        return outputs.evaluate(solution, channel=self.channel, stereo=self.stereo, more=more)

    def write(self, evaluation: Evaluation, folder: Path) -> None:
        """Write all result files into a folder; see `fdnlearn.runs.outputs.write`."""
        from fdnlearn.runs import outputs

        outputs.write(folder, evaluation, report=self.report)


@dataclass(frozen=True)
class RecordingFit:
    """A recording that has been fitted, and where its files lie.

    Attributes
    ----------
    folder : Path
        Holds `fdn.json`, `ir.wav`, `target.wav`, `metrics.json`, `history.csv`, `report.html`.
    evaluation : Evaluation
        The solution and what was measured of it.
    """

    folder: Path
    evaluation: Evaluation


def fit_recording(
    path: str | Path,
    folder: str | Path,
    config: FitConfig,
    *,
    channel: int | Literal["all"] | None = None,
    stereo: bool = False,
    resume: bool = False,
    force: bool = False,
    on_prepared: Callable[[Target], object] | None = None,
    callback: Callback | None = None,
    checkpoint_every_s: float = 2.0,
) -> RecordingFit:
    """Fit a network to a recording and write everything there is to know about it into a folder.

    The results appear together at the end; a run that fails leaves none, and of an earlier run's results
    none is lost. A run that is stopped by its callback writes its best network so far and keeps its
    checkpoint, so that it can be resumed. One fit at a time uses a folder.

    Parameters
    ----------
    path : str or Path
        WAV, W64, FLAC, AIFF, CAF, AU or SOFA file.
    folder : str or Path
        Where the results go; made if need be.
    config : FitConfig
    channel : int, "all" or None
        Which channel of the recording, from 1; None takes the first.
    stereo : bool
        Give the fit of one channel a second, decorrelated one; the sum of both is the fit.
    resume : bool
        Continue the unfinished fit in `folder`; start from the beginning if there is none.
    force : bool
        Replace results, and drop an unfinished fit, that `folder` holds.
    on_prepared : callable, optional
        Receives the `Target` once nothing stands in the way of the fit.
    callback : callable, optional
        Receives a `Progress` after every iteration; returns True to stop.
    checkpoint_every_s : float
        Wall-clock time between two checkpoints.

    Returns
    -------
    RecordingFit

    Raises
    ------
    FdnlearnError
        If the recording is refused, the folder already holds results, is in use by another fit or cannot be written,
        or the fit fails.
    UsageError
        If both `resume` and `force` are asked for, or `config` is not a possible one.
    """
    if resume and force:
        raise UsageError("--resume and --force", "contradict each other", "choose one of them")
    results = ResultFolder(Path(folder), resume=resume, force=force)
    results.admit()
    if stereo and channel == "all":
        raise UsageError("--stereo and --channel all", "contradict each other", "choose one of them")
    job = Job(config, channel, stereo, report=True)
    # What takes seconds to import comes after everything that can refuse in milliseconds.
    target = job.prepare(path)
    with results.held(target.sha256):
        from fdnlearn.fitting import Checkpointing, Status

        if on_prepared is not None:
            on_prepared(target)
        of_results = {"channel": channel, "stereo": stereo}
        checkpointing = Checkpointing(results.checkpoint, checkpoint_every_s, resume, of_results)
        with writing(results.path):
            solution = job.solve(target, callback, checkpointing)
        evaluation = job.evaluate(solution)
        results.publish(lambda staged: job.write(evaluation, staged))
        if solution.status is not Status.INTERRUPTED:
            results.finish()
    return RecordingFit(results.path, evaluation)
