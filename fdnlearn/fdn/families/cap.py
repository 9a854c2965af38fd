"""The loop stays below one: what an equaliser overshoots between its knots is taken off the gain."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np

from fdnlearn.base.types import Float64, Shaped, shapes_checked

#: Largest loop gain.
LIMIT = 1.0 - 1e-5
#: The grid: this many frequencies, evenly spaced in their logarithm, from the lowest to half the rate; and 0 Hz.
POINTS = 1024
LOWEST_HZ = 2.0
#: A maximum between two points of the grid is taken to rise so many times as far above the nearer one as a parabola
#: through three points does. That is hardly ever more than 1e-4; where it is, a parabola can be as far off.
RISE = 3.0


@shapes_checked
def capped(
    xp: ModuleType,
    gains: Float64[Any, "*batch lines"],
    sos: Float64[Any, "*batch lines sections 6"],
    sample_rate_hz: float,
) -> tuple[Float64[Any, "*batch lines"], Float64[Any, "*batch lines sections 6"]]:
    """Gains (..., N) times ``min(1, (1 - 1e-5) / max |G|)``, and the sections (..., N, S, 6) as they are.

    For arrays of `xp`; tensors without a gradient.
    """
    log_power, _ = crest(xp, sos, sample_rate_hz)
    return gains * below_the_limit(xp, gains * xp.exp(log_power / 2.0)), sos


@shapes_checked
def below_the_limit(xp: ModuleType, peak: Float64[Any, "*batch lines"]) -> Float64[Any, "*batch lines"]:
    """What the gain of a line is multiplied by that would reach `peak`."""
    return xp.clip(LIMIT / xp.clip(peak, 1e-300, None), None, 1.0)


@shapes_checked
def crest(
    xp: ModuleType, sos: Float64[Any, "*batch lines sections 6"], sample_rate_hz: float
) -> tuple[Float64[Any, "*batch lines"], Float64[Any, "*batch lines"]]:
    """Largest ``ln |B / A|^2`` (..., N) of the sections (..., N, S, 6) in series, and ``sin^2(w / 2)`` nearby.

    Among the points of the grid and the parabolas through each local maximum and its neighbours.
    """
    grid = _half_sines(sample_rate_hz, xp, sos.device)
    level = xp.log(xp.clip(xp.prod(power_gain(xp, sos, grid), -2), 1e-300, None))
    low, here, high = level[..., :-2], level[..., 1:-1], level[..., 2:]
    bend = 2.0 * here - low - high
    top = (here >= low) & (here >= high) & (bend > 0.0)
    rise = (high - low) ** 2 * (RISE / 8.0) / xp.where(top, bend, 1.0)
    level = xp.concatenate((level[..., :1], xp.where(top, here + rise, here), level[..., -1:]), -1)
    place = level.argmax(-1)
    return xp.amax(level, -1), grid[place]


@functools.lru_cache(maxsize=16)
def _half_sines(sample_rate_hz: float, xp: ModuleType, device: Any) -> Any:
    """``sin^2(pi f / fs)`` of the grid."""
    hz = np.concatenate([[0.0], np.geomspace(LOWEST_HZ, sample_rate_hz / 2.0, POINTS)])
    return xp.asarray(np.sin(np.pi * hz / sample_rate_hz) ** 2, device=device)


@shapes_checked
def power_gain(
    xp: ModuleType, sos: Shaped[Any, "*batch sections 6"], phi: Shaped[Any, "... bins"]
) -> Shaped[Any, "*batch sections bins"]:
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
