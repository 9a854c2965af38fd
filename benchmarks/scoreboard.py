"""Hold every way to make a room against its recording; write docs/scoreboard.csv, docs/scoreboard.md and its figure.

    FDNLEARN_ROOMS=folder python benchmarks/scoreboard.py [--also FOLDER] [--clips FOLDER] [--keep DIR]

Rooms are those for reporting, and every recording in the folder --also. Dry sounds come from --clips; ViSQOL is asked
where it is installed (``pip install "fdnlearn[bench]"``). Fits go through the call that `fdnlearn fit` makes, on one
thread; with --keep they stay in a folder and are not repeated. Searches have the time that the room's gradient fit
took, or --budget seconds. What has been measured stays in the table: --only and --rows measure a part anew, --no-run
writes the page from the table alone. --tune takes the rooms for tuning instead; keep their page elsewhere (--out).
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numba
import torch
from rooms import REPORT, TUNE
from scoreboard_figures import draw
from scoreboard_measures import COLUMNS, distances
from scoreboard_page import page
from scoreboard_room import Room, aligned, load_room
from scoreboard_rows import ROWS, Response, Row, Task
from scoreboard_sounds import Sounds, load_sounds
from scoreboard_table import Board, Line, in_order, read_board, replaced, write_board

from fdnlearn.base.errors import FdnlearnError

ROOT = Path(__file__).resolve().parents[1]
#: Of responses that another project has found, which lie beside the recordings of --also.
_FOUND = "_ga_"

# A room at one rate is needed by several rows after another.
_room = lru_cache(maxsize=4)(load_room)


def chosen_rooms(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Set and recording of every room."""
    room_set, names = ("tune", TUNE) if options.tune else ("report", REPORT)
    yield from ((room_set, options.rooms / f"{name}.wav") for name in names)
    if options.also is not None:
        yield from (("other", path) for path in sorted(options.also.glob("*.wav")) if _FOUND not in path.stem)


def measure(room_set: str, row: Row, task: Task, sounds: Sounds) -> list[Line]:
    """The lines of a row in a room; a failed fit misses everything."""
    name = task.path.stem
    try:
        responses = row.responses(task)
    except FdnlearnError as error:
        print(f"failed: {error}", flush=True)
        return [Line(room_set, name, row.name, 0, 0, {column.key: math.inf for column in COLUMNS})]
    return [
        Line(room_set, name, row.name, number, response.rate_hz, figures(response, task.path, sounds))
        for number, response in enumerate(responses)
    ]


def figures(response: Response, recording: Path, sounds: Sounds) -> dict[str, float | None]:
    """All that is measured of a response, and its cost."""
    room: Room = _room(recording, response.rate_hz)
    if room.rate_hz != response.rate_hz:
        raise ValueError(f"a response at {response.rate_hz} Hz, its recording at {room.rate_hz} Hz")
    h = aligned(response.h, room.rate_hz)
    heard = room.without_noise(h)
    return {
        **distances(room, h, heard),
        **sounds.distances(room, heard),
        "seconds": response.seconds,
        "multiplications": response.multiplications,
    }


def about(options: argparse.Namespace) -> str:
    """What the figures come from."""
    budget = "as long as the room's gradient fit" if options.budget is None else f"{options.budget:g} s"
    return (
        f"Default settings, seed {options.seed}; genetic algorithm and CMA-ES for {budget}. {platform.machine()}, "
        f"{options.threads} thread(s) a fit, Python {platform.python_version()}, torch {version('torch')}, "
        f"numba {version('numba')}."
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--rooms", type=Path, default=os.environ.get("FDNLEARN_ROOMS"), help="folder of rooms"
    )
    parser.add_argument("--also", type=Path, help="more recordings, and what others have found for them")
    parser.add_argument("--clips", type=Path, help="folder of dry sounds")
    parser.add_argument("--keep", type=Path, help="where fits stay and are found again")
    parser.add_argument("--only", help="rooms, separated by commas")
    parser.add_argument("--rows", help="rows, separated by commas")
    parser.add_argument("--tune", action="store_true", help="the rooms for tuning")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, help="seconds of a search")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-run", action="store_true", help="write the page from the table alone")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of table, page and images/")
    options = parser.parse_args(arguments)
    if options.no_run:
        return options
    if options.rooms is None:
        parser.error("no rooms: name their folder by --rooms or in FDNLEARN_ROOMS")
    there = [path for _, path in chosen_rooms(options)]
    if absent := [str(path) for path in there if not path.exists()]:
        parser.error(f"{absent[0]} is not there")
    for flag, names, known in (
        ("--only", options.only, [path.stem for path in there]),
        ("--rows", options.rows, [row.name for row in ROWS]),
    ):
        if unknown := _names(names, known) - set(known):
            parser.error(f"{flag} {min(unknown)}: unknown, choose among {', '.join(known)}")
    return options


def _names(asked: str | None, every: Iterable[str]) -> set[str]:
    return set(every) if asked is None else set(asked.split(","))


def run(options: argparse.Namespace, board: Board, keep: Path) -> Board:
    """Measure what is asked for, and write the table after every row."""
    sounds = load_sounds(options.clips) if options.clips else Sounds({})
    if not sounds.clips:
        print("no dry sounds (--clips): what is heard is left out", flush=True)
    elif sounds.visqol is None:
        print('ViSQOL is not installed (pip install "fdnlearn[bench]"): its columns stay empty', flush=True)
    rows = [row for row in ROWS if row.name in _names(options.rows, [row.name])]
    for row in rows:
        if row.missing:
            print(f"{row.name} stays out: {', '.join(row.missing)} not installed", flush=True)
    for room_set, path in chosen_rooms(options):
        if path.stem not in _names(options.only, [path.stem]):
            continue
        for row in (row for row in rows if not row.missing):
            task = Task(path, keep, options.seed, options.budget)
            lines = measure(room_set, row, task, sounds)
            print(f"{path.stem}  {row.name}  {len(lines)} response(s)", flush=True)
            board = replaced(board, path.stem, row.name, lines)
            write_board(options.out / "scoreboard.csv", board)
    return board


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    options = _options(arguments)
    numba.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    (options.out / "images").mkdir(parents=True, exist_ok=True)
    board = read_board(options.out / "scoreboard.csv")
    if not options.no_run:
        with tempfile.TemporaryDirectory() as temporary:
            board = run(options, board, options.keep or Path(temporary))
    board = in_order(board.lines)
    written = options.out / "scoreboard.md"
    # Without a run the figures still come from where the page says.
    words = written.read_text(encoding="utf-8").split("\n\n")[2] if options.no_run else about(options)
    written.write_text(page(board, words), encoding="utf-8")
    draw(board, options.out / "images" / "scoreboard.png")


if __name__ == "__main__":
    main()
