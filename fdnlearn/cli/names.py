"""Names of results where the user gives none: readable, and never those of another recording's results."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fdnlearn.fdn import FDN

#: Longest part of a name that is taken from a file, bytes: file systems allow 255 for the whole.
_LONGEST_BYTES = 100


def candidates(source: Path, ending: str = "") -> Iterator[str]:
    """Names for what is made of a file: its own, that with its folder's in front, and that numbered from 2 for ever.

    Parameters
    ----------
    source : Path
        Need not be there.
    ending : str
        Comes behind each.
    """
    stem = _shortened(source.stem.lstrip(".")) or "room"
    yield f"{stem}{ending}"
    parent = _shortened(Path(os.path.abspath(source)).parent.name.lstrip("."))
    # `hall-fdn/fdn.json` is well named by its folder alone.
    longer = parent if parent.endswith(f"-{stem}") else f"{parent}-{stem}" if parent else stem
    if longer != stem:
        yield f"{longer}{ending}"
    yield from (f"{longer}{ending}-{number}" for number in itertools.count(2))


def free_name(source: Path, ending: str, recording: str, recordings_at: Callable[[str], set[str]]) -> str:
    """The first name at which there is nothing of other recordings only; says so if it is not the plain one.

    Parameters
    ----------
    source, ending
        As `candidates` takes them.
    recording : str
        SHA-256 of the recording whose results are to be named.
    recordings_at : callable
        SHA-256 of those whose results have a name already. Where that cannot be told there is none, and it is left to
        the run to refuse what it finds.
    """
    names = candidates(source, ending)
    plain = next(names)
    for name in itertools.chain((plain,), names):
        there = recordings_at(name)
        if not there or recording in there:
            if name != plain:
                click.echo(f"fdnlearn: {plain} is of another recording; this one's results: {name}", err=True)
            return name
    raise AssertionError("names never end")


def fit_folder(recording: Path) -> Path:
    """Where a fit of a recording goes, below the current folder; the file's own place may be read-only."""
    from fdnlearn.runs.folder import recordings_in

    plain = Path(next(candidates(recording, "-fdn")))
    try:
        if not plain.exists():
            return plain
        with recording.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # reading it will say why
        return plain
    return Path(free_name(recording, "-fdn", sha256, lambda name: recordings_in(Path(name))))


def export_name(network: Path, fdn: FDN, targets: str, folder: Path) -> str:
    """Name of the files that a network is exported to."""
    from fdnlearn.export import get_targets
    from fdnlearn.export.certificate import recording_in, recording_of
    from fdnlearn.export.text import identifier

    def recordings_at(name: str) -> set[str]:
        stems = (f"{identifier(name)}.{target.name}" for target in get_targets(targets))
        there = (recording_in(folder / f"{stem}.cert.json") for stem in stems)
        return {recording for recording in there if recording}

    recording = recording_of(fdn)
    return free_name(network, "", recording, recordings_at) if recording else next(candidates(network))


def _shortened(text: str) -> str:
    while len(os.fsencode(text)) > _LONGEST_BYTES:
        text = text[:-1]
    return text
