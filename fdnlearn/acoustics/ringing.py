"""Ringing: single frequencies that stand out of a late decay.

A room's late response is close to Gaussian noise with a smooth spectrum: of tens of thousands of modes hardly one
stands more than 12 dB above the mean around it. A network has hundreds, and a few that decay slowly, or lie on each
other, are heard as a metallic tone (M. R. Schroeder, "Natural sounding artificial reverberation", JAES 10, 1962).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from fdnlearn.base.types import Bool, BoolArray, Float64, FloatArray, Int64, IntArray, shapes_checked

#: A line this far above the mean of its third of an octave stands out.
PROMINENT_DB = 12.0
#: Where lines are looked for.
LOWEST_HZ, HIGHEST_HZ = 50.0, 16000.0
#: Shortest window that is looked at: its lines are 20 Hz wide.
_SHORTEST_S = 0.05
_FADE_S = 0.005
#: Transforms are this many times as long as the part: a line between two bins is then 0.9 dB too low at most.
PADDING = 2
#: The target's own line at most this far (in Hz, or in the width of a line of the window) excuses one of the fit.
_NEAR_HZ = 2.0
#: The windows, in dB of decay: from the mixing time to the first level, and between the two.
LEVELS_DB = (-30.0, -50.0)


@dataclass(frozen=True)
class Line:
    """A frequency that stands out where the target's does not.

    Attributes
    ----------
    frequency_hz : float
    prominence_db : float
        Level above the mean of the third of an octave around it.
    window_s : tuple of float
        Part of the response in which it does.
    """

    frequency_hz: float
    prominence_db: float
    window_s: tuple[float, float]


@shapes_checked
@dataclass(frozen=True, eq=False)
class LateLines:
    """The spectrum of one part of a response, and what each of its lines is compared with.

    Attributes
    ----------
    start, stop : int
        The part, in samples.
    n_fft : int
    taper : ndarray, shape (stop - start,)
    first : int
        Bin of the first line.
    hz : ndarray, shape (lines,)
    low, high : ndarray of int, shape (lines,)
        First bin, and the one after the last, of the third of an octave around each.
    """

    start: int
    stop: int
    n_fft: int
    taper: Float64[FloatArray, " samples"]
    first: int
    hz: Float64[FloatArray, " bins"]
    low: Int64[IntArray, " bins"]
    high: Int64[IntArray, " bins"]

    @property
    def bin_hz(self) -> float:
        """Distance of two lines."""
        return float(self.hz[1] - self.hz[0])


@shapes_checked
def windows_s(
    curve: Float64[FloatArray, " samples"], sample_rate_hz: float, mixing_time_s: float, usable_s: float
) -> tuple[tuple[float, float], ...]:
    """The parts of a response whose spectrum is late: mixing time to -30 dB, and -30 to -50 dB.

    Parameters
    ----------
    curve : ndarray, shape (n,)
        Energy decay curve of the target, noise taken out.
    sample_rate_hz, mixing_time_s, usable_s : float
        Nothing after `usable_s`, where the recording's noise begins, is looked at.
    """
    level_db = 10.0 * np.log10(np.maximum(curve / curve[0], 1e-30))
    reached = [
        min(float(np.argmax(level_db < db) or curve.size) / sample_rate_hz, usable_s) for db in LEVELS_DB
    ]
    parts = ((mixing_time_s, reached[0]), (max(reached[0], mixing_time_s), reached[1]))
    return tuple((start, stop) for start, stop in parts if stop - start >= _SHORTEST_S)


def late_lines(window_s: tuple[float, float], sample_rate_hz: float) -> LateLines:
    """Prepare the spectrum of a part of a response."""
    start, stop = (round(edge * sample_rate_hz) for edge in window_s)
    length = stop - start
    fade = min(round(_FADE_S * sample_rate_hz), length // 4)
    taper = np.ones(length)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
    taper[:fade] = ramp
    taper[length - fade :] = ramp[::-1]
    # Transforms are fastest of lengths that part into equal ones.
    n_fft = 8 * scipy.fft.next_fast_len(-(-PADDING * length // 8), real=True)
    hz = np.arange(n_fft // 2 + 1, dtype=np.float64) * (sample_rate_hz / n_fft)
    first, last = np.searchsorted(hz, [LOWEST_HZ, min(HIGHEST_HZ, 0.45 * sample_rate_hz)])
    inside = hz[first:last]
    low = np.searchsorted(hz, inside * 2.0 ** (-1 / 6))
    high = np.searchsorted(hz, inside * 2.0 ** (1 / 6), side="right")
    return LateLines(start, stop, n_fft, taper, int(first), inside, low, high)


@shapes_checked
def prominence_db(h: Float64[FloatArray, " samples"], lines: LateLines) -> Float64[FloatArray, " bins"]:
    """Level of every line above the mean power of the third of an octave around it, (lines,), of a response (n,)."""
    part = np.zeros(lines.stop - lines.start)
    present = h[lines.start : lines.stop]
    part[: present.size] = present
    power = np.abs(scipy.fft.rfft(part * lines.taper, lines.n_fft)) ** 2
    total = np.concatenate([[0.0], np.cumsum(power)])
    mean = (total[lines.high] - total[lines.low]) / (lines.high - lines.low)
    own = power[lines.first : lines.first + lines.hz.size]
    level: FloatArray = 10.0 * np.log10(np.maximum(own, 1e-300) / np.maximum(mean, 1e-300))
    return level


@shapes_checked
def excused(target: Float64[FloatArray, " samples"], lines: LateLines) -> Bool[BoolArray, " bins"]:
    """Lines (lines,) near which the target (n,) itself stands out."""
    near = max(1, round(max(_NEAR_HZ, 2.0 / lines.taper.size * lines.bin_hz * lines.n_fft) / lines.bin_hz))
    prominent = prominence_db(target, lines) > PROMINENT_DB
    return np.convolve(prominent, np.ones(2 * near + 1), mode="same") > 0.5


@shapes_checked
def ringing(
    target: Float64[FloatArray, " target_samples"],
    fit: Float64[FloatArray, " fit_samples"],
    sample_rate_hz: float,
    windows: tuple[tuple[float, float], ...],
) -> tuple[Line, ...]:
    """Lines of a fit's response (n,) that stand out where those of its target (n,) do not, the strongest first."""
    ringing_lines = []
    for window in windows:
        lines = late_lines(window, sample_rate_hz)
        level = prominence_db(fit, lines)
        out = (level > PROMINENT_DB) & ~excused(target, lines)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], out.astype(np.int8), [0]])))
        for first, last in edges.reshape(-1, 2):
            at = first + int(np.argmax(level[first:last]))
            ringing_lines.append(Line(float(lines.hz[at]), float(level[at]), window))
    return tuple(sorted(ringing_lines, key=lambda line: -line.prominence_db))
