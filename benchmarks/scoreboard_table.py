"""Every figure of the scoreboard as rows of one table, `docs/scoreboard.csv`, and what follows from them.

A line is one response of a row in one room. A figure is empty where the recording does not count, or where the measure
is not installed, and "missed" where the response has no value or the fit failed.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scoreboard_measures import COLUMNS, Column, Figure
from scoreboard_rows import BANDED, ROWS, TWIN

FIELDS = ("set", "room", "row", "number", "rate_hz", *(c.key for c in COLUMNS), "seconds", "multiplications")
MISSED = "missed"
#: Figures of the cost, of the table but no columns.
COSTS = ("seconds", "multiplications")
#: Distances that differ by less than this part of the larger one are equal.
_TIE = 0.01


@dataclass(frozen=True)
class Line:
    """One response of a row in one room; its figures by key."""

    room_set: str
    room: str
    row: str
    number: int
    rate_hz: int
    figures: Mapping[str, Figure]


class Verdict(NamedTuple):
    """In how many rooms a row is nearer to the recording than another, as near, or less near."""

    nearer: int
    equal: int
    further: int


@dataclass(frozen=True)
class Board:
    """All lines, those of one room together."""

    lines: tuple[Line, ...]

    @property
    def rooms(self) -> list[str]:
        """In the order of the table."""
        return list(dict.fromkeys(line.room for line in self.lines))

    @property
    def rows(self) -> list[str]:
        """Those that have a line, in the order of the scoreboard."""
        there = {line.row for line in self.lines}
        return [row.name for row in ROWS if row.name in there]

    def figure(self, row: str, room: str, key: str) -> Figure:
        """Of a row in a room: the median of its responses."""
        found = self._figures(row, room, key)
        return statistics.median(found) if found else None

    def median(self, row: str, key: str) -> Figure:
        """Over the rooms in which the row has a figure."""
        found = [self.figure(row, room, key) for room in self.rooms]
        present = [figure for figure in found if figure is not None]
        return statistics.median(present) if present else None

    def distance(self, row: str, room: str, column: Column) -> Figure:
        """From the recording."""
        figure = self.figure(row, room, column.key)
        return None if figure is None else column.distance(figure)

    def ratio(self, row: str, column: Column) -> Figure:
        """Median distance of a row over that of the twin, in the rooms of the row; None where the twin's is none."""
        pairs = [(self.distance(row, room, column), self.distance(TWIN, room, column)) for room in self.rooms]
        both = [pair for pair in pairs if None not in pair]
        if not both:
            return None
        own, twin = (statistics.median(side) for side in zip(*both, strict=True))
        return own / twin if twin > 0.0 else None

    def chance(self, room: str, column: Column) -> float:
        """Standard deviation of the distances of the room's twins, which differ in nothing but chance."""
        found = [column.distance(figure) for figure in self._figures(TWIN, room, column.key)]
        return statistics.stdev(found) if len(found) > 1 and all(map(math.isfinite, found)) else 0.0

    def against(self, rival: str, column: Column, row: str = BANDED) -> Verdict:
        """How a row does against another in a column; equal is what differs by no more than chance or 1 %."""
        nearer = equal = further = 0
        for room in self.rooms:
            own, other = (self.distance(name, room, column) for name in (row, rival))
            if own is None or other is None:
                continue
            least = max(
                self.chance(room, column), _TIE * max(own, other) if math.isfinite(own + other) else 0.0
            )
            if own == other or abs(own - other) <= least:
                equal += 1
            elif own < other:
                nearer += 1
            else:
                further += 1
        return Verdict(nearer, equal, further)

    def _figures(self, row: str, room: str, key: str) -> list[float]:
        found = (line.figures.get(key) for line in self.lines if (line.row, line.room) == (row, room))
        return [figure for figure in found if figure is not None]


def read_board(path: Path) -> Board:
    """The table of a file, empty where there is none."""
    if not path.exists():
        return Board(())
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    keys = [*(column.key for column in COLUMNS), *COSTS]
    return Board(
        tuple(
            Line(
                row["set"],
                row["room"],
                row["row"],
                int(row["number"]),
                int(row["rate_hz"]),
                {key: _number(row[key]) for key in keys},
            )
            for row in rows
        )
    )


def write_board(path: Path, board: Board) -> None:
    """Equal boards give equal bytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        for line in board.lines:
            place = {"set": line.room_set, "room": line.room, "row": line.row}
            place |= {"number": str(line.number), "rate_hz": str(line.rate_hz)}
            writer.writerow(place | {key: _text(line.figures.get(key)) for key in FIELDS[5:]})


def replaced(board: Board, room: str, row: str, lines: Iterable[Line]) -> Board:
    """A board with other lines for one row in one room."""
    kept = [line for line in board.lines if (line.room, line.row) != (room, row)]
    return in_order([*kept, *lines])


def in_order(lines: Sequence[Line]) -> Board:
    """Rooms as they come, rows as on the scoreboard."""
    rooms = {room: place for place, room in enumerate(dict.fromkeys(line.room for line in lines))}
    rows = {row.name: place for place, row in enumerate(ROWS)}
    known = (line for line in lines if line.row in rows)
    return Board(tuple(sorted(known, key=lambda line: (rooms[line.room], rows[line.row], line.number))))


def _number(text: str) -> Figure:
    return math.inf if text == MISSED else float(text) if text else None


def _text(figure: Figure) -> str:
    if figure is None:
        return ""
    return format(figure, ".4g") if math.isfinite(figure) else MISSED
