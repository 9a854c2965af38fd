"""A spectrogram whose frequency axis is logarithmic, as hearing is."""

from __future__ import annotations

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: Lower edge of the 63 Hz octave.
LOWEST_HZ = 63.0 / 2.0**0.5
_COLUMNS, _ROWS = 300, 96


@shapes_checked
def log_spectrogram(
    h: Float64[FloatArray, " samples"], rate: float, end_s: float
) -> Float64[FloatArray, "rows columns"]:
    """Power over time and the logarithm of frequency, the size of a picture.

    Parameters
    ----------
    h : ndarray, shape (n,)
    rate : float
        Sample rate, Hz.
    end_s : float
        Time of the last frame.

    Returns
    -------
    ndarray, shape (rows, columns)
        Mean power in bands of equal width in octaves, from `LOWEST_HZ` to half the sample rate, and in frames
        of 32 ms (Hann window).
    """
    size = 2 * round(0.016 * rate)
    padded = np.zeros(round(end_s * rate) + 2 * size)
    part = np.asarray(h[: round(end_s * rate)], dtype=np.float64)
    padded[size // 2 : size // 2 + part.size] = part
    starts = np.linspace(0, round(end_s * rate), _COLUMNS).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[starts]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)))
    # A running integral over frequency gives each band its mean, also where it is narrower than a bin.
    running = np.concatenate((np.zeros((_COLUMNS, 1)), np.cumsum(power, axis=1)), axis=1)
    bin_edges = (np.arange(power.shape[1] + 1) - 0.5) * rate / size
    band_edges = np.geomspace(LOWEST_HZ, rate / 2.0, _ROWS + 1)
    integral = np.array([np.interp(band_edges, bin_edges, row) for row in running])
    bands: FloatArray = (np.diff(integral, axis=1) / np.diff(band_edges)).T
    return bands
