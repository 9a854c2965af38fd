"""Figures of a fit: each function returns a matplotlib `Figure`, ready to be saved or shown.

No pyplot, so no global state and no display: ``energy_decay(target, fitted).savefig("decay.pdf")``. Throughout,
`fitted` is the response of the network, shape (channels, n), at the rate of `target` and on its scale, and `channel`
says which of the channels is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.report.formatting import format_time
from fdnlearn.report.spectrogram import LOWEST_HZ, log_spectrogram
from fdnlearn.report.style import PALETTE, Margins, add_scale, figure_style, new_grid, set_log_levels
from fdnlearn.rir.target import Target

if TYPE_CHECKING:
    from fdnlearn.fitting.progress import Progress


#: Points in a drawn line: finer than the figure is wide.
_POINTS = 600
_TINY = 1e-30

_ROOM: dict[str, Any] = {"color": PALETTE["room"], "linewidth": 2.0, "label": "Room"}
_FDN: dict[str, Any] = {
    "color": PALETTE["fdn"],
    "linewidth": 1.4,
    "linestyle": (0, (4.0, 1.6)),
    "label": "FDN",
}


@shapes_checked
def energy_decay(target: Target, fitted: Float64[FloatArray, "channels samples"], channel: int = 0) -> Figure:
    """Energy decay curves with the knee and the usable range, and their difference below.

    Levels are in dB re the energy of the room's channel, so that an error in level shows too.
    """
    rate = target.sample_rate_hz
    room = np.asarray(target.energy_decay[channel], dtype=np.float64)
    fdn, recording = _schroeder(fitted[channel]), _schroeder(target.samples[channel])
    reference = max(float(room[0]), _TINY)
    floor_db = -(np.clip(np.ceil((target.range_db + 12.0) / 10.0), 3.0, 11.0) * 10.0)
    knee_s = target.length_samples / rate
    end_s = knee_s * 1.12
    with figure_style():
        figure, grid = new_grid(290.0, 2, 1, Margins(left=58.0), sharex=True, height_ratios=[3.6, 1.0])
        decay, difference = grid[:, 0]
        decay.axhspan(-target.range_db, 0.0, color=PALETTE["band"], zorder=0, linewidth=0)
        for curve, look in (
            (recording, {"color": PALETTE["muted"], "linewidth": 0.8, "label": "Recording, noise included"}),
            (room, _ROOM),
            (fdn, _FDN),
        ):
            decay.plot(*_thinned(_level_db(curve / reference), rate, end_s), **look)
        decay.axvline(knee_s, color=PALETTE["muted"], linewidth=0.9, linestyle=":")
        decay.set(xlim=(0.0, end_s), ylim=(floor_db, 3.0), ylabel="Energy decay / dB")
        decay.annotate(
            f"usable range {target.range_db:.0f} dB,\nto the {_end_name(target)} at {format_time(knee_s)}",
            (knee_s, 0.0),
            xytext=(-4, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            color=PALETTE["muted"],
            fontsize=8.0,
        )
        # Decays leave the lower left corner free.
        decay.legend(loc="lower left")
        shared = min(room.size, fdn.size)
        gap = _level_db(fdn[:shared] / reference) - _level_db(room[:shared] / reference)
        difference.axhspan(-1.0, 1.0, color=PALETTE["band"], zorder=0, linewidth=0)
        difference.axhline(0.0, color=PALETTE["muted"], linewidth=0.7)
        difference.plot(*_thinned(gap, rate, knee_s), color=PALETTE["fdn"], linewidth=1.4)
        difference.set(ylim=(-3.0, 3.0), yticks=(-3, -1, 1, 3), ylabel="FDN − room\n/ dB")
        difference.axvline(knee_s, color=PALETTE["muted"], linewidth=0.9, linestyle=":")
        difference.set_xlabel("Time / s")
        figure.align_ylabels()
    return figure


@shapes_checked
def echo_density(target: Target, fitted: Float64[FloatArray, "channels samples"], channel: int = 0) -> Figure:
    """Normalised echo density over the logarithm of time; 1 is the density of Gaussian noise."""
    from fdnlearn.acoustics.echo_density import WINDOW_S
    from fdnlearn.acoustics.echo_density import echo_density as profile

    rate = target.sample_rate_hz
    end_s = max(min(target.reverberation_time_s, target.length_samples / rate), 3.0 * WINDOW_S)
    length = round(end_s * rate)
    hop = max(1, length // 6000)
    with figure_style():
        figure, grid = new_grid(290.0, 1, 1, Margins())
        axes = grid[0, 0]
        axes.axhline(1.0, color=PALETTE["muted"], linewidth=0.9, linestyle=":")
        axes.annotate(
            "Gaussian noise",
            (0.01, 1.0),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, 3),
            textcoords="offset points",
            color=PALETTE["muted"],
            fontsize=8.0,
        )
        for h, look in ((target.samples[channel], _ROOM), (fitted[channel], _FDN)):
            density = profile(np.asarray(h[:length], dtype=np.float64), rate, hop=hop)
            if density.size == 0:
                continue
            frames = np.unique(np.geomspace(1, density.size, _POINTS).astype(int)) - 1
            axes.plot(WINDOW_S / 2.0 + frames * hop / rate, density[frames], **look | {"linewidth": 1.3})
        axes.set_xscale("log")
        ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0) if t <= end_s]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda t, _: f"{1000.0 * t:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlim=(WINDOW_S / 2.0, end_s), ylim=(0.0, 1.4))
        axes.set(xlabel="Time / ms", ylabel="Normalised echo density / 1")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right")
    return figure


@shapes_checked
def spectrograms(target: Target, fitted: Float64[FloatArray, "channels samples"], channel: int = 0) -> Figure:
    """Spectrograms of room and fit, one above the other, on the same dB scale.

    0 dB is the room's largest value; frequencies are logarithmic from the octave of 63 Hz to half the sample rate.
    """
    import matplotlib

    rate = target.sample_rate_hz
    knee_s = target.length_samples / rate
    end_s = min(knee_s * 1.12, target.samples.shape[1] / rate)
    room = log_spectrogram(target.samples[channel], rate, end_s)
    fdn = log_spectrogram(fitted[channel], rate, end_s)
    reference = max(float(room.max()), _TINY)
    depth_db = float(np.clip(10.0 * np.ceil(target.range_db / 10.0), 40.0, 80.0))
    # Few colours keep the images small; the steps are 2 dB or finer.
    colours = matplotlib.colormaps["magma"].resampled(40)
    low, high = np.log2(LOWEST_HZ), np.log2(rate / 2.0)
    octaves = [f for f in (63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000) if f <= rate / 2.0 * 1.01]
    margins = Margins(right=62.0, top=22.0, rows=26.0)
    with figure_style():
        figure, grid = new_grid(500.0, 2, 1, margins, sharex=True, sharey=True)
        panels = grid[:, 0]
        for axes, power, title in zip(panels, (room, fdn), ("Room", "FDN"), strict=True):
            image = axes.imshow(
                _level_db(power / reference),
                origin="lower",
                aspect="auto",
                interpolation="none",
                cmap=colours,
                vmin=-depth_db,
                vmax=0.0,
                extent=(0.0, end_s, low, high),
            )
            axes.grid(visible=False)
            axes.set_title(title)
            axes.set_yticks(np.log2(octaves), [f"{f / 1000:g}k" if f >= 1000 else f"{f}" for f in octaves])
            axes.set(ylim=(low, high), ylabel="Frequency / Hz")
            if knee_s < end_s:
                axes.axvline(knee_s, color="white", linewidth=0.9, linestyle=":")
        panels[1].set_xlabel("Time / s")
        add_scale(figure, image, "Level re the room's maximum / dB", margins)
    return figure


@shapes_checked
def impulse_responses(
    target: Target,
    fitted: Float64[FloatArray, "channels samples"],
    channel: int = 0,
    *,
    stop_s: float | None = None,
) -> Figure:
    """Levels of the two impulse responses, one above the other.

    The first `stop_s` seconds, the usable length where None.
    """
    rate = target.sample_rate_hz
    knee_s = target.length_samples / rate
    end_s = min(stop_s, knee_s) if stop_s else knee_s * 1.12
    reference = max(float(np.abs(target.samples[channel, : target.length_samples]).max()), _TINY)
    depth_db = 50.0 if stop_s else np.clip(10.0 * np.ceil((target.range_db + 15.0) / 10.0), 40.0, 90.0)
    floor_db = -float(depth_db)
    scale, unit = (1000.0, "ms") if end_s <= 0.25 else (1.0, "s")
    with figure_style():
        figure, grid = new_grid(225.0, 2, 1, Margins(top=22.0, rows=26.0), sharex=True, sharey=True)
        panels = grid[:, 0]
        for axes, h, title, colour in (
            (panels[0], target.samples[channel], "Room", PALETTE["room"]),
            (panels[1], fitted[channel], "FDN", PALETTE["fdn"]),
        ):
            times, peaks = _peaks(h[: round(end_s * rate)], rate)
            level = np.maximum(_level_db(np.square(peaks / reference)), floor_db)
            axes.fill_between(scale * times, level, floor_db, step="post", color=colour, linewidth=0.4)
            axes.set_title(title)
            axes.set(xlim=(-0.01 * scale * end_s, scale * end_s), ylim=(floor_db, 3.0), ylabel="Level / dB")
            if knee_s < end_s:
                axes.axvline(scale * knee_s, color=PALETTE["muted"], linewidth=0.9, linestyle=":")
        panels[1].set_xlabel(f"Time / {unit}")
    return figure


def loss_history(history: Sequence[Progress]) -> Figure:
    """Loss of every iteration and the best so far, with the stages of the fit.

    Parameters
    ----------
    history : sequence of Progress

    Returns
    -------
    Figure
    """
    loss = np.array([p.loss for p in history], dtype=np.float64)
    best = np.array([p.best_loss for p in history], dtype=np.float64)
    loss[~np.isfinite(loss)] = best[~np.isfinite(best)] = np.nan
    steps = np.arange(1, loss.size + 1)
    keep = steps[:: max(1, loss.size // (3 * _POINTS))] - 1
    with figure_style():
        figure, grid = new_grid(270.0, 1, 1, Margins())
        axes = grid[0, 0]
        first = 0
        for number, (stage, entries) in enumerate(groupby(history, key=lambda p: p.stage)):
            stop = first + len(list(entries))
            if number % 2:
                axes.axvspan(first + 0.5, stop + 0.5, color=PALETTE["band"], zorder=0, linewidth=0)
            axes.annotate(
                stage,
                ((first + stop + 1) / 2.0, 0.985),
                xycoords=axes.get_xaxis_transform(),
                rotation=90,
                ha="center",
                va="top",
                fontsize=7.5,
                color=PALETTE["muted"],
                parse_math=False,
            )
            first = stop
        axes.plot(steps[keep], loss[keep], color=PALETTE["muted"], linewidth=0.7, label="Loss")
        axes.plot(steps[keep], best[keep], color=PALETTE["fdn"], linewidth=1.6, label="Best so far")
        _set_loss_scale(axes, np.concatenate((loss, best)))
        axes.set(xlim=(0.5, max(loss.size, 1) + 0.5), xlabel="Iteration / 1", ylabel="Loss / 1")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.legend(loc="lower left")
    return figure


def _set_loss_scale(axes: Axes, values: FloatArray) -> None:
    """Logarithmic where all values allow it. The top quarter stays free for the names of the stages."""
    values = values[np.isfinite(values)]
    if values.size == 0 or values.min() <= 0.0:
        return
    low, high = float(values.min()), float(values.max()) * 1.05
    set_log_levels(axes, low, high)
    axes.set_ylim(low / (high / low) ** 0.05, high * (high / low) ** 0.33)


def _end_name(target: Target) -> str:
    return "noise knee" if target.length_samples < target.samples.shape[1] else "end of the recording"


def _schroeder(h: FloatArray) -> FloatArray:
    energy = np.square(np.asarray(h, dtype=np.float64))
    return np.cumsum(energy[::-1])[::-1]


def _level_db(power: FloatArray) -> FloatArray:
    return 10.0 * np.log10(np.maximum(power, _TINY))


def _thinned(values: FloatArray, rate: float, end_s: float) -> tuple[FloatArray, FloatArray]:
    """Times in seconds and values of at most `_POINTS` samples up to `end_s`."""
    stop = max(1, min(values.size, round(end_s * rate)))
    keep = np.unique(np.linspace(0, stop - 1, _POINTS).astype(int))
    return keep / rate, values[keep]


def _peaks(h: FloatArray, rate: float) -> tuple[FloatArray, FloatArray]:
    """Largest magnitude in each of at most `_POINTS` equal stretches, and when each starts."""
    magnitude = np.abs(np.asarray(h, dtype=np.float64))
    edges = np.unique(np.linspace(0, magnitude.size, _POINTS + 1).astype(int))[:-1]
    return edges / rate, np.maximum.reduceat(magnitude, edges)
