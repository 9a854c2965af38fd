"""Where training starts from without a fit: a network drawn at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import FDN
from fdnlearn.fdn.families.equaliser import equaliser


def random_network(
    delays_samples: Sequence[int],
    sample_rate_hz: int,
    *,
    inputs: int = 1,
    outputs: int = 1,
    reverberation_time_s: float = 1.0,
    knots_hz: Sequence[float] = (),
    seed: int = 0,
) -> FDN:
    """A network without direct sound or early part: a random orthogonal matrix, gains of random sign.

    Parameters
    ----------
    delays_samples : sequence of int, length N
        At least 1; where 32 and more, the loop runs in blocks. Without common divisors, a few to some tens of
        milliseconds, they sound best.
    sample_rate_hz : int
    inputs, outputs : int
    reverberation_time_s : float
        Of all lines at all frequencies.
    knots_hz : sequence of float, length K
        Given them (see `absorption`), the network has a reverberation time for each and an output equaliser at 0 dB,
        all below 0.95 of half the rate; without, one time a line and no equaliser.
    seed : int

    Returns
    -------
    FDN

    Raises
    ------
    FdnlearnError
        If the contract refuses it.
    pydantic.ValidationError
        If a value has the wrong type or lies outside its range.
    """
    rng = np.random.default_rng(seed)
    n = len(delays_samples)

    def signs(*shape: int) -> FloatArray:
        return rng.choice([-1.0, 1.0], shape) / math.sqrt(n)

    knots = tuple(float(hz) for hz in knots_hz)
    tone: list[dict[str, Any]] = []
    if knots:
        eq = equaliser(knots, float(sample_rate_hz))
        tone = [
            {"type": kind, "frequency_hz": centre_hz, "gain_db": 0.0, "q": q}
            for kind, centre_hz, q in zip(eq.types, eq.centres_hz, eq.q, strict=True)
        ]
    return FDN.model_validate(
        {
            "sample_rate_hz": sample_rate_hz,
            "delays_samples": [float(m) for m in delays_samples],
            "feedback_matrix": np.linalg.qr(rng.standard_normal((n, n)))[0].tolist(),
            "input_gains": signs(n, inputs).tolist(),
            "output_gains": signs(outputs, n).tolist(),
            "direct_gains": [[0.0] * inputs] * outputs,
            "absorption": {
                "kind": "reverberation_time",
                "family": "peq-1" if knots else "flat-1",
                "frequencies_hz": knots or (1000.0,),
                "times_s": [[float(reverberation_time_s)] * max(1, len(knots))] * n,
                "line_groups": list(range(n)),
            },
            "tone": tone,
        }
    )
