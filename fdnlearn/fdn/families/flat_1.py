"""``flat-1``: the same reverberation time at all frequencies, one gain a line.

A signal that falls by 60 dB in T60 seconds falls by a factor ``10^(-3 m / (fs T60))`` in m samples
(Jot & Chaigne, AES 90th Convention, 1991, eq. 8).
"""

from __future__ import annotations

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.fdn.families.family import Family


@shapes_checked
def _check(frequencies_hz: Float64[FloatArray, " knots"]) -> str | None:
    return None if frequencies_hz.size == 1 else f"has {frequencies_hz.size} knots where flat-1 takes one"


@shapes_checked
def _design(
    frequencies_hz: Float64[FloatArray, " knots"],
    times_s: Float64[FloatArray, "lines knots"],
    delays_samples: Float64[FloatArray, " lines"],
    sample_rate_hz: float,
) -> tuple[Float64[FloatArray, " lines"], Float64[FloatArray, "lines sections 6"]]:
    gains = 10.0 ** (-3.0 * delays_samples / (sample_rate_hz * times_s[:, 0]))
    return gains, np.empty((delays_samples.size, 0, 6))


FLAT_1 = Family("flat-1", _check, _design)
