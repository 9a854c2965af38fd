"""The distances of energy decays in stock operations of torch."""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, shapes_checked
from fdnlearn.ops.decay import EARLY_FLOOR, DecayTarget


@shapes_checked
def distance(
    h: Float[Tensor, "*batch channels samples"], target: DecayTarget, weights: tuple[float, float, float]
) -> tuple[Float64[Tensor, "*batch channels"], Float64[Tensor, "*batch channels 3"]]:
    """Weighted sum (...,) of the terms, and the terms (..., 3); see `fdnlearn.ops.decay`."""
    goal, goal_db, counted, weight, slopes, at, heard = target.tensors(h.device)
    # Only sums of whole hops are asked for, and a sum along all samples in double would be most of the work.
    hops = torch.nn.functional.pad(h, (0, -h.shape[-1] % target.hop)).unflatten(-1, (-1, target.hop))
    energy = hops.square().sum(-1, dtype=torch.float64)
    decay = energy.flip(-1).cumsum(-1).flip(-1)[..., : goal.shape[-1]]
    linear = ((decay - goal).square() * counted).sum(-1) / goal.square().sum(-1)
    miss_db = 10 * torch.log10(decay + 1e-12) - goal_db
    level = (miss_db.abs() * weight).sum(-1) / 10
    regressed = (slopes * miss_db[..., None, :]).sum(-1).abs().sum(-1)
    clarity = _ratio_db(decay[..., :1] + 1e-12, decay[..., at]) - _ratio_db(goal[:, :1], goal[:, at])
    attributes = (regressed + (clarity.abs() * heard).sum(-1)) / (slopes.shape[1] + at.shape[0])
    terms = (linear, level, attributes)
    total = torch.stack([term * weight for term, weight in zip(terms, weights, strict=True)]).sum(0)
    return total, torch.stack(terms, dim=-1).detach()


def _ratio_db(start: Tensor, late: Tensor) -> Tensor:
    """Energy before a boundary over energy after it, given the totals from the start and from the boundary."""
    return 10 * torch.log10((start - late).clamp_min(EARLY_FLOOR) / (late + EARLY_FLOOR))
