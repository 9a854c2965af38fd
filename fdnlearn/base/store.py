"""A folder of results: they appear whole or not at all, and one run at a time writes them.

What is being written lies in a hidden folder inside, on the same file system, and is moved to its place at the end.
That hidden folder is also what a run holds the lock on: it goes with the run, and one that a killed run has left is
taken over by the next.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fdnlearn.base.errors import FdnlearnError, differences
from fdnlearn.base.files import writing
from fdnlearn.base.locks import exclusive, is_held

#: Holds the files of a run until all of them are written; a killed run may leave it behind.
STAGING = ".fdnlearn-partial"

#: Of files that are there, what tells them from others of the same name.
Fingerprint = dict[str, tuple[int, int, int]]


class Store:
    """Where results are kept.

    Parameters
    ----------
    path : Path
        The folder; `held` makes it, its parents with it.
    kind : str
        What writes into it, as a failure calls it: ``"fit"``.
    staging : str
        Name of the hidden folder inside. Runs whose hidden folders differ do not keep each other out.
    lock : str or None
        Name of a file inside that is locked instead, and stays: machines that share a file system see its lock, not
        that of a folder.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path, kind: str, *, staging: str = STAGING, lock: str | None = None) -> None:
        self.path = path
        self._kind = kind
        self._staging = path / staging
        self._lock = None if lock is None else path / lock

    def list_names(self) -> set[str]:
        """Names of what is in the folder; none if it is not there.

        Raises
        ------
        FdnlearnError
            If the path is no folder or cannot be read.
        """
        try:
            return set(os.listdir(self.path))
        except FileNotFoundError:
            return set()
        except NotADirectoryError:
            raise FdnlearnError(str(self.path), "is not a folder", "choose another with -o") from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise FdnlearnError(
                str(self.path), f"cannot be read ({reason})", "choose another folder with -o"
            ) from error

    def refuse_if_held(self) -> None:
        """Refuse a folder in which another run is at work. Changes nothing.

        Raises
        ------
        FdnlearnError
        """
        if is_held(self._lock or self._staging):
            raise self._busy()

    @contextmanager
    def held(self, *, wait: bool = False) -> Iterator[None]:
        """Make the folder and keep every other run out of it; ends with this process, however that ends.

        Leftovers of a killed run are removed at the beginning, our own at the end; so are the folders that were made,
        as far as nothing is in them.

        Parameters
        ----------
        wait : bool
            Wait for a run that is at work, instead of being refused.

        Raises
        ------
        FdnlearnError
            If the folder cannot be made or written, or another run is at work in it.
        """
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            lock = self._lock or self._staging
            with exclusive(lock, wait=wait, folder=self._lock is None, about=self.path) as ours:
                if not ours:
                    raise self._busy()
                try:
                    self._clear()
                    yield
                finally:
                    shutil.rmtree(self._staging, ignore_errors=True)
        finally:
            for folder in made:
                try:
                    folder.rmdir()
                except OSError:
                    break

    @contextmanager
    def staged(self, about: Path | None = None) -> Iterator[Path]:
        """Give a new folder to write into; what is not published from it is dropped.

        Parameters
        ----------
        about : Path, optional
            What a failure is about; the folder of results by default.

        Raises
        ------
        FdnlearnError
            If something cannot be written.
        """
        staged = self._staging / secrets.token_hex(6)
        try:
            with writing(about or self.path):
                staged.mkdir(parents=True)
                yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def publish(self, staged: Path, names: Sequence[str]) -> None:
        """Move files to their places; if one cannot be moved, what was there before is there again.

        While some of several are moved the proof is not there: never one run's network beside another's audio.

        Parameters
        ----------
        staged : Path
            As `staged` has given it.
        names : sequence of str
            Relative to `staged` and to the folder. The last is the proof: while it is there, so is all the rest.

        Raises
        ------
        FdnlearnError
            If one of them cannot be moved.
        """
        if len(names) == 1:
            with writing(self.path):
                _move(staged / names[0], self.path / names[0])
            return
        with self.staged() as replaced:
            aside: list[str] = []
            moved: list[str] = []
            try:
                for name in reversed(names):
                    if (self.path / name).is_file():
                        _move(self.path / name, replaced / name)
                        aside.append(name)
                for name in names:
                    _move(staged / name, self.path / name)
                    moved.append(name)
            except BaseException:
                for name in moved:
                    with suppress(OSError):
                        (self.path / name).unlink()
                for name in reversed(aside):
                    with suppress(OSError):
                        os.replace(replaced / name, self.path / name)
                raise

    def publish_folder(self, staged: Path, place: Path, *, replace: bool) -> bool:
        """Move all of a folder to its place in one step; False if another is there.

        Parameters
        ----------
        staged : Path
            As `staged` has given it.
        place : Path
            Somewhere in the folder of results.
        replace : bool
            Whether another that is there makes way.

        Raises
        ------
        OSError
            If it cannot be moved.
        """
        if replace:
            self.drop(place)
        try:
            os.rename(staged, place)
        except OSError:
            if place.exists():
                return False
            raise
        return True

    def drop(self, place: Path) -> None:
        """Remove a folder of results in one step, if it is there.

        Raises
        ------
        FdnlearnError
            If it cannot be moved away.
        """
        with self.staged() as replaced, suppress(FileNotFoundError):
            os.replace(place, replaced / "old")

    def fingerprint(self, names: Sequence[str]) -> Fingerprint:
        """Which files of these names are there: equal as long as nobody writes them."""
        there: Fingerprint = {}
        for name in names:
            with suppress(OSError):
                about = (self.path / name).stat()
                there[name] = (about.st_ino, about.st_mtime_ns, about.st_size)
        return there

    def refuse_other_settings(self, what: str, there: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
        """Refuse to mix results of different settings.

        Parameters
        ----------
        what : str
            What is there: ``"a batch"``.
        there, asked : mapping
            Settings by name.

        Raises
        ------
        FdnlearnError
            If they differ; it names those that do.
        """
        if differing := differences(there, asked):
            raise FdnlearnError(
                str(self.path),
                f"holds {what} with other settings ({differing})",
                "use the same ones, start again with --force, or choose another folder with -o",
            )

    def _busy(self) -> FdnlearnError:
        return FdnlearnError(
            str(self.path),
            f"another {self._kind} is running in it",
            "wait for it, or choose another folder with -o",
        )

    def _clear(self) -> None:
        with suppress(OSError):
            for path in self._staging.iterdir():
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _move(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, place)
