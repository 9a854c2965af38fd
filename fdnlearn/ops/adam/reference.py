"""A step of Adam in stock operations of torch."""

from __future__ import annotations

import torch

from fdnlearn.base.types import shapes_checked
from fdnlearn.ops.adam import BETA1, BETA2, EPS, Gradient, Losses, Rates, Rows


@torch.no_grad()
@shapes_checked
def step(rows: Rows, gradient: Gradient, loss: Losses, rates: Rates, count: int) -> None:
    """Take the `count`-th step of all rows, in place; see `fdnlearn.ops.adam`."""
    values, first, second, best_values, best_loss = rows
    better = loss < best_loss
    best_values.copy_(torch.where(better.to(values.device)[:, None], values, best_values))
    best_loss.copy_(torch.where(better, loss, best_loss))
    sound = torch.isfinite(gradient.sum(dim=1) + loss.to(gradient))[:, None]
    gradient = torch.where(sound, gradient, torch.zeros_like(gradient))
    first.lerp_(gradient, 1 - BETA1)
    second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
    size = rates / (1 - BETA1**count)
    spread = (second / (1 - BETA2**count)).sqrt_().add_(EPS)
    values -= first / spread * size * sound
