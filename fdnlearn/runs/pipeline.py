"""Fit one recording: read, fit, render, compare, write."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fdnlearn.base.errors import UsageError
from fdnlearn.base.files import writing
from fdnlearn.runs.folder import ResultFolder

if TYPE_CHECKING:
    from fdnlearn.fdn import FDN
    from fdnlearn.fitting.result import Callback, FitConfig, Solution
    from fdnlearn.rir.metrics_document import Metrics
    from fdnlearn.rir.target import Target


@dataclass(frozen=True)
class RecordingFit:
    """A recording that has been fitted, and where its files lie.

    Attributes
    ----------
    folder : Path
        Holds `fdn.json`, `ir.wav`, `target.wav`, `metrics.json`, `history.csv`, `report.html`.
    target : Target
    result : Solution
        As the solver returned it.
    fdn : FDN
        The network with its provenance, as in `fdn.json`.
    metrics : Metrics
        As in `metrics.json`.
    warnings : tuple of str
        Of the recording, then of the fit.
    """

    folder: Path
    target: Target
    result: Solution
    fdn: FDN
    metrics: Metrics
    warnings: tuple[str, ...]


def fit_recording(
    path: str | Path,
    folder: str | Path,
    config: FitConfig,
    *,
    channel: int | Literal["all"] | None = None,
    stereo: bool = False,
    resume: bool = False,
    force: bool = False,
    callback: Callback | None = None,
    checkpoint_every_s: float = 2.0,
) -> RecordingFit:
    """Fit a network to a recording and write everything there is to know about it into a folder.

    The results appear together at the end; a run that fails leaves none, and of an earlier run's results
    none is lost. A run that is stopped by its callback writes its best network so far and keeps its
    checkpoint, so that it can be resumed.

    Parameters
    ----------
    path : str or Path
        WAV, FLAC, AIFF or SOFA file.
    folder : str or Path
        Where the results go; made if need be.
    config : FitConfig
    channel : int, "all" or None
        Which channel of the recording, from 0; None takes the first.
    stereo : bool
        Give the fit of one channel a second, decorrelated one; the sum of both is the fit.
    resume : bool
        Continue the unfinished fit in `folder`; start from the beginning if there is none.
    force : bool
        Replace results, and drop an unfinished fit, that `folder` holds.
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
        If the recording is refused, the folder already holds results or cannot be written, or the fit fails.
    UsageError
        If both `resume` and `force` are asked for, or `config` is not a possible one.
    """
    if resume and force:
        raise UsageError("--resume and --force", "contradict each other", "choose one of them")
    results = ResultFolder(Path(folder))
    results.admit(resume=resume, force=force)

    # What takes seconds to import comes after everything that can refuse in milliseconds.
    from fdnlearn.rir import load_target

    if stereo and channel == "all":
        raise UsageError("--stereo and --channel all", "contradict each other", "choose one of them")
    target = load_target(path, sample_rate_hz=config.sample_rate_hz, channel=channel)
    results.open(keep_checkpoint=resume)

    from fdnlearn.fitting import Checkpointing, Status, solve
    from fdnlearn.runs import outputs

    try:
        keeping = Checkpointing(results.checkpoint, every_s=checkpoint_every_s, resume=resume)
        with writing(results.path):
            result = solve(target, config, callback=callback, checkpointing=keeping)
        done = outputs.evaluate(result, channel=channel, stereo=stereo)
        with results.publishing() as staging:
            outputs.write(staging, done)
    except BaseException:
        results.close()
        raise
    if result.status is not Status.INTERRUPTED:
        results.finish()
    return RecordingFit(
        folder=results.path,
        target=target,
        result=result,
        fdn=done.fdn,
        metrics=done.metrics,
        warnings=target.warnings + done.warnings,
    )


def asked_settings(
    config: FitConfig, channel: int | Literal["all"] | None, *, stereo: bool
) -> dict[str, Any]:
    """What was asked of a fit, as plain JSON values: what has other ones is another fit."""
    return {**dataclasses.asdict(config), "channel": channel, "stereo": stereo}
