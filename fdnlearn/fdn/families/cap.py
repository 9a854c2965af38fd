"""The loop stays below one: what an equaliser overshoots between its knots is taken off the gain."""

from __future__ import annotations

import numpy as np

from fdnlearn.fdn.families.equaliser import response
from fdnlearn.fdn.families.family import FloatArray

#: Largest loop gain on the grid; between its points a section of these widths rises by less than a tenth of the rest.
LIMIT = 1.0 - 1e-5
#: The grid: this many frequencies, evenly spaced in their logarithm, from the lowest to half the rate.
POINTS = 1024
LOWEST_HZ = 10.0


def capped(gains: FloatArray, sos: FloatArray, sample_rate_hz: float) -> tuple[FloatArray, FloatArray]:
    """Gains (N,) times ``min(1, (1 - 1e-5) / max |G|)`` over the grid, and the sections (N, S, 6) as they are."""
    grid_hz = np.geomspace(LOWEST_HZ, sample_rate_hz / 2.0, POINTS)
    peak = np.abs(gains[:, None] * np.prod(response(sos, grid_hz, sample_rate_hz), axis=1)).max(axis=1)
    peak = np.maximum(peak, np.abs(gains * np.prod(response(sos, np.zeros(1), sample_rate_hz), axis=1)[:, 0]))
    return gains * np.minimum(1.0, LIMIT / np.maximum(peak, 1e-300)), sos
