"""Colour of a fit against its recording: the level of every third octave, of the whole and of the late part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from fdnlearn.report.style import PALETTE, Margins, figure_style, new_grid

if TYPE_CHECKING:
    from fdnlearn.rir.metrics_document import ColourComparison

#: Shown at least up and down to here.
_LEAST_DB = 3.0


def colour_difference(colour: ColourComparison) -> Figure:
    """Level differences by third octave, network minus room, each with its mean removed; 1 dB up and down is shaded."""
    whole, late = colour.whole.by_band_db, colour.late.by_band_db
    most = max([_LEAST_DB, *(abs(value) for row in (whole, late) for value in row.values())])
    with figure_style():
        figure, grid = new_grid(230.0, 1, 1, Margins(left=58.0))
        axes = grid[0, 0]
        axes.axhspan(-1.0, 1.0, color=PALETTE["band"], zorder=0, linewidth=0)
        axes.axhline(0.0, color=PALETTE["muted"], linewidth=0.7)
        for row, name, look in (
            (late, "From 50 ms on", {"color": PALETTE["muted"], "marker": "o", "linestyle": (0, (4.0, 1.6))}),
            (whole, "Whole response", {"color": PALETTE["fdn"], "marker": "s", "linestyle": "-"}),
        ):
            if row:
                axes.plot(list(row), list(row.values()), label=name, markersize=3.0, linewidth=1.3, **look)
        axes.set_xscale("log")
        ticks = [hz for hz in (63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000) if hz in whole]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda hz, _: f"{hz / 1000:g}k" if hz >= 1000 else f"{hz:g}")
        )
        axes.set(ylim=(-1.05 * most, 1.05 * most), xlabel="Third octave / Hz", ylabel="FDN − room / dB")
        axes.legend(loc="best")
    return figure
