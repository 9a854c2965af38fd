"""Normalised echo density profile: how close a response has come to Gaussian noise."""

from __future__ import annotations

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked

WINDOW_S = 20e-3
#: 1 / erfc(1 / sqrt 2): Gaussian noise exceeds its standard deviation in 31.7 % of all samples.
GAUSSIAN = 3.15148718753
#: Where a response counts as mixed: its normalised echo density; one itself is lost in the scatter.
_MIXED = 0.9
_PROFILE_HOP_S = 0.001
_CHUNK_VALUES = 1 << 20


@shapes_checked
def window(sample_rate_hz: float, window_s: float = WINDOW_S) -> Float64[FloatArray, " samples"]:
    """Symmetric Hann window of odd length, summing to one.

    Parameters
    ----------
    sample_rate_hz : float
    window_s : float
        Distance of its two zero ends.

    Returns
    -------
    ndarray, shape (odd,)
    """
    half = max(1, round(window_s * sample_rate_hz / 2.0))
    w: FloatArray = 0.5 + 0.5 * np.cos(np.pi * np.arange(-half, half + 1) / half)
    w /= w.sum()
    return w


@shapes_checked
def echo_density(
    h: Float64[FloatArray, " samples"], sample_rate_hz: float, *, hop: int = 1, window_s: float = WINDOW_S
) -> Float64[FloatArray, " frames"]:
    """Hard echo density profile.

    Parameters
    ----------
    h : ndarray, shape (n,)
    sample_rate_hz : float
    hop : int
        Samples from frame to frame.
    window_s : float
        Length of the Hann window.

    Returns
    -------
    ndarray, shape (frames,)
        One value for each frame that lies wholly within `h` ("valid"), ``(n - len(window)) // hop + 1`` of
        them, none if `h` is shorter than the window. Frame k is centred on sample
        ``k * hop + (len(window) - 1) / 2``. About 1 for Gaussian noise, near 0 for few distinct echoes.

    References
    ----------
    J. S. Abel, P. Huang, "A simple, robust measure of reverberation echo density", AES 121 (2006), eq. 4-6.
    """
    w = window(sample_rate_hz, window_s)
    magnitude = np.abs(np.asarray(h, dtype=np.float64))
    if magnitude.size < w.size:
        return np.empty(0)
    frames = np.lib.stride_tricks.sliding_window_view(magnitude, w.size)[::hop]
    profile = np.empty(frames.shape[0])
    # A chunk at a time: all frames of 6 s at 48 kHz would be 2 GB.
    step = max(1, _CHUNK_VALUES // w.size)
    for first in range(0, profile.size, step):
        frame = frames[first : first + step]
        sigma = np.sqrt(np.square(frame) @ w)
        profile[first : first + step] = (frame > sigma[:, None]) @ w
    return GAUSSIAN * profile


@shapes_checked
def mixing_time_s(h: Float64[FloatArray, " samples"], sample_rate_hz: float) -> float:
    """When the normalised echo density of a response (Abel & Huang, AES 121, 2006) first reaches 0.9.

    Its last frame where it never does.
    """
    hop = max(1, round(_PROFILE_HOP_S * sample_rate_hz))
    profile = echo_density(h, sample_rate_hz, hop=hop)
    mixed = np.flatnonzero(profile >= _MIXED)
    frame = int(mixed[0]) if mixed.size else max(profile.size - 1, 0)
    return frame * hop / sample_rate_hz + WINDOW_S / 2
