"""What a finished fit is turned into: measured, described, and written as files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fdnlearn.base.audio import write_audio
from fdnlearn.base.files import write_text
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.base.version import __version__
from fdnlearn.fdn import FDN, save_fdn
from fdnlearn.fitting import Status
from fdnlearn.model.learned import learned_response
from fdnlearn.render import impulse_response
from fdnlearn.render.stereo import widened, widening_effect
from fdnlearn.report import ReportData, write_report
from fdnlearn.rir.metrics import compare
from fdnlearn.rir.metrics_document import (
    FitComparison,
    Metrics,
    RecordingFacts,
    StereoChanges,
    dumps_metrics,
)

if TYPE_CHECKING:
    from fdnlearn.fitting import Progress, Solution
    from fdnlearn.rir.target import Target

#: What fits are made by.
PROGRAM = f"fdnlearn {__version__}"


@dataclass(frozen=True)
class Evaluation:
    """A fit, measured.

    Attributes
    ----------
    solution : Solution
    fdn : FDN
        The network with its provenance.
    response : ndarray, shape (channels, n)
        What was fitted renders, at the level of the recording: of a stereo version the middle.
    rendered : ndarray, shape (outputs, n)
        What `fdn` renders.
    metrics : Metrics
        As in `metrics.json`.
    warnings : tuple of str
        Of the fit.
    """

    solution: Solution
    fdn: FDN
    response: FloatArray
    rendered: FloatArray
    metrics: Metrics
    warnings: tuple[str, ...]


def evaluate(
    solution: Solution,
    *,
    channel: int | Literal["all"] | None = None,
    stereo: bool = False,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Evaluation:
    """Render a fit, hold it against its target and say where it comes from.

    The provenance holds nothing that differs between two runs of the same fit on the same machine: no date,
    no host, no wall-clock time.

    Parameters
    ----------
    solution : Solution
    channel : int, "all" or None
        Which channel of the recording was asked for; part of the provenance.
    stereo : bool
        Give the network a second output, decorrelated from the first.
    more : mapping
        What else belongs into the settings of the provenance.

    Raises
    ------
    UsageError
        If a second output is asked of a network that cannot have one.
    """
    target = solution.target
    settings = {**solution.config.settings(), "channel": channel, "stereo": stereo, **more}
    response = np.asarray(impulse_response(solution.fdn), dtype=np.float64)
    comparison = _compare(target, response)
    unsnapped = None
    if solution.unsnapped is not None:
        # No renderer plays fractional delays as they are.
        unsnapped_response = learned_response(solution.unsnapped, kernel="cpu")[:, 0]
        unsnapped = _compare(target, unsnapped_response)
    warnings = _warnings(solution)
    fdn = widened(solution.fdn, settings["seed"]) if stereo else solution.fdn
    metrics = Metrics(
        recording=_facts_of(target),
        **{name: getattr(comparison, name) for name in FitComparison.model_fields},
        before_snapping=unsnapped,
        stereo=StereoChanges.model_validate(widening_effect(solution.fdn, fdn)) if stereo else None,
        loss=solution.loss if math.isfinite(solution.loss) else None,
        seconds=round(solution.seconds, 3),
        iterations=solution.iterations,
        status=solution.status.value,
        settings=json.loads(json.dumps(settings)),
        warnings=(*target.warnings, *warnings),
        program=PROGRAM,
    )
    return Evaluation(
        solution=solution,
        fdn=fdn.model_copy(update={"provenance": _provenance(solution, settings, comparison, unsnapped)}),
        response=response,
        rendered=np.asarray(impulse_response(fdn), dtype=np.float64) if stereo else response,
        metrics=metrics,
        warnings=warnings,
    )


def write(folder: Path, evaluation: Evaluation, *, report: bool = True) -> None:
    """Write every result file of a fit into an existing folder; the page, whose figures take longest, if asked for.

    Raises
    ------
    FdnlearnError, OSError
        If one of them cannot be written.
    """
    fdn, target, history = evaluation.fdn, evaluation.solution.target, evaluation.solution.history
    write_recording(folder / "target.wav", target)
    write_audio(folder / "ir.wav", evaluation.rendered, fdn.sample_rate_hz)
    write_text(folder / "history.csv", history_csv(history))
    if report:
        fitted = on_target_scale(target, evaluation.response)
        write_report(folder / "report.html", ReportData(target, fdn, fitted, evaluation.metrics, history))
    write_text(folder / "metrics.json", dumps_metrics(evaluation.metrics))
    save_fdn(fdn, folder / "fdn.json")


def write_recording(path: Path, target: Target) -> None:
    """Write the recording as it is compared: at the fit's rate, from before its direct sound on."""
    write_audio(path, target.samples * (target.gain * target.polarity), target.sample_rate_hz)


@shapes_checked
def on_target_scale(
    target: Target, response: Float64[FloatArray, "outputs samples"]
) -> Float64[FloatArray, "outputs samples"]:
    """A response as the fit saw it: without the recording's level and polarity."""
    return response / (target.gain * target.polarity)


def _compare(target: Target, response: FloatArray) -> FitComparison:
    return compare(target, on_target_scale(target, response), target.sample_rate_hz)


def _provenance(
    solution: Solution,
    settings: Mapping[str, Any],
    comparison: FitComparison,
    unsnapped: FitComparison | None,
) -> dict[str, Any]:
    """Where the network comes from, as `fdn.json` says it."""
    return {
        **solution.fdn.provenance,
        "program": PROGRAM,
        "method": settings["method"],
        "seed": settings["seed"],
        "settings": dict(settings),
        "target": {"name": solution.target.name, "sha256": solution.target.sha256},
        "status": solution.status.value,
        "metrics": {
            "before_snapping": unsnapped.error.broadband.model_dump() if unsnapped else None,
            "after_snapping": comparison.error.broadband.model_dump(),
        },
    }


def _warnings(solution: Solution) -> tuple[str, ...]:
    """What a user should know of the fit."""
    warnings = list(solution.warnings)
    if solution.status is Status.INTERRUPTED:
        warnings.append("The fit was interrupted: this is the best network until then.")
    if not all(delay.is_integer() for delay in solution.fdn.delays_samples):
        warnings.append(
            "The delays are fractional: every renderer rounds them, and the metrics say what that gives."
        )
    return tuple(warnings)


def _facts_of(target: Target) -> RecordingFacts:
    return RecordingFacts(
        name=target.name,
        sha256=target.sha256,
        sample_rate_hz=target.source_sample_rate_hz,
        onset_s=target.onset_s,
        direct_s=target.direct_s,
        range_db=target.range_db,
        reverberation_time_s=target.reverberation_time_s,
        steps={step.name: step.detail for step in target.steps},
    )


def history_csv(history: Iterable[Progress]) -> str:
    """One row an iteration, one column a term of the loss."""
    rows = list(history)
    terms = sorted({name for row in rows for name in row.terms})
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["stage", "iteration", "total_iterations", "seconds", "loss", "best_loss", *terms])
    for row in rows:
        table.writerow(
            [
                row.stage,
                row.iteration,
                row.total_iterations,
                f"{row.seconds:.3f}",
                f"{row.loss:.9g}",
                f"{row.best_loss:.9g}",
                *(f"{row.terms[name]:.9g}" if name in row.terms else "" for name in terms),
            ]
        )
    return text.getvalue()
