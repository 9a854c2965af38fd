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
from fdnlearn.base.types import FloatArray
from fdnlearn.base.version import __version__
from fdnlearn.fdn import save_fdn
from fdnlearn.fitting import Status
from fdnlearn.model.learned import learned_response
from fdnlearn.render import impulse_response
from fdnlearn.render.stereo import widened, widening_effect
from fdnlearn.report import ReportData, write_report
from fdnlearn.rir.metrics import compare

if TYPE_CHECKING:
    from fdnlearn.fdn import FDN
    from fdnlearn.fitting import Progress, Solution
    from fdnlearn.rir.target import Target


@dataclass(frozen=True)
class Evaluation:
    """A fit, measured.

    Attributes
    ----------
    solution : Solution
        What was measured.
    fdn : FDN
        The network with its provenance.
    response : ndarray, shape (channels, n)
        What was fitted renders, at the level of the recording: of a stereo version the middle.
    heard : ndarray, shape (outputs, n)
        What `fdn` renders.
    metrics : mapping
        As in `metrics.json`.
    unsnapped_metrics : mapping or None
        The comparison before the delays were rounded, where they were.
    warnings : tuple of str
        Of the fit.
    """

    solution: Solution
    fdn: FDN
    response: FloatArray
    heard: FloatArray
    metrics: Mapping[str, Any]
    unsnapped_metrics: Mapping[str, Any] | None
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
    target, result = solution.target, solution
    settings = {**solution.config.settings(), "channel": channel, "stereo": stereo, **more}
    response = np.asarray(impulse_response(result.fdn), dtype=np.float64)
    comparison = _compare(target, result.fdn, response)
    unsnapped = None
    if result.unsnapped is not None:
        # No renderer plays fractional delays as they are.
        unsnapped = _compare(target, result.unsnapped, learned_response(result.unsnapped, kernel="cpu")[:, 0])
    warnings = list(result.warnings)
    if result.status is Status.INTERRUPTED:
        warnings.append("The fit was interrupted: this is the best network until then.")
    if not all(delay.is_integer() for delay in result.fdn.delays_samples):
        warnings.append(
            "The delays are fractional: every renderer rounds them, and the metrics say what that gives."
        )
    provenance = {
        **result.fdn.provenance,
        "program": f"fdnlearn {__version__}",
        "method": settings["method"],
        "seed": settings["seed"],
        "settings": dict(settings),
        "target": {"name": target.name, "sha256": target.sha256},
        "status": result.status.value,
        "metrics": {
            "before_snapping": unsnapped["error"]["broadband"] if unsnapped else None,
            "after_snapping": comparison["error"]["broadband"],
        },
    }
    fdn = widened(result.fdn, settings["seed"]) if stereo else result.fdn
    metrics = {
        "recording": {
            "name": target.name,
            "sha256": target.sha256,
            "sample_rate_hz": target.source_sample_rate_hz,
            "onset_s": target.onset_s,
            "direct_s": target.direct_s,
            "range_db": target.range_db,
            "reverberation_time_s": target.reverberation_time_s,
            "steps": {step.name: step.detail for step in target.steps},
        },
        **comparison,
        "before_snapping": unsnapped,
        "stereo": widening_effect(result.fdn, fdn) if stereo else None,
        "loss": result.loss if math.isfinite(result.loss) else None,
        "seconds": round(result.seconds, 3),
        "iterations": result.iterations,
        "status": result.status.value,
        "settings": dict(settings),
        "warnings": [*target.warnings, *warnings],
        "program": provenance["program"],
    }
    return Evaluation(
        solution=solution,
        fdn=fdn.model_copy(update={"provenance": provenance}),
        response=response,
        heard=response if fdn is result.fdn else np.asarray(impulse_response(fdn), dtype=np.float64),
        metrics=metrics,
        unsnapped_metrics=unsnapped,
        warnings=tuple(warnings),
    )


def write(folder: Path, done: Evaluation, *, report: bool = True) -> None:
    """Write every result file of a fit into an existing folder; the page, whose figures take longest, if asked for.

    Raises
    ------
    FdnlearnError, OSError
        If one of them cannot be written.
    """
    result, target = done.solution, done.solution.target
    recording = target.samples * (target.gain * target.polarity)
    write_audio(folder / "target.wav", recording, target.sample_rate_hz)
    write_audio(folder / "ir.wav", done.heard, done.fdn.sample_rate_hz)
    write_text(folder / "history.csv", history_csv(result.history))
    if report:
        write_report(
            folder / "report.html",
            ReportData(
                target=target,
                fdn=done.fdn,
                fitted=on_target_scale(done.fdn, done.response),
                metrics=done.metrics,
                history=result.history,
                settings=done.metrics["settings"],
                warnings=done.warnings,
                version=__version__,
                unsnapped_metrics=done.unsnapped_metrics,
            ),
        )
    document = json.dumps(done.metrics, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / "metrics.json", document + "\n")
    save_fdn(done.fdn, folder / "fdn.json")


def on_target_scale(fdn: FDN, response: FloatArray) -> FloatArray:
    """A response as the fit saw it: from the direct sound on, without the recording's level and polarity."""
    start = round(fdn.pre_delay_s * fdn.sample_rate_hz)
    return response[:, start:] / (fdn.gain * fdn.polarity)


def _compare(target: Target, fdn: FDN, response: FloatArray) -> dict[str, Any]:
    return compare(target, on_target_scale(fdn, response), target.sample_rate_hz).to_json()


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
