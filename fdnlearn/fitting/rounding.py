"""Whole delays for a network whose learned ones are not."""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.fitting.problem import Free, Problem

#: The shortest delay that a rounding gives.
_SHORTEST_SAMPLES = 2

#: What a fit says that ended between its last free step and the first after the rounding.
UNADAPTED = "The fit ended before its delays were snapped: they are rounded, the rest has not adapted."


def roundings(problem: Problem, free: Free, count: int) -> Tensor:
    """Candidate integer delays (count, N) around the learned ones: the nearest, then seeded jitters of ±½."""
    learned = problem.model.delays(free["delay"].double())[:1].cpu()
    generator = torch.Generator().manual_seed(problem.config.seed + 1)
    jitter = torch.rand(count, learned.shape[1], generator=generator, dtype=torch.float64) - 0.5
    jitter[0] = 0.0
    return (learned + jitter).round().clamp_min(_SHORTEST_SAMPLES).to(problem.device)
