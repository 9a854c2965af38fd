"""How long a fit descends where the user leaves that to the room."""

from __future__ import annotations

import dataclasses

from fdnlearn.fitting.result import FitConfig
from fdnlearn.registry import AUTO, MODELS
from fdnlearn.rir.target import Target

#: Iterations times reverberation time in seconds, and their limits. A step takes as long as the response is: short
#: rooms get more of them for the same time, and there they help most (800 instead of 300 brought the loss of a room of
#: 0.3 s from 0.19 to 0.13).
_ITERATIONS_S = 400.0
_LIMITS = (300, 600)


def settled(config: FitConfig, target: Target) -> FitConfig:
    """`config` with a number of iterations in the place of `registry.AUTO`."""
    if config.iterations != AUTO:
        return config
    few, many = _LIMITS
    wanted = round(_ITERATIONS_S / target.reverberation_time_s)
    usual = MODELS[config.model].iterations if config.model in MODELS else few
    return dataclasses.replace(config, iterations=usual or min(max(wanted, few), many))
