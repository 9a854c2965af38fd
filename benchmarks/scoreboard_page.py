"""The scoreboard as a page: medians, who is nearer to the recording, how far from the twin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scoreboard_measures import COLUMNS, VISQOL_BEST, Column, Figure
from scoreboard_rows import BANDED, ROWS, TWIN
from scoreboard_sounds import CLIPS, FLOOR_DB
from scoreboard_table import Board

_COSTS = (("seconds", "fit / s", 0), ("multiplications", "multiplications a sample", 0))


def page(board: Board, about: str) -> str:
    """The whole document; `about` says what machine, versions and settings the figures come from."""
    there = [
        column for column in COLUMNS if any(board.median(row, column.key) is not None for row in board.rows)
    ]
    rivals = [row for row in board.rows if row not in (BANDED, TWIN)]
    parts = [
        "# Scoreboard",
        "Written by `benchmarks/scoreboard.py`. Everything is judged against the recording itself, resampled to the "
        "fit's rate and otherwise as it is: aligned by the direct sound, never a prepared target. No column is a term "
        "of a loss as such. Nothing was tuned on these rooms. [scoreboard.csv](scoreboard.csv) has every figure.",
        about,
        "![Every measure, a strip of rooms for every row](images/scoreboard.png)",
        "## Rows",
        "\n".join(f"- **{row.name}**: {row.about}" for row in ROWS if row.name in board.rows),
        _absent(board),
        "## Medians over the rooms",
        "Of every measure the median over the rooms in which it counts and the row has a response; bold is the nearest "
        "to the recording but for the twin. GeneticReverb has responses of two rooms only: the next table compares it.",
        _table("measure", board.rows, there, lambda column: _medians(board, column)) + "\n" + _costs(board),
        "## Is banded nearer to the recording?",
        f"Rooms in which `{BANDED}` is nearer than the row of the column, as near, less near. As near: the distances "
        "differ by no more than 1 %, or than the standard deviation of those of the room's three twins, which differ "
        "in nothing but chance.",
        _table("measure", rivals, there, lambda column: _verdicts(board, column, rivals)),
        "## How far from the floor",
        "Median distance from the recording over that of the twin, in the rooms that both have.",
        _table("measure", [r for r in board.rows if r != TWIN], there, lambda column: _ratios(board, column)),
        "## Measures",
        "Where the recording meets its noise neither side counts beyond. Octave and third-octave decays have the noise "
        "taken out by the package's estimators and count by them (impulse-to-noise ratio; bandwidth times "
        "reverberation time over 16). For spectrogram, echo density and sounds both sides are faded out at the "
        "recording's knee, in every third octave at its own. Overall level never counts. A row at a lower rate than "
        "the others is judged by the recording at that rate: what it has not is not counted against it.",
        "\n".join(f"- **{column.title}** ({column.unit or 'no unit'}): {column.about}" for column in there),
        f"Sounds: `{CLIPS['drums']}` and `{CLIPS['speech']}`, five seconds at 48 kHz, both sides of equal energy; "
        f"what is more than {FLOOR_DB:.0f} dB below the loudest cell is silence. ViSQOL (`visqol-python` 3.8, audio "
        f"mode) gives {VISQOL_BEST} to a sound compared with itself, from where its distances are taken. Seconds to "
        "fit are wall-clock time. Multiplications a sample: five for a second-order section, one for every gain and "
        "tap, matrices dense.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _absent(board: Board) -> str:
    missing = [row.name for row in ROWS if row.name not in board.rows]
    return f"Not here: {', '.join(missing)}." if missing else ""


def _table(
    corner: str, heads: Sequence[str], columns: Sequence[Column], cells: Callable[[Column], list[str]]
) -> str:
    """One line for every measure."""
    lines = [f"| {corner} | {' | '.join(heads)} |", "|---" + "|---:" * len(heads) + "|"]
    for column in columns:
        title = f"{column.title} / {column.unit}" if column.unit else column.title
        lines.append(f"| {title} | {' | '.join(cells(column))} |")
    return "\n".join(lines)


def _medians(board: Board, column: Column) -> list[str]:
    figures = {row: board.median(row, column.key) for row in board.rows}
    # Rows with other rooms are not held against those of all.
    fair = [row for row in board.rows if row != TWIN and _everywhere(board, row)]
    distances = {row: column.distance(figure) for row in fair if (figure := figures[row]) is not None}
    least = min(distances.values(), default=math.nan)
    texts = []
    for row, figure in figures.items():
        text = _number(figure, column.decimals)
        texts.append(f"**{text}**" if distances.get(row) == least and math.isfinite(least) else text)
    return texts


def _everywhere(board: Board, row: str) -> bool:
    return len({line.room for line in board.lines if line.row == row}) == len(board.rooms)


def _costs(board: Board) -> str:
    lines = []
    for key, title, decimals in _COSTS:
        cells = [_number(board.median(row, key), decimals) for row in board.rows]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _verdicts(board: Board, column: Column, rivals: Sequence[str]) -> list[str]:
    found = (board.against(rival, column) for rival in rivals)
    return [f"{v.nearer} / {v.equal} / {v.further}" if sum(v) else "–" for v in found]


def _ratios(board: Board, column: Column) -> list[str]:
    return [_number(board.ratio(row, column), 2) for row in board.rows if row != TWIN]


def _number(figure: Figure, decimals: int) -> str:
    if figure is None:
        return "–"
    return f"{figure:.{decimals}f}" if math.isfinite(figure) else "missed"
