"""The folder of one fit: what may be in it, who may write it, and when its results may replace others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import writing
from fdnlearn.base.store import STAGING, Fingerprint, Store

#: In the order in which they are published. `fdn.json` is last: a folder that has it is complete.
RESULTS = ("target.wav", "ir.wav", "history.csv", "report.html", "metrics.json", "fdn.json")
CHECKPOINT = "checkpoint.safetensors"
#: A result of a long room with its report takes less than this.
NEEDED_BYTES = 4 << 20
#: Begins the name of an empty folder that tells whose fit is running, or was killed: the rest is its SHA-256.
_OF = "of-"


class ResultFolder:
    """Where a fit keeps its checkpoint and its results.

    Parameters
    ----------
    path : Path
    resume : bool
        An unfinished fit may be there.
    force : bool
        Anything may be there.

    Attributes
    ----------
    path : Path
    checkpoint : Path
        Where the fit keeps its state while it runs.
    """

    def __init__(self, path: Path, *, resume: bool = False, force: bool = False) -> None:
        self.path = path
        self.checkpoint = path / CHECKPOINT
        self._store = Store(path, "fit")
        self._resume, self._force = resume, force
        self._there: Fingerprint = {}

    def admit(self) -> None:
        """Refuse a folder that is in use, or holds what was not to be touched. Changes nothing.

        Raises
        ------
        FdnlearnError
            If the path is no folder, another fit is running in it, or it holds results or an unfinished fit.
        """
        names = self._store.list_names()
        self._store.refuse_if_held()
        self._refuse_results(names)

    def settings_to_resume(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """All settings of the unfinished fit that is there; None if there is none, or it does not tell.

        Parameters
        ----------
        asked : mapping
            Settings that it has to have.

        Raises
        ------
        FdnlearnError
            If it has others, which are named, or goes on already.
        """
        from fdnlearn.fitting.owner import settings_in

        self._store.refuse_if_held()
        there = settings_in(self.checkpoint)
        if there is not None:
            named = {name: there.get(name) for name in asked}
            self._store.refuse_other_settings("an unfinished fit", named, asked)
        return there

    @contextmanager
    def held(self, recording: str = "") -> Iterator[None]:
        """Make the folder, keep other fits out of it, see that it can be written, and drop an unfinished fit.

        Parameters
        ----------
        recording : str
            SHA-256 of what is fitted, for `recordings_in`; empty where it is not to be told.

        Raises
        ------
        FdnlearnError
            As from `admit`, or if the folder cannot be made or written or has no room for results.
        """
        with self._store.held():
            # Another fit may have come and gone since `admit`.
            self._refuse_results(self._store.list_names())
            self._there = self._store.fingerprint(RESULTS)
            if recording:
                with writing(self.path):
                    (self.path / STAGING / f"{_OF}{recording}").mkdir(exist_ok=True)
            with self._store.staged() as staged, (staged / "probe").open("wb") as probe:
                probe.write(bytes(NEEDED_BYTES))
                probe.flush()
                os.fsync(probe.fileno())
            with suppress(OSError):  # half a checkpoint, of a fit that was killed as it wrote
                self.checkpoint.with_name(f"{CHECKPOINT}.partial").unlink()
            if not self._resume:
                with writing(self.path):
                    self.checkpoint.unlink(missing_ok=True)
            yield

    def publish(self, write: Callable[[Path], object]) -> None:
        """Write the results and move them into place once all are written.

        Parameters
        ----------
        write : callable
            Writes `RESULTS` into the folder that it is given.

        Raises
        ------
        FdnlearnError
            If one of them cannot be written, or the folder has got other results since the fit began. What is there is
            then untouched.
        """
        with self._store.staged() as staged:
            write(staged)
            if not self._force and self._store.fingerprint(RESULTS) != self._there:
                raise FdnlearnError(
                    str(self.path),
                    "has got other results while this fit ran",
                    "they are kept: choose another folder with -o and fit again",
                )
            self._store.publish(staged, RESULTS)

    def finish(self) -> None:
        """Remove the checkpoint: the fit is over."""
        with suppress(OSError):
            self.checkpoint.unlink(missing_ok=True)

    def _refuse_results(self, names: set[str]) -> None:
        if self._force:
            return
        if CHECKPOINT in names:
            if self._resume:
                return
            raise FdnlearnError(
                str(self.path),
                "holds an unfinished fit",
                "continue it with --resume, start again with --force, or choose another folder with -o",
            )
        if names.isdisjoint(RESULTS):
            return
        problem = "holds a finished fit, nothing to resume" if self._resume else "already holds results"
        raise FdnlearnError(
            str(self.path), problem, "replace them with --force or choose another folder with -o"
        )


def recordings_in(path: Path) -> set[str]:
    """SHA-256 of the recordings whose fit a folder holds or is to hold; none where it does not tell."""
    found = set()
    with suppress(OSError):
        found = {name.removeprefix(_OF) for name in os.listdir(path / STAGING) if name.startswith(_OF)}
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        document = json.loads((path / RESULTS[-1]).read_text(encoding="utf-8"))
        found.add(str(document["provenance"]["target"]["sha256"]))
    return found
