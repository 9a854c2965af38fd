"""What an absorption family is: a name, what it accepts and its design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fdnlearn.base.types import FloatArray


@dataclass(frozen=True)
class Family:
    """A closed-form map from reverberation times to the loop filter of every line.

    Attributes
    ----------
    name : str
        Name and version, e.g. ``"flat-1"``: what the JSON says.
    check : callable
        ``check(frequencies_hz)`` returns what is wrong with the knots, or None.
    design : callable
        ``design(frequencies_hz (K,), times_s (N, K), delays_samples (N,), sample_rate_hz)`` returns
        ``(gains (N,), sos (N, S, 6))``: a gain and S second-order sections ``b0 b1 b2 1 a1 a2`` a line.
    """

    name: str
    check: Callable[[FloatArray], str | None]
    design: Callable[[FloatArray, FloatArray, FloatArray, float], tuple[FloatArray, FloatArray]]
