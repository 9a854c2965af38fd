"""The folder of a batch: one folder for each room, complete or not there, and a lock on the whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import write_text, writing
from fdnlearn.base.replacing import replacing
from fdnlearn.base.store import Store
from fdnlearn.runs.many.task import BatchRoom, RoomOutcome

FORMAT, VERSION = "fdnlearn.batch", 1

SETTINGS, FAILURES, SUMMARY, TABLE, OVERVIEW = (
    "batch.json",
    "failures.csv",
    "summary.csv",
    "summary.parquet",
    "overview.html",
)
ROOMS = "rooms"
_WORK, _LOCK = ".work", ".lock"
#: A room whose folder holds this is finished.
_PROOF = "fdn.json"


class BatchFolder:
    """Where a batch keeps its rooms and what is said about all of them.

    Parameters
    ----------
    path : Path
        ``rooms/NAME/`` holds the results of a room; ``.work/`` those that are being written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rooms = path / ROOMS
        # A file is locked, not a folder: machines that share the folder see that.
        self._store = Store(path, "batch", staging=_WORK, lock=_LOCK)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and keep every other batch out of it; the lock ends with this process, however it ends.

        Raises
        ------
        FdnlearnError
            If it cannot be made or written, or another batch is running in it.
        """
        self._store.list_names()
        with self._store.held():
            yield

    def open(self, settings: Mapping[str, Any], *, force: bool) -> None:
        """Take up what is there, or begin; to be called while the folder is `held`.

        Parameters
        ----------
        settings : mapping
            What decides a fit besides its room.
        force : bool
            Remove the rooms of an earlier batch.

        Raises
        ------
        FdnlearnError
            If the folder holds something else, or a batch with other settings, or cannot be written.
        """
        there = self._settings()
        if there is None and self.rooms.exists():
            raise FdnlearnError(str(self.path), "holds rooms of no batch", "choose another folder with -o")
        if there is not None and not force:
            self._store.refuse_other_settings("a batch", there, settings)
        if force:
            self._store.drop(self.rooms)
        with writing(self.path):
            self.rooms.mkdir(exist_ok=True)
            for name in (FAILURES, SUMMARY, TABLE, OVERVIEW):
                (self.path / name).unlink(missing_ok=True)
        document = {"format": FORMAT, "version": VERSION, "settings": settings}
        with replacing(self.path / SETTINGS) as partial:
            write_text(partial, json.dumps(document, indent=2) + "\n")

    def _settings(self) -> dict[str, Any] | None:
        try:
            document = json.loads((self.path / SETTINGS).read_text(encoding="utf-8"))
            known = document["format"] == FORMAT and document["version"] == VERSION
            settings: dict[str, Any] = document["settings"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise FdnlearnError(
                str(self.path / SETTINGS), "is not readable as a batch", "choose another folder with -o"
            )
        return settings

    def finished(self, room: BatchRoom) -> bool:
        """Whether the room's results are there and no older than its recording."""
        try:
            done = (self.rooms / room.name / _PROOF).stat().st_mtime_ns
        except OSError:
            return False
        try:
            return done >= Path(room.source).stat().st_mtime_ns
        except (OSError, ValueError):  # a name that no file has
            return True

    def publish(self, room: BatchRoom, write: Callable[[Path], object]) -> bool:
        """Write a room's results and put them in their place in one step; False if somebody else's have come first.

        Parameters
        ----------
        room : BatchRoom
        write : callable
            Writes the results into the folder that it is given.

        Raises
        ------
        FdnlearnError
            If something cannot be written.
        """
        place = self.rooms / room.name
        with self._store.staged(about=place) as staged:
            write(staged)
            # One that is there and not finished is of a recording that has changed since.
            return self._store.publish_folder(staged, place, replace=not self.finished(room))

    @contextmanager
    def noting_failures(self) -> Iterator[FailureLog]:
        """Give the log of failed rooms; the file appears with the first."""
        log = FailureLog(self.path / FAILURES)
        try:
            yield log
        finally:
            log.close()


class FailureLog:
    """``failures.csv``: one line a room, written as it fails.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def note(self, outcome: RoomOutcome) -> None:
        """Write down a room that has failed.

        Raises
        ------
        FdnlearnError
            If the file cannot be written.
        """
        with writing(self._path):
            if self._file is None:
                self._file = self._path.open("wb")
                self._write(("room", "source", "problem"))
            self._write((outcome.room.name, outcome.room.source, outcome.problem))

    def _write(self, row: tuple[str, ...]) -> None:
        line = StringIO()
        csv.writer(line, lineterminator="\n").writerow(" ".join(cell.split()) for cell in row)
        self._file.write(line.getvalue().encode("utf-8", errors="replace"))
        self._file.flush()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
