"""Figures of a network's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fdnlearn.report.style import PALETTE, Margins, add_scale, figure_style, new_grid

if TYPE_CHECKING:
    from fdnlearn.fdn import FDN

#: Larger matrices are drawn without numbers in their cells.
_ANNOTATED_LINES = 8


def feedback_matrix(fdn: FDN) -> Figure:
    """Heat map of the feedback matrix U; row i feeds line i."""
    matrix = fdn.arrays.feedback_matrix
    size = matrix.shape[0]
    # As wide as high.
    margins = Margins(left=45.0, right=71.0)
    with figure_style():
        figure, grid = new_grid(290.0, 1, 1, margins)
        axes = grid[0, 0]
        image = axes.imshow(
            matrix,
            cmap="RdBu_r",
            vmin=-1.0,
            vmax=1.0,
            interpolation="nearest",
            extent=(0.5, size + 0.5, size + 0.5, 0.5),
        )
        axes.grid(visible=False)
        if size <= _ANNOTATED_LINES:
            for (row, column), value in np.ndenumerate(matrix):
                colour = "white" if abs(value) > 0.6 else "black"
                text = f"{value:.2f}".replace("-", "−")
                axes.text(column + 1, row + 1, text, ha="center", va="center", color=colour, fontsize=8.0)
        axes.set(xlabel="From line j", ylabel="To line i")
        for axis in (axes.xaxis, axes.yaxis):
            _number_lines(axis)
        add_scale(figure, image, "Coefficient / 1", margins)
    return figure


def line_parameters(fdn: FDN) -> Figure:
    """Delay, reverberation time, input gain and output gain of every line.

    With several inputs or outputs each gets its own bar; reverberation times that depend on frequency are
    shown as a span from the shortest to the longest.
    """
    arrays = fdn.arrays
    lines = np.arange(1, fdn.lines + 1)
    times = fdn.reverberation_times_s
    with figure_style():
        margins = Margins(left=48.0, top=22.0, columns=54.0, rows=28.0)
        figure, grid = new_grid(290.0, 2, 2, margins, sharex=True)
        (delays, decays), (inputs, outputs) = grid
        delays.bar(lines, 1000.0 * arrays.delays_samples / fdn.sample_rate_hz, color=PALETTE["fdn"])
        delays.set(title="Delay", ylabel="Delay / ms")
        decays.bar(lines, times.max(axis=1), color=PALETTE["fdn"], alpha=0.45 if times.shape[1] > 1 else 1.0)
        if times.shape[1] > 1:
            decays.bar(lines, times.min(axis=1), color=PALETTE["fdn"])
        decays.set(title="Reverberation time", ylabel="T60 / s")
        _grouped_bars(inputs, lines, arrays.input_gains)
        inputs.set(title="Input gain", xlabel="Line", ylabel="b / 1")
        _grouped_bars(outputs, lines, arrays.output_gains.T)
        outputs.set(title="Output gain", xlabel="Line", ylabel="c / 1")
        inputs.set_xlim(0.4, fdn.lines + 0.6)
        _number_lines(inputs.xaxis)
    return figure


def _number_lines(axis: Axis) -> None:
    axis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def _grouped_bars(axes: Axes, lines: npt.NDArray[np.int_], gains: npt.NDArray[np.float64]) -> None:
    """One group a line, one bar in it for each column of `gains` (lines, channels)."""
    width = 0.8 / gains.shape[1]
    for channel in range(gains.shape[1]):
        shift = (channel - (gains.shape[1] - 1) / 2.0) * width
        axes.bar(lines + shift, gains[:, channel], width, color=PALETTE["fdn"])
    axes.axhline(0.0, color=PALETTE["muted"], linewidth=0.7)
