"""Which recordings a batch is about: files, folders, patterns, manifests, and SOFA files with many measurements."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.base.formats import NAMES, SUFFIXES
from fdnlearn.runs.many.manifests import READERS, rooms_of
from fdnlearn.runs.many.names import folder_name
from fdnlearn.runs.many.task import BatchRoom

_SOFA = ".sofa"
#: A folder that holds this holds the results of a fit, no recordings.
_RESULT = "fdn.json"


def find_rooms(inputs: Sequence[str], *, apart: Path) -> list[BatchRoom]:
    """Rooms that `inputs` name, in a fixed order.

    Parameters
    ----------
    inputs : sequence of str
        Files, folders (searched with those below them), patterns with ``* ? [ ]`` and manifests, mixed as one likes.
    apart : Path
        The batch's own folder: nothing in it is a recording.

    Returns
    -------
    list of BatchRoom
        Names are unique. What cannot be read has a fault.

    Raises
    ------
    UsageError
        If nothing is named.
    FdnlearnError
        If an input is not there or holds nothing, or a room is named twice.
    """
    if not inputs:
        raise UsageError("RIR", "no recording is named", "name files, folders, patterns or a manifest")
    rooms: dict[str, BatchRoom] = {}
    for given in inputs:
        before = len(rooms)
        for room in _named_by(given, apart):
            if room.name in rooms:
                raise FdnlearnError(
                    room.source, f"is named twice (also as {rooms[room.name].source})", "name each room once"
                )
            rooms[room.name] = room
        if len(rooms) == before:
            raise FdnlearnError(given, "names no recordings", f"give {NAMES} files")
    return list(rooms.values())


def _named_by(given: str, apart: Path) -> Iterator[BatchRoom]:
    path = Path(given)
    if path.is_dir():
        yield from _in_folder(path, apart)
    elif path.suffix.lower() in READERS:
        for room in rooms_of(path):
            yield from _measurements(room) if room.measurement is None else (room,)
    elif not path.exists() and glob.has_magic(given):
        fixed = _before_magic(PurePath(given))
        for found in sorted(glob.glob(given, recursive=True)):
            if Path(found).is_file():
                yield from _recording(Path(found), PurePath(os.path.relpath(found, fixed)))
    else:
        yield from _recording(path, PurePath(given))


def _in_folder(folder: Path, apart: Path) -> Iterator[BatchRoom]:
    """Recordings below a folder, in the order of their names; hidden ones and results of fits are passed over."""
    own = apart.resolve()
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and Path(here, n).resolve() != own)
        if _RESULT in names:
            folders.clear()
            continue
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                path = Path(here, name)
                yield from _recording(path, path.relative_to(folder))


def _recording(path: Path, label: PurePath) -> Iterator[BatchRoom]:
    yield from _measurements(BatchRoom(folder_name(label), str(path)))


def _measurements(room: BatchRoom) -> Iterator[BatchRoom]:
    """A room, or one for each measurement of a SOFA file that has many."""
    if Path(room.source).suffix.lower() != _SOFA or room.fault is not None:
        yield room
        return
    try:
        count = measurements_in(Path(room.source))
    except FdnlearnError as error:
        yield replace(room, fault=str(error))
        return
    for number in range(count):
        name = f"{room.name}-m{number:05d}" if count > 1 else room.name
        yield replace(room, name=name, measurement=number)


def measurements_in(path: Path) -> int:
    """Number of measurements in a SOFA file; its header is all that is read.

    Raises
    ------
    FdnlearnError
        If it is not readable.
    """
    import netCDF4

    try:
        if not path.is_file():
            raise FdnlearnError(str(path), "does not exist", "check the path")
        with netCDF4.Dataset(str(path)) as file:
            return int(file.dimensions["M"].size)
    except (OSError, RuntimeError, KeyError):
        raise FdnlearnError(str(path), "is not a readable SOFA file", f"give a {NAMES} file") from None


def _before_magic(pattern: PurePath) -> PurePath:
    """The part of a pattern in which nothing varies."""
    parts = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return PurePath(*parts) if parts else PurePath(".")
