"""A dense early part at another sample rate: one stated interpolation kernel, no iteration."""

from __future__ import annotations

import math

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: Half-width of the kernel in zero crossings, and the shape of its Kaiser window: normative.
HALF_WIDTH = 32
KAISER_BETA = 9.0


def fir_latency(fit_rate_hz: int, sample_rate_hz: int) -> int:
    """By how many output samples a resampled response starts before its time zero; 0 at the fit's own rate."""
    if fit_rate_hz == sample_rate_hz:
        return 0
    return math.ceil(HALF_WIDTH * max(sample_rate_hz / fit_rate_hz, 1.0))


@shapes_checked
def resample_fir(
    coefficients: Float64[FloatArray, " taps"], fit_rate_hz: int, sample_rate_hz: int
) -> Float64[FloatArray, " resampled"]:
    """Band-limited copy of an impulse response at another rate, its frequency response preserved.

    ``c'[k] = sum_n c[n] h(k - n r)`` with ``r = fs'/fs``, ``c = min(1, 1/r)``,
    ``h(t) = c sinc(c t) I0(9 sqrt(1 - (c t / 32)^2)) / I0(9)`` for ``|c t| <= 32``, and k from
    ``-fir_latency`` on. The gain convention is that of `realise`: a single coefficient 1 becomes a pulse of unit
    area, as a direct gain does.

    Parameters
    ----------
    coefficients : ndarray, shape (taps,)
    fit_rate_hz, sample_rate_hz : int

    Returns
    -------
    ndarray, shape (taps',)
        Its first entry stands `fir_latency` samples before time zero.
    """
    if fit_rate_hz == sample_rate_hz or coefficients.size == 0:
        return coefficients.copy()
    ratio = sample_rate_hz / fit_rate_hz
    cutoff = min(1.0, 1.0 / ratio)
    before = fir_latency(fit_rate_hz, sample_rate_hz)
    length = before + math.floor((coefficients.size - 1) * ratio) + before + 1
    resampled = np.zeros(length)
    window = np.arange(-before - 1, before + 2)
    for n, coefficient in enumerate(coefficients):
        nearest = math.floor(n * ratio)
        k = nearest + window
        k = k[(k >= -before) & (k < length - before)]
        t = cutoff * (k - n * ratio)
        inside = np.abs(t) <= HALF_WIDTH
        t = t[inside]
        kernel = (
            cutoff
            * np.sinc(t)
            * np.i0(KAISER_BETA * np.sqrt(1.0 - (t / HALF_WIDTH) ** 2))
            / np.i0(KAISER_BETA)
        )
        resampled[k[inside] + before] += coefficient * kernel
    return resampled
