"""Ringing in stock operations of torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.ops.ringing import FREE_DB, TINY, RingingTarget


class _ThirdOctaveMeans(torch.autograd.Function):
    """Means (S, P, L) of power (S, P, bins) from `low` to `high`; both ways are differences of a running sum."""

    @staticmethod
    def forward(ctx: Any, power: Tensor, target: RingingTarget) -> Tensor:
        ctx.target = target
        return (_sums(power, target.low, target.high) / (target.high - target.low)).to(power)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        target = ctx.target
        return _sums(grad.double() / (target.high - target.low), target.begin, target.end).to(grad), None


def _sums(values: Tensor, first: Tensor, stop: Tensor) -> Tensor:
    """Sums of rows (S, P, K) from `first` to `stop` (P, M), in double: they are differences of large numbers."""
    sums = torch.nn.functional.pad(values.double().cumsum(-1), (1, 0))
    one, two = (sums.gather(2, at.expand(values.shape[0], -1, -1)) for at in (first, stop))
    return two - one


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: RingingTarget
) -> Float[Tensor, "batch rooms"]:
    """How far lines stand out, (S, rooms); see `fdnlearn.ops.ringing`."""
    power = target.windows.power(h)
    mean: Tensor = _ThirdOctaveMeans.apply(power, target)
    own = power.gather(2, target.own.expand(h.shape[0], -1, -1))
    level = 10 * (torch.log10(own + TINY) - torch.log10(mean + TINY))
    excess = (level - FREE_DB).clamp_min(0.0).square() * target.counts
    return excess.sum(-1) @ target.share.to(excess)
