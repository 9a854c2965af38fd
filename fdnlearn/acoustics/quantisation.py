"""What rounding to whole steps took from a recording that uses few of them."""

from __future__ import annotations

import numpy as np

from fdnlearn.base.types import FloatArray, Shaped, shapes_checked

#: With more steps than these below its peak, 72 dB, a recording's own noise is taken to be louder than the rounding.
_STEPS = 4096
_WHOLE = 1e-3


@shapes_checked
def rounding_power(samples: Shaped[FloatArray, ...]) -> float:
    """Mean square of what was rounded away, ``q^2 / 12``; 0 where steps of q are not seen or are fine.

    Below half a step a recording without dither is digital silence, in which no estimator finds a floor, and what is
    left of the decay is single steps with the spectrum of clicks.
    """
    size = np.abs(samples)
    peak = float(size.max(initial=0.0))
    audible = size[size > 0.0]
    if not audible.size or not peak > 0.0:
        return 0.0
    step = float(audible.min())
    if peak / step > _STEPS:
        return 0.0
    steps = audible / step
    whole = bool((np.abs(steps - np.round(steps)) < _WHOLE).all())
    return step * step / 12.0 if whole else 0.0
