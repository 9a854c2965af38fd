"""The folder of a batch: one folder for each room, complete or not there, and a lock on the whole."""

from __future__ import annotations

import csv
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import exclusive, replacing, write_text, writing
from fdnlearn.runs.many.task import Outcome, Room

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
        self._work = path / _WORK

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and keep every other batch out of it; the lock ends with this process, however it ends.

        Raises
        ------
        FdnlearnError
            If it cannot be made or written, or another batch is running in it.
        """
        if self.path.exists() and not self.path.is_dir():
            raise FdnlearnError(str(self.path), "is not a folder", "choose another with -o")
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with exclusive(self.path / _LOCK, wait=False) as ours:
            if not ours:
                raise FdnlearnError(
                    str(self.path),
                    "another batch is running in it",
                    "wait for it, or choose another folder with -o",
                )
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
        if there is not None and there != settings and not force:
            names = sorted(n for n in {*there, *settings} if there.get(n) != settings.get(n))
            differing = ", ".join(f"{n} {there.get(n)} instead of {settings.get(n)}" for n in names)
            raise FdnlearnError(
                str(self.path),
                f"holds a batch with other settings ({differing})",
                "use the same ones, start again with --force, or choose another folder with -o",
            )
        with writing(self.path):
            shutil.rmtree(self._work, ignore_errors=True)
            if force and self.rooms.exists():
                self._work.mkdir()
                os.replace(self.rooms, self._work / "replaced")
                shutil.rmtree(self._work, ignore_errors=True)
            self.rooms.mkdir(exist_ok=True)
            self._work.mkdir(exist_ok=True)
            for name in (FAILURES, SUMMARY, TABLE, OVERVIEW):
                (self.path / name).unlink(missing_ok=True)
        document = {"format": FORMAT, "version": VERSION, "settings": settings}
        with replacing(self.path / SETTINGS) as partial:
            write_text(partial, json.dumps(document, indent=2) + "\n")

    def close(self) -> None:
        """Remove what fits that were killed have left behind."""
        shutil.rmtree(self._work, ignore_errors=True)

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

    def finished(self, room: Room) -> bool:
        """Whether the room's results are there and no older than its recording."""
        try:
            done = (self.rooms / room.name / _PROOF).stat().st_mtime_ns
        except OSError:
            return False
        try:
            return done >= Path(room.source).stat().st_mtime_ns
        except OSError:
            return True

    @contextmanager
    def publishing(self, room: Room) -> Iterator[Path]:
        """Give a folder to write a room's results into; `publish` then puts it in its place, an exception drops it.

        Raises
        ------
        FdnlearnError
            If something cannot be written.
        """
        staging = self._work / f"{room.name}.{secrets.token_hex(4)}"
        try:
            with writing(self.rooms / room.name):
                staging.mkdir(parents=True)
                yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def publish(self, staging: Path, room: Room) -> bool:
        """Move a room's results to their place in one step; False if somebody else's have come first."""
        place = self.rooms / room.name
        if place.exists() and not self.finished(room):  # its recording has changed since
            old = staging.with_name(staging.name + ".old")
            os.replace(place, old)
            shutil.rmtree(old, ignore_errors=True)
        try:
            os.rename(staging, place)
        except OSError:
            if place.exists():
                return False
            raise
        return True

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

    def note(self, outcome: Outcome) -> None:
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
