"""Manifests of a batch, odd and damaged: every row is a room inside the batch's folder, or a line that says why not."""

from __future__ import annotations

import contextlib
import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow
from pyarrow import parquet

from fdnlearn.runs.many.manifests import LONGEST_PATH
from fuzz.cases import Case, Fault, Kind
from fuzz.commands import lay_out
from fuzz.fits import brief_fits
from fuzz.mutations import WORDS, changed_bytes
from fuzz.verdicts import command

_COLUMNS = ("path", "name", "channel", "measurement", "note", "Path", "")
_PATHS = ("room.wav", "stereo.wav", "rooms/a.wav", "rooms", "none.wav", "rooms.csv", "./room.wav", "ROOM.WAV")
_ENCODINGS = ("utf-8-sig", "utf-16", "latin-1", "cp1252", "utf-32", "utf-7")


def _seeds() -> list[Case]:
    texts = (
        "path\nroom.wav\n",
        "name,path,channel\nhall,stereo.wav,1\n,room.wav,\n",
        "\ufeffpath;name\nroom.wav;x\n",
        'path,name\r\n"room.wav","two\nlines"\r\nnone.wav\r\n,,,\r\n',
    )
    table = io.BytesIO()
    columns = {"path": ["room.wav", None], "name": ["one", "two"], "channel": [0.0, float("nan")]}
    parquet.write_table(pyarrow.table(columns), table)
    return [*(Case(text.encode(), ".csv") for text in texts), Case(table.getvalue(), ".parquet")]


def _mutate(rng: random.Random, known: list[Case], case: Case) -> Case:
    if rng.random() < 0.6:
        return Case(_made(rng), ".csv")
    others = [other.content for other in known]
    return Case(changed_bytes(rng, case.content, others), case.suffix if rng.random() < 0.9 else ".csv")


def _made(rng: random.Random) -> bytes:
    columns = ["path", *rng.sample(_COLUMNS, rng.randrange(len(_COLUMNS)))]
    rng.shuffle(columns)
    text = io.StringIO()
    writer = csv.writer(
        text, delimiter=rng.choice(",,,,;\t"), lineterminator=rng.choice(("\n", "\r\n", "\r"))
    )
    writer.writerow(columns)
    for _ in range(rng.randrange(5)):
        row = [_cell(rng, column) for column in columns]
        writer.writerow(row[: rng.randrange(len(row) + 1)] if rng.random() < 0.1 else row)
    encoding = rng.choice(_ENCODINGS) if rng.random() < 0.2 else "utf-8"
    content = text.getvalue().encode(encoding, errors="replace")
    return changed_bytes(rng, content, [content]) if rng.random() < 0.2 else content


def _cell(rng: random.Random, column: str) -> str:
    if rng.random() < 0.25:
        return rng.choice((*WORDS, "x" * 140_000, "\0", "a\0b"))
    if column == "path":
        return rng.choice(_PATHS)
    if column in ("channel", "measurement"):
        return rng.choice(("0", "1", "all", "", "", "7", "1.0"))
    return rng.choice(
        ("hall", "Hall", "hall ", "", "a/b", ".", "..", "con", "nul.txt", "x" * 250, "ä", "a\u0308")
    )


@contextlib.contextmanager
def _world() -> Iterator[None]:
    with brief_fits():
        yield


def _check(case: Case) -> None:
    lay_out()
    before = set(Path().rglob("*"))
    manifest = f"all{case.suffix}"
    Path(manifest).write_bytes(case.content)
    settings = ("--method", "analytic", "--model", "homogeneous", "--json")
    command("batch", manifest, "-o", "out", *settings, repeats=LONGEST_PATH)
    # A name is no way out of the batch's folder.
    strays = [path for path in set(Path().rglob("*")) - before if path.parts[0] not in ("out", manifest)]
    if strays:
        raise Fault(f"writes {min(strays)}")


MANIFESTS = Kind("manifests", _seeds, _mutate, _check, _world)
