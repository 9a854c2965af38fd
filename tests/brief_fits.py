"""Fits of a dozen iterations, for tests of what does not depend on how good a fit gets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fdnlearn.fdn import dumps_fdn, loads_fdn
from fdnlearn.fitting import FitConfig, Progress, Solution
from fdnlearn.render import impulse_response

RATE_HZ = 8000
#: A dozen iterations through every stage: for what does not depend on how good the fit gets.
BRIEF = FitConfig.for_model("homogeneous", iterations=6, restarts=4, lines=4, sample_rate_hz=RATE_HZ)
BRIEF_BANDED = FitConfig.for_model("banded", iterations=8, restarts=2, lines=4, sample_rate_hz=RATE_HZ)


def stop_after(iterations: int) -> Callable[[Progress], bool]:
    return lambda progress: progress.iteration >= iterations


def whole(delays: tuple[float, ...]) -> bool:
    return all(m.is_integer() for m in delays)


def check_valid(result: Solution, lines: int) -> None:
    """A network that survives its own file format, stable and ready for a renderer."""
    fdn = loads_fdn(dumps_fdn(result.fdn))
    assert fdn.lines == lines
    assert fdn.stability.stable
    assert whole(fdn.delays_samples)
    assert np.isfinite(impulse_response(fdn)).all()
