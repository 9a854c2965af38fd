"""One cell of a comparison, room x method x seed, and the folder in which finished ones are safe."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import write_text, writing
from fdnlearn.base.store import Store
from fdnlearn.runs.ends import FINISHED

FORMAT = "fdnlearn.comparison-cell"
VERSION = 1
#: What is made from cells, and made anew from more of them.
SUMMARY, REPORT = "summary.json", "report.html"


@dataclass(frozen=True)
class Place:
    """Which cell: what its file is called.

    Attributes
    ----------
    room : str
        `room_key` of the recording.
    method : str
        `Method.spec`.
    seed : int
    """

    room: str
    method: str
    seed: int

    @property
    def file_name(self) -> str:
        """Safe on every file system."""
        return f"{self.room}.{self.method.replace(':', '-')}.seed{self.seed}.json"


@dataclass(frozen=True)
class Cell:
    """One fit of a comparison, as it is written down.

    Attributes
    ----------
    place : Place
    status : str
        `ends.FINISHED` or `ends.FAILED`.
    settings : mapping
        Everything that decided it; cells of a comparison with other settings are not mixed with these.
    body : mapping
        Of a finished cell: ``room``, ``seconds`` (of the whole call), ``evaluations``, ``loss`` (the common one, of
        the rendered response), ``curve``, ``metrics``, ``fdn``, ``machine``, ``date``; of a failed one ``reason``.
    """

    place: Place
    status: str
    settings: Mapping[str, Any]
    body: Mapping[str, Any]

    @property
    def finished(self) -> bool:
        """Whether there is a fit."""
        return self.status == FINISHED

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "cell": {"room": self.place.room, "method": self.place.method, "seed": self.place.seed},
            "status": self.status,
            "settings": dict(self.settings),
            **self.body,
        }


def room_key(name: str, sha256: str) -> str:
    """Name of a recording in file names: readable, and its own for every content."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:60]}-{sha256[:8]}"


class CellFolder:
    """Where a comparison keeps its cells.

    Parameters
    ----------
    path : Path
        The folder of the comparison; cells are in ``cells/``, one file each.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells = path / "cells"
        self._store = Store(path, "comparison")

    def admit(self, *, resume: bool, force: bool) -> None:
        """Refuse to touch a comparison that is there or under way. Changes nothing.

        Raises
        ------
        FdnlearnError
            If the path is no folder, another comparison is running in it, or it holds one and neither `resume` nor
            `force` is asked for.
        """
        self._store.list_names()
        self._store.refuse_if_held()
        self._refuse_cells(resume=resume, force=force)

    @contextmanager
    def held(self, *, resume: bool, force: bool) -> Iterator[None]:
        """Make the folder and keep every other comparison out of it.

        Raises
        ------
        FdnlearnError
            As from `admit`, or if the folder cannot be made or written.
        """
        with self._store.held():
            # Another comparison may have come and gone since `admit`.
            self._refuse_cells(resume=resume, force=force)
            yield

    def open(self, *, clear: bool) -> None:
        """Remove older findings, and older cells if asked to.

        Raises
        ------
        FdnlearnError
            If the folder cannot be written.
        """
        with writing(self.path):
            self.cells.mkdir(parents=True, exist_ok=True)
            for name in (SUMMARY, REPORT):
                (self.path / name).unlink(missing_ok=True)
            if clear:
                for path in self._files():
                    path.unlink()

    def read(self, place: Place, settings: Mapping[str, Any]) -> Cell | None:
        """Find the finished cell that belongs to `place`; None if there is none that can be read.

        Raises
        ------
        FdnlearnError
            If there is one with other settings.
        """
        try:
            document = json.loads((self.cells / place.file_name).read_text(encoding="utf-8"))
            known = document["format"] == FORMAT and document["version"] == VERSION
            cell = Cell(
                place=Place(**document.pop("cell")),
                status=document.pop("status"),
                settings=document.pop("settings"),
                body=document,
            )
            there = dict(cell.settings)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if not known or not cell.finished or cell.place != place or _BODY - set(document):
            return None
        self._store.refuse_other_settings("cells of a comparison", there, settings)
        return cell

    def write(self, cell: Cell) -> None:
        """Write one cell: a reader meets all of it or nothing.

        Raises
        ------
        FdnlearnError
            If it cannot be written.
        """
        document = json.dumps(finite_json(cell.to_json()), ensure_ascii=False, allow_nan=False)
        self.publish(f"{self.cells.name}/{cell.place.file_name}", document + "\n")

    def publish(self, name: str, text: str) -> None:
        """Write a file of the folder: a reader meets all of it or nothing.

        Raises
        ------
        FdnlearnError
            If it cannot be written.
        """
        with self._store.staged(about=self.path / name) as staged:
            (staged / name).parent.mkdir(exist_ok=True)
            write_text(staged / name, text)
            self._store.publish(staged, (name,))

    def _refuse_cells(self, *, resume: bool, force: bool) -> None:
        if not (resume or force) and next(self._files(), None) is not None:
            raise FdnlearnError(
                str(self.path),
                "already holds a comparison",
                "go on with --resume, start again with --force, or choose another folder with -o",
            )

    def _files(self) -> Iterator[Path]:
        try:
            names = sorted(os.listdir(self.cells))
        except (FileNotFoundError, NotADirectoryError):
            return
        yield from (
            self.cells / name for name in names if name.endswith(".json") and not name.startswith(".")
        )


#: What a finished cell must hold to be used.
_BODY = {"room", "seconds", "evaluations", "loss", "curve", "metrics", "fdn", "machine", "date"}


def finite_json(value: Any) -> Any:
    """The same with None for numbers that JSON cannot hold."""
    if isinstance(value, Mapping):
        return {str(key): finite_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
