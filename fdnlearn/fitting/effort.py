"""How long a fit descends where the user leaves that to the room."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from fdnlearn.config import FitConfig
from fdnlearn.options import AUTO, Iterative
from fdnlearn.registry import MODELS
from fdnlearn.rir.target import Target

#: Iterations times reverberation time in seconds, and their limits. A step takes as long as the response is: short
#: rooms get more of them for the same time, and there they help most (800 instead of 300 brought the loss of a room of
#: 0.3 s from 0.19 to 0.13).
_ITERATIONS_S = 400.0
_LIMITS = (300, 600)


def settled(config: FitConfig, target: Target) -> FitConfig:
    """`config` with a number of iterations in the place of `options.AUTO`."""
    method = config.method
    if not isinstance(method, Iterative) or method.iterations != AUTO:
        return config
    few, many = _LIMITS
    by_length = round(_ITERATIONS_S / target.reverberation_time_s)
    usual = MODELS[config.model.name].iterations
    iterations = min(max(by_length, few), many) if usual == AUTO else usual
    return dataclasses.replace(config, method=dataclasses.replace(method, iterations=iterations))


def longest(configs: Sequence[FitConfig]) -> FitConfig:
    """Of settled configurations that agree in the rest, the one with most iterations."""

    def iterations(config: FitConfig) -> int:
        return config.method.iterations if isinstance(config.method, Iterative) else 0

    return max(configs, key=iterations)
