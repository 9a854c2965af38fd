"""The recordings of a comparison, prepared before hours are spent on any of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.rir.target import Target
from fdnlearn.runs.study.cells import room_key


@dataclass(frozen=True)
class StudyRoom:
    """A recording: prepared, or why it cannot be.

    Attributes
    ----------
    name : str
        File name without its suffix, with the start of the content's hash where two files share it.
    key : str
        What its cells are called.
    target : Target or None
    error : FdnlearnError or None
        Exactly one of the two is None.
    """

    name: str
    key: str
    target: Target | None
    error: FdnlearnError | None


def load_rooms(recordings: Sequence[Path], sample_rate_hz: int) -> tuple[StudyRoom, ...]:
    """Read and prepare recordings.

    Raises
    ------
    UsageError
        If there are none, or two of them are the same.
    FdnlearnError
        If none of them can be used.
    """
    if not recordings:
        raise UsageError("RIR", "no recording is named", "name at least one")
    hashes: dict[Path, str] = {}
    for path in recordings:
        digest = _digest(path)
        for other, known in hashes.items():
            if known == digest:
                same = "is named twice" if _same_file(path, other) else f"is the same recording as {other}"
                raise UsageError(str(path), same, "name each room once")
        hashes[path] = digest
    stems = [path.stem for path in hashes]
    rooms = []
    for path, digest in hashes.items():
        name = path.stem if stems.count(path.stem) == 1 else f"{path.stem} ({digest[:8]})"
        rooms.append(_load(path, name, room_key(path.stem, digest), sample_rate_hz))
    errors = [room.error for room in rooms if room.error is not None]
    if len(errors) == len(rooms):
        if len(errors) == 1:
            raise errors[0]
        problem = f"none of the {len(rooms)} recordings can be used (the first: {errors[0].problem})"
        raise FdnlearnError(errors[0].subject, problem, errors[0].remedy)
    return tuple(rooms)


def _load(path: Path, name: str, key: str, sample_rate_hz: int) -> StudyRoom:
    from fdnlearn.rir import load_target

    try:
        return StudyRoom(name, key, load_target(path, sample_rate_hz=sample_rate_hz), None)
    except FdnlearnError as error:
        return StudyRoom(name, key, None, error)


def _digest(path: Path) -> str:
    """Hash of the content; of the name where there is no content, for the failure to be written under."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogateescape")).hexdigest()


def _same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return path.absolute() == other.absolute()
