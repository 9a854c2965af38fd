"""Ringing: single frequencies that stand out of a late decay.

A room's late response is close to Gaussian noise with a smooth spectrum: of tens of thousands of modes hardly one stands
more than 12 dB above the mean around it. A network has hundreds, and a few that decay slowly, or lie on each other, are
heard as a metallic tone (M. R. Schroeder, "Natural sounding artificial reverberation", JAES 10, 1962).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

FloatArray = npt.NDArray[np.float64]

#: The windows, in dB of decay: from the mixing time to the first level, and between the two.
LEVELS_DB = (-30.0, -50.0)
#: A line this far above the mean of its third of an octave stands out.
PROMINENT_DB = 12.0
#: Where lines are looked for.
LOWEST_HZ, HIGHEST_HZ = 50.0, 16000.0
#: Shortest window that is looked at: its lines are 20 Hz wide.
_SHORTEST_S = 0.05
_FADE_S = 0.005
#: The target's own line at most this far (in Hz, or in the width of a line of the window) excuses one of the fit.
_NEAR_HZ = 2.0


@dataclass(frozen=True)
class Line:
    """A frequency that stands out where the target's does not.

    Attributes
    ----------
    frequency_hz : float
    prominence_db, target_db : float
        Level above the mean of the third of an octave around it, in fit and target.
    window_s : tuple of float
        Part of the response in which it does.
    """

    frequency_hz: float
    prominence_db: float
    target_db: float
    window_s: tuple[float, float]


def windows_s(
    curve: FloatArray, sample_rate_hz: float, mixing_time_s: float, usable_s: float
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
    reached = [min(float(np.argmax(level_db < db) or curve.size) / sample_rate_hz, usable_s) for db in LEVELS_DB]
    parts = ((mixing_time_s, reached[0]), (max(reached[0], mixing_time_s), reached[1]))
    return tuple((start, stop) for start, stop in parts if stop - start >= _SHORTEST_S)


def prominence_db(
    h: FloatArray, sample_rate_hz: float, window_s: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Level of every line of a part of a response above the mean power of the third of an octave around it.

    Returns
    -------
    frequency_hz, prominence_db : ndarray, shape (lines,)
    """
    start, stop = (round(edge * sample_rate_hz) for edge in window_s)
    part = np.zeros(stop - start)
    heard = h[start:stop]
    part[: heard.size] = heard
    fade = min(round(_FADE_S * sample_rate_hz), part.size // 4)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
    part[:fade] *= ramp
    part[part.size - fade :] *= ramp[::-1]
    n_fft = scipy.fft.next_fast_len(2 * part.size, real=True)
    power = np.abs(scipy.fft.rfft(part, n_fft)) ** 2
    hz = np.arange(power.size) * (sample_rate_hz / n_fft)
    total = np.concatenate([[0.0], np.cumsum(power)])
    inside = (hz >= LOWEST_HZ) & (hz <= min(HIGHEST_HZ, 0.45 * sample_rate_hz))
    low = np.searchsorted(hz, hz[inside] * 2.0 ** (-1 / 6))
    high = np.searchsorted(hz, hz[inside] * 2.0 ** (1 / 6), side="right")
    mean = (total[high] - total[low]) / np.maximum(high - low, 1)
    return hz[inside], 10.0 * np.log10(np.maximum(power[inside], 1e-300) / np.maximum(mean, 1e-300))


def ringing(
    target: FloatArray, fit: FloatArray, sample_rate_hz: float, windows: tuple[tuple[float, float], ...]
) -> tuple[Line, ...]:
    """Lines of a fit's response (n,) that stand out where those of its target (n,) do not, the strongest first."""
    found = []
    for window in windows:
        hz, level = prominence_db(fit, sample_rate_hz, window)
        _, goal = prominence_db(target, sample_rate_hz, window)
        near = max(1, round(max(_NEAR_HZ, 2.0 / (window[1] - window[0])) / (hz[1] - hz[0])))
        goal = np.array([goal[max(0, i - near) : i + near + 1].max() for i in range(goal.size)])
        out = level > PROMINENT_DB
        peak = out & (goal <= PROMINENT_DB)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], peak.astype(np.int8), [0]])))
        for first, last in edges.reshape(-1, 2):
            at = first + int(np.argmax(level[first:last]))
            found.append(Line(float(hz[at]), float(level[at]), float(goal[at]), window))
    return tuple(sorted(found, key=lambda line: -line.prominence_db))
