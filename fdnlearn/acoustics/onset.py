"""Where a response starts: one rule for measured and synthetic responses alike."""

from __future__ import annotations

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: Level of the onset below the largest magnitude (ISO 3382-1:2009, A.2.1 asks for "significantly below" it).
ONSET_DB = -20.0
#: The direct sound is the strongest sample this long after the onset. A later peak is a reflection.
DIRECT_SEARCH_S = 1e-3


@shapes_checked
def find_onset(h: Float64[FloatArray, "*channels samples"]) -> int:
    """First sample within 20 dB of the largest magnitude.

    Parameters
    ----------
    h : ndarray, shape (n,) or (channels, n)
        Impulse response; with several channels the earliest onset counts, each against its own peak.

    Returns
    -------
    int
        Sample index; 0 for a silent response.
    """
    magnitude = np.abs(np.atleast_2d(h))
    loud = magnitude >= 10.0 ** (ONSET_DB / 20.0) * magnitude.max(axis=1, keepdims=True)
    return int(np.argmax(loud, axis=1).min())


@shapes_checked
def find_direct(h: Float64[FloatArray, " samples"], onset: int, sample_rate_hz: float) -> int:
    """Strongest sample within 1 ms after the onset.

    The largest sample of the whole response may be a reflection tens of milliseconds later, and the onset
    itself lies on the rising flank of a band-limited direct sound: neither is what a direct gain stands for.

    Parameters
    ----------
    h : ndarray, shape (n,)
    onset : int
        As given by `find_onset`.
    sample_rate_hz : float

    Returns
    -------
    int
        Sample index, at or after `onset`.
    """
    stop = onset + max(1, round(DIRECT_SEARCH_S * sample_rate_hz)) + 1
    return onset + int(np.argmax(np.abs(h[onset:stop])))
