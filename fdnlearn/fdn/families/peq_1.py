"""``peq-1``: reverberation times at knots by one proportional parametric equaliser a line.

A line of m samples must lose ``60 m / (fs T)`` dB at a knot of reverberation time T (Jot & Chaigne, AES 90, 1991,
eq. 8). Its mean over the knots is a plain gain; what remains is made by `equaliser.Equaliser`, whose sections' gains
are a constant matrix times the remainders: in dB everything is proportional to m.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.fdn.families.cap import capped
from fdnlearn.fdn.families.equaliser import Equaliser, equaliser, reach
from fdnlearn.fdn.families.family import Family

FEWEST_KNOTS = 3
#: A line that loses more in one round trip is silent; deeper filters would outgrow double precision.
LOWEST_DB = -60.0


@shapes_checked
def check(frequencies_hz: Float64[FloatArray, " knots"]) -> str | None:
    """What is wrong with the knots."""
    if frequencies_hz.size < FEWEST_KNOTS:
        return f"has {frequencies_hz.size} knots where peq-1 takes at least {FEWEST_KNOTS}"
    return None


@shapes_checked
def uncapped(
    xp: ModuleType,
    frequencies_hz: Float64[FloatArray, " knots"],
    times_s: Float64[Any, "*batch lines knots"],
    delays_samples: Float64[Any, "*batch lines"],
    sample_rate_hz: float,
) -> tuple[Equaliser, Float64[Any, "*batch lines"], Float64[Any, "*batch lines sections"]]:
    """The equaliser of all lines, their plain gains (..., N), and the gains in dB of their sections (..., N, S).

    For arrays or tensors of `xp` in double: `times_s` is (..., N, K), `delays_samples` (..., N). Knots out of the
    rate's reach have no part in it.
    """
    used = reach(frequencies_hz, sample_rate_hz)
    eq = equaliser(tuple(frequencies_hz[:used].tolist()), sample_rate_hz)
    level_db = xp.clip(
        -60.0 / sample_rate_hz * delays_samples[..., None] / times_s[..., :used], LOWEST_DB, None
    )
    mean_db = level_db.mean(-1)
    gains_db = (level_db - mean_db[..., None]) @ eq.commands_on(xp, level_db.device)
    return eq, xp.exp(mean_db * (math.log(10.0) / 20.0)), gains_db


@shapes_checked
def sections(
    xp: ModuleType,
    frequencies_hz: Float64[FloatArray, " knots"],
    times_s: Float64[Any, "*batch lines knots"],
    delays_samples: Float64[Any, "*batch lines"],
    sample_rate_hz: float,
) -> tuple[Float64[Any, "*batch lines"], Float64[Any, "*batch lines sections 6"]]:
    """Gains (..., N), capped, and sections (..., N, S, 6), of what is `uncapped`."""
    eq, gains, gains_db = uncapped(xp, frequencies_hz, times_s, delays_samples, sample_rate_hz)
    return capped(xp, gains, eq.sections(xp, gains_db), sample_rate_hz)


@shapes_checked
def _design(
    frequencies_hz: Float64[FloatArray, " knots"],
    times_s: Float64[FloatArray, "lines knots"],
    delays_samples: Float64[FloatArray, " lines"],
    sample_rate_hz: float,
) -> tuple[Float64[FloatArray, " lines"], Float64[FloatArray, "lines sections 6"]]:
    used = reach(frequencies_hz, sample_rate_hz)
    if used < FEWEST_KNOTS:  # a rate that hears next to nothing of it: one gain, of the times within reach
        level_db = -60.0 / sample_rate_hz * delays_samples[:, None] / times_s[:, : max(used, 1)]
        return 10.0 ** (level_db.mean(axis=1) / 20.0), np.empty((delays_samples.size, 0, 6))
    return sections(np, frequencies_hz, times_s, delays_samples, sample_rate_hz)


PEQ_1 = Family("peq-1", check, _design)
