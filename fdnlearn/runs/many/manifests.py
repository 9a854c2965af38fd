"""Manifests: tables of recordings, one row a room, CSV or Parquet.

The column ``path`` names the recording, relative to the manifest's folder. Optional columns are ``name`` (of the
room's folder), ``channel``, from 1, and ``measurement`` (of a SOFA file), from 0 as its array counts. Further columns
are left alone: labs keep their own there.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.runs.many.names import folder_name
from fdnlearn.runs.many.task import BatchRoom

COLUMNS = ("path", "name", "channel", "measurement")

#: Characters of a path: no system takes more.
LONGEST_PATH = 4096
#: Digits of a number of a channel or measurement.
_LONGEST_INDEX = 9

ManifestRow = Mapping[str, Any]


def rooms_of(manifest: Path) -> Iterator[BatchRoom]:
    """Rooms that a manifest lists; a row that cannot be used becomes a room with a fault.

    Raises
    ------
    FdnlearnError
        If the manifest itself cannot be read or has no column ``path``.
    UsageError
        If it is Parquet and pyarrow is not installed.
    """
    for number, row in enumerate(READERS[manifest.suffix.lower()](manifest), start=1):
        yield _room(manifest, number, row)


def _room(manifest: Path, number: int, row: ManifestRow) -> BatchRoom:
    text = _text(row.get("path"))
    name = _text(row.get("name"))
    where = f"{manifest}, row {number}"
    if not text:
        return BatchRoom(
            folder_name(name or f"row-{number}"), where, fault=f"{where}: names no recording; fill in path"
        )
    if len(text) > LONGEST_PATH:
        fault = (
            f"{where}: names a recording by {len(text)} characters; write at most {LONGEST_PATH} into path"
        )
        return BatchRoom(folder_name(name or text), where, fault=fault)
    path = manifest.parent / text
    try:
        channel = _channel(_text(row.get("channel")))
        measurement = _whole("measurement", _text(row.get("measurement")), 0)
    except ValueError as error:
        label = folder_name(name or text)
        return BatchRoom(label, str(path), fault=f"{where}: {error}")
    parts = [f"-m{measurement:05d}"] if measurement is not None else []
    parts += [f"-ch{channel}"] if channel is not None else []
    label = folder_name(name) if name else folder_name(text, "".join(parts))
    return BatchRoom(label, str(path), channel=channel, measurement=measurement)


def _text(cell: Any) -> str:
    """A cell as text; what a table holds where it holds nothing is empty."""
    if cell is None or cell != cell:  # NaN
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()


def _whole(column: str, text: str, least: int) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or len(text) > _LONGEST_INDEX or int(text) < least:
        raise ValueError(f"{text[:40]!r} is no {column}; write whole numbers from {least}")
    return int(text)


def _channel(text: str) -> int | Literal["all"] | None:
    return "all" if text == "all" else _whole("channel", text, 1)


def _csv(manifest: Path) -> Iterator[ManifestRow]:
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            _check_columns(manifest, list(table.fieldnames or ()))
            yield from table
    except OSError as error:
        raise _unreadable(manifest, (error.strerror or str(error)).lower()) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(manifest, f"no CSV in UTF-8: {error}") from None


def _parquet(manifest: Path) -> Iterator[ManifestRow]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise UsageError(
            str(manifest), "Parquet needs pyarrow", 'pip install "fdnlearn[parquet]", or give a CSV manifest'
        ) from None
    try:
        with parquet.ParquetFile(manifest) as file:
            names = [name for name in COLUMNS if name in file.schema_arrow.names]
            _check_columns(manifest, names)
            for batch in file.iter_batches(columns=names, batch_size=4096):
                yield from batch.to_pylist()
    except (ArrowException, OSError, ValueError) as error:  # the last of texts that are no UTF-8
        system = error.strerror if isinstance(error, OSError) else None
        raise _unreadable(manifest, (system or "no Parquet, or damaged").lower()) from None


def _check_columns(manifest: Path, names: list[str]) -> None:
    if "path" not in names:
        found = ", ".join(names[:8]) or "none"
        raise FdnlearnError(
            str(manifest), f"has no column path (columns: {found})", "name the recordings in one"
        )


def _unreadable(manifest: Path, reason: str) -> FdnlearnError:
    return FdnlearnError(
        str(manifest), f"cannot be read ({reason})", "give a CSV or Parquet table of recordings"
    )


#: Suffix -> what reads the rows.
READERS: Mapping[str, Callable[[Path], Iterator[ManifestRow]]] = {".csv": _csv, ".parquet": _parquet}
