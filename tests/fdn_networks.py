"""Networks for the tests of the contract and of the renderer."""

from __future__ import annotations

from typing import Any

import numpy as np

from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import FDN


def head_of(samples: int, peak: int, outputs: int = 1, inputs: int = 1, seed: int = 7) -> dict[str, Any]:
    """Fields of a head from every input to every output: noise that grows up to the peak and decays from there."""
    rng = np.random.default_rng(seed)
    shape = np.exp(-np.abs(np.arange(samples) - peak) / (0.1 * samples))
    paths = [(o, k) for o in range(outputs) for k in range(inputs)]
    head = [
        {"output": o, "input": k, "coefficients": (shape * rng.standard_normal(samples)).tolist()}
        for o, k in paths
    ]
    return {"version": 2, "head": head, "direct_peak_samples": peak}


def orthogonal(n: int, rng: np.random.Generator) -> FloatArray:
    """A random orthogonal matrix."""
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


def network(
    lines: int = 6,
    inputs: int = 1,
    outputs: int = 1,
    *,
    sample_rate_hz: int = 16000,
    reverberation_time_s: float = 0.4,
    delays: tuple[int, int] = (100, 900),
    seed: int = 0,
    **fields: Any,
) -> FDN:
    """A random network whose lines all have the same reverberation time; `fields` replace those of the contract."""
    rng = np.random.default_rng(seed)
    m = np.sort(rng.choice(np.arange(*delays), lines, replace=False))
    fdn = FDN.from_arrays(
        sample_rate_hz=sample_rate_hz,
        delays=m,
        feedback_matrix=orthogonal(lines, rng),
        input_gains=rng.standard_normal((lines, inputs)) / lines,
        output_gains=rng.standard_normal((outputs, lines)),
        direct_gains=rng.standard_normal((outputs, inputs)),
        line_gains=10.0 ** (-3.0 * m / (sample_rate_hz * reverberation_time_s)),
    )
    return FDN.model_validate(fdn.model_dump() | fields) if fields else fdn
