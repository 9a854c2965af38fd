"""The loop stays below one: what an equaliser overshoots between its knots is taken off the gain."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np

#: Largest loop gain on the grid; between its points a section of these widths rises by less than a tenth of the rest.
LIMIT = 1.0 - 1e-5
#: The grid: this many frequencies, evenly spaced in their logarithm, from the lowest to half the rate; and 0 Hz.
POINTS = 1024
LOWEST_HZ = 10.0


def capped(xp: ModuleType, gains: Any, sos: Any, sample_rate_hz: float) -> tuple[Any, Any]:
    """Gains (..., N) times ``min(1, (1 - 1e-5) / max |G|)`` over the grid, and the sections (..., N, S, 6) as they are.

    For tensors the gradient is that of the largest value: its place on the grid is looked up without one.
    """
    grid = _half_sines(sample_rate_hz, xp, sos.device)
    still = sos.detach() if hasattr(sos, "detach") else sos
    there = grid[xp.prod(_power_gain(xp, still, grid), -2).argmax(-1)][..., None]
    peak = gains * xp.sqrt(xp.prod(_power_gain(xp, sos, there)[..., 0], -1))
    return gains * xp.clip(LIMIT / xp.clip(peak, 1e-300, None), None, 1.0), sos


@functools.lru_cache(maxsize=16)
def _half_sines(sample_rate_hz: float, xp: ModuleType, device: Any) -> Any:
    """``sin^2(pi f / fs)`` of the grid."""
    hz = np.concatenate([[0.0], np.geomspace(LOWEST_HZ, sample_rate_hz / 2.0, POINTS)])
    return xp.asarray(np.sin(np.pi * hz / sample_rate_hz) ** 2, device=device)


def _power_gain(xp: ModuleType, sos: Any, phi: Any) -> Any:
    """``|B / A|^2`` of every section (..., S, F) at ``phi = sin^2(w / 2)``, shape (F,) or (..., F).

    ``|b0 + b1 z + b2 z^2|^2 = (b0 + b1 + b2)^2 - 4 (b0 b1 + 4 b0 b2 + b1 b2) phi + 16 b0 b2 phi^2``: nothing cancels
    at low frequencies, where powers of z would.
    """

    def power(first: int) -> Any:
        c0, c1, c2 = (sos[..., first + k] for k in range(3))
        squares = (c0 + c1 + c2) ** 2, -4.0 * (c1 * (c0 + c2) + 4.0 * c0 * c2), 16.0 * c0 * c2
        return xp.stack(squares, -1) @ powers

    powers = xp.stack((xp.ones_like(phi), phi, phi * phi), -2)
    return power(0) / power(3)
