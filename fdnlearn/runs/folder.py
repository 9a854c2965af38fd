"""The folder of one fit: what may be in it, and how its files appear all together or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import writing

#: In the order in which they are published. `fdn.json` is last: a folder that has it is complete.
RESULTS = ("target.wav", "ir.wav", "history.csv", "report.html", "metrics.json", "fdn.json")
CHECKPOINT = "checkpoint.safetensors"
#: Holds the files of a run until all of them are written; a killed run may leave it behind.
STAGING = ".fdnlearn-partial"
#: A result of a long room with its report takes less than this.
NEEDED_BYTES = 4 << 20


class ResultFolder:
    """Where a fit keeps its checkpoint and its results.

    Parameters
    ----------
    path : Path
        The folder; made when the fit starts, its parents with it.

    Attributes
    ----------
    path : Path
    checkpoint : Path
        Where the fit keeps its state while it runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / CHECKPOINT
        self._made: list[Path] = []

    def admit(self, *, resume: bool, force: bool) -> None:
        """Refuse to overwrite what is already there. Changes nothing.

        Parameters
        ----------
        resume : bool
            An unfinished fit may be there.
        force : bool
            Anything may be there.

        Raises
        ------
        FdnlearnError
            If the path is no folder, or holds results or an unfinished fit that were not to be touched.
        """
        try:
            names = set(os.listdir(self.path))
        except FileNotFoundError:
            return
        except NotADirectoryError:
            raise FdnlearnError(str(self.path), "is not a folder", "choose another with -o") from None
        except OSError as error:
            raise FdnlearnError(
                str(self.path), f"cannot be read ({error.strerror})", "choose another folder with -o"
            ) from error
        if force:
            return
        if CHECKPOINT in names:
            if resume:
                return
            raise FdnlearnError(
                str(self.path),
                "holds an unfinished fit",
                "continue it with --resume, start again with --force, or choose another folder with -o",
            )
        if names.isdisjoint(RESULTS):
            return
        problem = "holds a finished fit, nothing to resume" if resume else "already holds results"
        raise FdnlearnError(
            str(self.path), problem, "replace them with --force or choose another folder with -o"
        )

    def open(self, *, keep_checkpoint: bool) -> None:
        """Make the folder, see that it can be written, and clear what an earlier run left unfinished.

        Raises
        ------
        FdnlearnError
            If the folder cannot be made or written, or has no room for results.
        """
        self._made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        staging = self.path / STAGING
        try:
            with writing(self.path):
                self.path.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(staging, ignore_errors=True)
                staging.mkdir()
                with (staging / "probe").open("wb") as probe:
                    probe.write(bytes(NEEDED_BYTES))
                    probe.flush()
                    os.fsync(probe.fileno())
                if not keep_checkpoint:
                    self.checkpoint.unlink(missing_ok=True)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            self.close()
            raise
        shutil.rmtree(staging, ignore_errors=True)

    @contextmanager
    def publishing(self) -> Iterator[Path]:
        """Give a folder to write the results into, and move them into place once all are written.

        Raises
        ------
        FdnlearnError
            If one of them cannot be written. Results of an earlier fit are then untouched.
        """
        staging = self.path / STAGING
        try:
            with writing(self.path):
                staging.mkdir()
                yield staging
                # A folder with fdn.json is complete: never one fit's network beside another's audio.
                (self.path / RESULTS[-1]).unlink(missing_ok=True)
                for name in RESULTS:
                    os.replace(staging / name, self.path / name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def finish(self) -> None:
        """Remove the checkpoint: the fit is over."""
        with suppress(OSError):
            self.checkpoint.unlink(missing_ok=True)

    def close(self) -> None:
        """After a failure, remove the folders that `open` made, as far as they are empty."""
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:
                break
        self._made = []
