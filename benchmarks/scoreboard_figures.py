"""The scoreboard as small multiples: a panel for every measure, in it a strip of rooms for every row."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import LogLocator
from scoreboard_measures import COLUMNS, Column
from scoreboard_rows import BANDED, TWIN
from scoreboard_table import Board

from fdnlearn.report.style import PALETTE, figure_style, write_plainly

_ACROSS = 4
_PANEL_IN, _ROW_IN = 2.9, 0.17
_DPI = 110
#: Measures whose figures are small numbers or marks: no logarithm.
_LINEAR = ("ringing", "visqol_drums", "visqol_speech")


def draw(board: Board, path: Path) -> None:
    """Write the figure as PNG."""
    columns = [c for c in COLUMNS if any(board.median(row, c.key) is not None for row in board.rows)]
    down = math.ceil(len(columns) / _ACROSS)
    with figure_style():
        picture = Picture(
            figsize=(_ACROSS * _PANEL_IN, down * (0.75 + _ROW_IN * len(board.rows))), layout="constrained"
        )
        picture.set_facecolor("white")
        FigureCanvasAgg(picture)
        grid = picture.subplots(down, _ACROSS, sharey=True, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place < len(columns):
                _panel(axes, board, columns[place])
            else:
                axes.set_visible(False)
        picture.savefig(path, dpi=_DPI)


def _panel(axes: Axes, board: Board, column: Column) -> None:
    """One measure: a point is a room, the upright stroke the median; the dashed line is the twin's."""
    rows = board.rows
    for place, row in enumerate(rows):
        found = [board.figure(row, room, column.key) for room in board.rooms]
        values = np.array([value for value in found if value is not None and math.isfinite(value)])
        colour = PALETTE["fdn"] if row == BANDED else PALETTE["room"] if row == TWIN else PALETTE["muted"]
        if column.key not in _LINEAR:
            values = np.maximum(values, 10.0**-column.decimals / 2)
        # A fixed zigzag instead of chance keeps points apart that have one value.
        heights = place + 0.22 * (np.arange(values.size) % 3 - 1)
        axes.plot(values, heights, "o", color=colour, markersize=3.2, alpha=0.55, markeredgewidth=0.0)
        median = board.median(row, column.key)
        if median is not None and math.isfinite(median):
            middle = median if column.key in _LINEAR else max(median, 10.0**-column.decimals / 2)
            axes.plot([middle, middle], [place - 0.42, place + 0.42], "-", color=colour, linewidth=2.2)
            if row == TWIN:
                axes.axvline(middle, color=colour, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.set_title(f"{column.title} / {column.unit}" if column.unit else column.title)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    if column.key not in _LINEAR:
        axes.set_xscale("log")
        write_plainly(axes.xaxis)
        least, most = axes.get_xlim()
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if most / least < 500.0 else (1.0,)))
    elif column.best > 0.0:
        axes.invert_xaxis()
