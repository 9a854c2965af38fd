"""Whole delays for a network whose learned ones are not."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fdnlearn.base.types import Float64, shapes_checked
from fdnlearn.fitting.problem import Free, Problem

#: The shortest delay that a rounding gives.
_SHORTEST_SAMPLES = 2

#: What a fit says that ended between its last free step and the first after the rounding.
UNADAPTED = "The fit ended before its delays were snapped: they are rounded, the rest has not adapted."


@shapes_checked
def roundings(
    problem: Problem, free: Free, count: int, *, to_adapt: bool = False
) -> Float64[Tensor, "candidates lines"]:
    """Candidate integer delays (count, N) around the learned ones: the nearest, then seeded jitters of ±½.

    Where the rest is going `to_adapt`, those of one candidate are pairwise co-prime: lines whose delays share a factor
    repeat themselves together, which rings. A delay that has to make way moves by a few samples.
    """
    learned = problem.model.delays(free["delay"].double())[:1].cpu()
    generator = torch.Generator().manual_seed(problem.config.seed + 1)
    jitter = torch.rand(count, learned.shape[1], generator=generator, dtype=torch.float64) - 0.5
    jitter[0] = 0.0
    wanted = (learned + jitter).clamp_min(_SHORTEST_SAMPLES)
    if to_adapt:
        wanted = torch.tensor([coprime(row) for row in wanted.tolist()], dtype=torch.float64)
    return wanted.round().to(problem.device)


def coprime(wanted: Sequence[float]) -> list[float]:
    """Whole numbers from 2 near the wanted ones, each the nearest that shares no factor with those before it."""
    chosen: list[int] = []
    for value in wanted:
        below = range(math.floor(value), _SHORTEST_SAMPLES - 1, -1)
        above = itertools.count(max(math.floor(value) + 1, _SHORTEST_SAMPLES))
        nearest = heapq.merge(below, above, key=lambda m: (abs(m - value), m))
        chosen.append(next(m for m in nearest if all(math.gcd(m, other) == 1 for other in chosen)))
    return [float(m) for m in chosen]
