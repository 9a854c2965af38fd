"""Energy decay of every octave, room against network: where a network departs from its room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.report.style import PALETTE, Margins, figure_style, new_grid
from fdnlearn.rir.target import Target

if TYPE_CHECKING:
    from fdnlearn.acoustics.parameters import BandParameters


_COLUMNS = 4
_POINTS = 64
_FLOOR_DB = -60.0


@shapes_checked
def octave_decays(
    target: Target, fitted: Float64[FloatArray, "channels samples"], channel: int = 0
) -> Figure:
    """Energy decay curves per octave, each in dB re its own start, the room's down to its noise knee.

    One small diagram an octave, with the reverberation times of both.
    """
    from fdnlearn.acoustics.parameters import room_parameters

    room = target.parameters[channel].octave
    fdn = room_parameters(fitted[channel], target.sample_rate_hz, "none").octave
    rows = max(1, -(-len(room) // _COLUMNS))
    with figure_style():
        margins = Margins(left=36.0, bottom=22.0, top=30.0, columns=19.0, rows=48.0)
        figure, axes_of_octaves = new_grid(165.0 * rows, rows, _COLUMNS, margins, sharey=True)
        grid = axes_of_octaves.ravel()
        for axes, hz in zip(grid, room, strict=False):
            axes.plot(*_curve(room[hz]), color=PALETTE["room"], linewidth=1.8)
            end_s = axes.dataLim.x1
            times, level_db = _curve(fdn[hz])
            shown = times <= 1.1 * end_s
            axes.plot(
                times[shown], level_db[shown], color=PALETTE["fdn"], linewidth=1.2, linestyle=(0, (4, 1.6))
            )
            axes.set(xlim=(0.0, 1.1 * end_s), ylim=(_FLOOR_DB, 3.0))
            title = f"{_name(hz)}\n{_time(room[hz])} → {_time(fdn[hz])} s"
            axes.set_title(title, fontsize=7.5, fontweight="normal")
            axes.tick_params(labelsize=7.0)
            axes.xaxis.set_major_locator(MaxNLocator(3))
        for axes in grid[len(room) :]:
            axes.set_axis_off()
        for axes in grid[::_COLUMNS]:
            axes.set_ylabel("dB", fontsize=8.0)
    return figure


def _curve(band: BandParameters) -> tuple[FloatArray, Any]:
    level_db = band.decay.db
    stop = max(2, int(np.searchsorted(-level_db, -_FLOOR_DB)))
    keep = np.unique(np.linspace(0, min(stop, level_db.size) - 1, _POINTS).astype(int))
    return keep / band.decay.sample_rate_hz, level_db[keep]


def _name(hz: int) -> str:
    return f"{hz} Hz" if hz < 1000 else f"{hz // 1000} kHz"


def _time(band: BandParameters) -> str:
    value = band.t30_s or band.t20_s
    return "–" if value is None else f"{value:.2f}"
