"""A folder of results as the page shows it: what was fitted, how close it came, its parameters, its responses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdnlearn.base.errors import FdnlearnError
from fdnlearn_audition.tables import curve_rows, octave_rows

if TYPE_CHECKING:
    from fdnlearn.fdn import FDN
    from fdnlearn.rir.metrics_document import Metrics

#: What a folder of results may bring along; the network is the only one that it must.
FILES = ("fdn.json", "target.wav", "ir.wav", "metrics.json", "history.csv", "report.html")
#: Most points of a loss curve that are kept.
_POINTS = 300


def view(folder: str) -> dict[str, Any]:
    """Everything that the page shows of a fit.

    Returns
    -------
    dict
        ``method``, ``model``, ``room``, ``room_id``, ``channel``, ``facts``, ``verdict``, ``table``, ``curves`` and
        ``loss`` (None without metrics or history), ``parameters``,
        ``sample_rate_hz``, ``outputs``, ``inputs``, ``has_room``, ``has_report``.

    Raises
    ------
    FdnlearnError
        If there is no valid network.
    """
    from fdnlearn.fdn import load_fdn

    path = Path(folder)
    fdn = load_fdn(path / "fdn.json")
    metrics = _metrics(path / "metrics.json")
    settings = fdn.provenance.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    target = fdn.provenance.get("target")
    return {
        "method": str(fdn.provenance.get("method") or "opened")[:40],
        "model": str(settings.get("model") or ("banded" if _banded(fdn) else "homogeneous"))[:40],
        "room": str(target.get("name", ""))[:80] if isinstance(target, dict) else "",
        "room_id": str(target.get("sha256", ""))[:64] if isinstance(target, dict) else "",
        "channel": str(settings.get("channel") or 0)[:10],
        "facts": _facts(fdn, metrics),
        "verdict": _verdict(metrics) if metrics else None,
        "table": octave_rows(metrics) if metrics else None,
        "curve_errors": curve_rows(metrics) if metrics else [],
        "warnings": list(metrics.warnings) if metrics else [],
        "loss": _loss(path / "history.csv"),
        "parameters": parameters(fdn),
        "sample_rate_hz": fdn.sample_rate_hz,
        "inputs": fdn.inputs,
        "outputs": fdn.outputs,
        "has_room": (path / "target.wav").is_file(),
        "has_report": (path / "report.html").is_file(),
    }


def parameters(fdn: FDN) -> dict[str, Any]:
    """Delays, gains, reverberation times and the matrix, rounded for the eye."""
    arrays = fdn.arrays
    knots = getattr(fdn.absorption, "frequencies_hz", None)
    return {
        "delays_ms": _rows(1e3 * arrays.delays_samples / fdn.sample_rate_hz, 3),
        "delays_samples": _rows(arrays.delays_samples, 2),
        "input_gains": _rows(arrays.input_gains, 4),
        "output_gains": _rows(arrays.output_gains, 4),
        "times_s": _rows(fdn.reverberation_times_s, 3),
        "knots_hz": list(knots) if knots else None,
        "matrix": _rows(arrays.feedback_matrix, 3),
    }


def _rows(array: Any, digits: int) -> Any:
    return array.astype(float).round(digits).tolist()


def _banded(fdn: FDN) -> bool:
    return bool(fdn.reverberation_times_s.shape[1] > 1)


def _facts(fdn: FDN, metrics: Metrics | None) -> list[tuple[str, str]]:
    from fdnlearn.report.formatting import format_number

    facts = [
        ("Lines", str(fdn.lines)),
        ("Rate", f"{fdn.sample_rate_hz / 1000:g} kHz"),
        ("Channels", f"{fdn.inputs} in, {fdn.outputs} out"),
        ("Head", _head(fdn)),
        ("Early taps", str(sum(len(getattr(e, "taps", getattr(e, "coefficients", ()))) for e in fdn.early))),
    ]
    if metrics:
        facts += [
            ("Iterations", str(metrics.iterations)),
            ("Time", format_number(metrics.seconds, 1, "s")),
            ("Ended", metrics.status),
            ("Loss", format_number(metrics.loss, 4)),
        ]
    return facts


def _head(fdn: FDN) -> str:
    if not fdn.head:
        return "none"
    longest = max(len(path.coefficients) for path in fdn.head)
    return f"{longest} samples, {fdn.direct_peak_samples} before the direct sound"


def _verdict(metrics: Metrics) -> dict[str, Any]:
    from fdnlearn.acoustics.grading import finding, octave_verdict
    from fdnlearn.report.sentences import colour_sentence, headline, worst_sentence

    octaves = octave_verdict(metrics)
    found = finding(metrics)
    more = (worst_sentence(found.summary), colour_sentence(metrics))
    return {
        "headline": headline(found),
        "details": " ".join(sentence for sentence in more if sentence),
        "octaves": {"within": octaves.within, "near": octaves.near, "beyond": octaves.beyond},
    }


def _metrics(path: Path) -> Metrics | None:
    """The metrics of a folder, or None where there are none; errors name the file as a visitor knows it."""
    from fdnlearn.rir.metrics_document import load_metrics

    if not path.is_file():
        return None
    try:
        return load_metrics(path)
    except FdnlearnError as error:
        subject = error.subject.replace(str(path), path.name)
        raise FdnlearnError(subject, error.problem, error.remedy) from error


def _loss(path: Path) -> dict[str, Any] | None:
    """Best loss so far over iterations, thinned."""
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [line.split(",") for line in lines[1:] if line.count(",") >= 5]
    try:
        points = [(int(row[1]), float(row[5]), row[0]) for row in rows]
    except ValueError as error:
        raise FdnlearnError(
            path.name, "is no history of a fit", "open the folder that a fit wrote"
        ) from error
    kept = points[:: max(1, len(points) // _POINTS)] + points[-1:]
    return {"iteration": [p[0] for p in kept], "best": [p[1] for p in kept], "stages": _stages(points)}


def _stages(points: Iterable[tuple[int, float, str]]) -> list[dict[str, Any]]:
    stages: list[dict[str, Any]] = []
    for iteration, _, name in points:
        if not stages or stages[-1]["name"] != name:
            stages.append({"name": name, "from": iteration})
    return stages
