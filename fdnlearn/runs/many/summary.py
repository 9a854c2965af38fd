"""All rooms of a batch in one table, and what it says: written row by row, so that its length does not matter."""

from __future__ import annotations

import csv
import heapq
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from fdnlearn.acoustics.grading import octave_verdict
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import write_text
from fdnlearn.base.replacing import replacing
from fdnlearn.rir.metrics_document import Metrics, load_metrics
from fdnlearn.runs.many.folder import OVERVIEW, SUMMARY, TABLE, BatchFolder
from fdnlearn.runs.many.task import BatchRoom, RoomOutcome
from fdnlearn.runs.pipeline import Job
from fdnlearn.runs.study.quantities import COMPARED, errors_of

#: Rooms that the overview plays.
WORST_ROOMS = 5
#: Rows that a Parquet file is written in at a time.
_CHUNK = 8192

_TEXT = ("room", "source", "sha256", "status")
_NUMBERS = (
    "channel", "measurement", "sample_rate_hz", "reverberation_time_s", "range_db", "lines", "iterations", "seconds",
    "loss",
)  # fmt: skip

#: Of octaves: how many values count, how many of them are within one just-noticeable difference; and the colour, by
#: third octave, of the whole response and from 50 ms on.
_OCTAVES = ("octave_values", "octave_values_within", "colour_rms_db", "late_colour_rms_db")

#: Columns of the table: errors are those of `metrics.json`, broadband; none where the recording does not allow the
#: quantity, infinite where it does and the network has no value.
COLUMNS = (*_TEXT, *_NUMBERS, *_OCTAVES, *(f"{compared.key}_error" for compared in COMPARED), "warnings")

Row = dict[str, Any]


#: Takes the rows of the table one by one.
RowWriter = Callable[[Row], object]


def summarise(
    place: BatchFolder, rooms: Sequence[BatchRoom], failures: Sequence[RoomOutcome], job: Job
) -> dict[str, Any]:
    """Write ``summary.csv``, ``summary.parquet`` (where pyarrow is installed) and ``overview.html``.

    Parameters
    ----------
    place : BatchFolder
    rooms : sequence of BatchRoom
        Those of them that are finished make the table.
    failures : sequence of RoomOutcome
        For the overview.
    job : Job

    Returns
    -------
    dict
        ``rooms``: how many; ``errors``: by quantity the median, 90th percentile, largest, rooms that count, rooms that
        missed, and share within one just-noticeable difference; ``worst``: rows of the rooms with the largest errors,
        in just-noticeable differences.

    Raises
    ------
    FdnlearnError
        If a file cannot be written.
    """
    errors = {compared.key: array("d") for compared in COMPARED}
    worst: list[tuple[float, int, Row]] = []
    count = 0
    with _csv(place.path / SUMMARY) as to_csv, _parquet(place.path / TABLE) as to_parquet:
        for row in rows(place, rooms):
            to_csv(row)
            to_parquet(row)
            for key, values in errors.items():
                if row[f"{key}_error"] is not None:
                    values.append(row[f"{key}_error"])
            heapq.heappush(worst, (badness(row), -count, row))
            if len(worst) > WORST_ROOMS:
                heapq.heappop(worst)
            count += 1
    summary = {
        "rooms": count,
        "errors": {compared.key: _spread(errors[compared.key], compared.step) for compared in COMPARED},
        "worst": [{**row, "badness": bad} for bad, _, row in sorted(worst, reverse=True)],
    }
    if count:
        from fdnlearn.runs.many.overview import render_overview

        with replacing(place.path / OVERVIEW) as partial:
            write_text(partial, render_overview(place, summary, errors, failures, job))
    return summary


def rows(place: BatchFolder, rooms: Sequence[BatchRoom]) -> Iterator[Row]:
    """One row for each finished room, in the order of the rooms."""
    for room in rooms:
        try:
            metrics = load_metrics(place.rooms / room.name / "metrics.json")
        except FdnlearnError:
            continue  # not finished, or not by us
        yield row_of(room, metrics)


def row_of(room: BatchRoom, metrics: Metrics) -> Row:
    """What the table says about a room."""
    recording, settings = metrics.recording, metrics.settings
    rate_hz = settings.get("sample_rate_hz")
    row = {
        "room": room.name,
        "source": room.source,
        "sha256": recording.sha256,
        "status": metrics.status,
        "channel": room.channel if room.channel != "all" else None,
        "measurement": room.measurement,
        # Older files hold the rate that was asked for, which a recording at a lower one does not reach.
        "sample_rate_hz": min(recording.sample_rate_hz, rate_hz) if isinstance(rate_hz, int) else None,
        "reverberation_time_s": recording.reverberation_time_s,
        "range_db": recording.range_db,
        "lines": settings.get("lines"),
        "iterations": metrics.iterations,
        "seconds": metrics.seconds,
        "loss": metrics.loss,
        "warnings": len(metrics.warnings),
    }
    octaves = octave_verdict(metrics)
    colour = metrics.colour
    row |= {
        "octave_values": octaves.counted,
        "octave_values_within": octaves.within,
        "colour_rms_db": None if colour is None else colour.whole.rms_db,
        "late_colour_rms_db": None if colour is None else colour.late.rms_db,
    }
    return row | {f"{key}_error": error for key, error in errors_of(metrics).items()}


def badness(row: Row) -> float:
    """The largest error of a room that a verdict rests on, in just-noticeable differences."""
    errors = [(row[f"{compared.key}_error"], compared.step) for compared in COMPARED if compared.judged]
    return max((error / step for error, step in errors if error is not None), default=0.0)


def _spread(values: array[float], step: float) -> dict[str, Any]:
    ordered = sorted(values)
    within = sum(value <= step for value in ordered)
    return {
        "rooms": len(ordered),
        "missed": sum(math.isinf(value) for value in ordered),
        "median": _finite(median(ordered)) if ordered else None,
        "p90": _finite(ordered[math.ceil(0.9 * len(ordered)) - 1]) if ordered else None,
        "largest": _finite(ordered[-1]) if ordered else None,
        "within_jnd": within / len(ordered) if ordered else None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@contextmanager
def _csv(path: Path) -> Iterator[RowWriter]:
    with (
        replacing(path) as partial,
        partial.open("w", encoding="utf-8", errors="replace", newline="") as file,
    ):
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        yield table.writerow


@contextmanager
def _parquet(path: Path) -> Iterator[RowWriter]:
    """The same table as Parquet; nothing where pyarrow is not installed."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        yield lambda row: None
        return
    kinds = {name: arrow.string() for name in _TEXT} | dict.fromkeys(
        (
            *("channel", "measurement", "sample_rate_hz", "lines", "iterations", "warnings"),
            *("octave_values", "octave_values_within"),
        ),
        arrow.int64(),
    )
    schema = arrow.schema([(name, kinds.get(name, arrow.float64())) for name in COLUMNS])
    kept: list[Row] = []
    with replacing(path) as partial, parquet.ParquetWriter(partial, schema) as file:

        def flush() -> None:
            file.write_table(arrow.Table.from_pylist(kept, schema))
            kept.clear()

        def take(row: Row) -> None:
            kept.append({name: _utf8(value) for name, value in row.items()})
            if len(kept) >= _CHUNK:
                flush()

        yield take
        flush()


def _utf8(value: Any) -> Any:
    """A file name that is no UTF-8 reaches us with lone surrogates in it."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
