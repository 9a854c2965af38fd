"""One stage of a fit: Adam on a batch of networks at once, the best iterate of each kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fdnlearn.fitting.columns import join, split, widths
from fdnlearn.fitting.problem import Problem

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8


@dataclass
class Descent:
    """State of a stage, all of it in a handful of tensors so that it can be written down and taken up again.

    Attributes
    ----------
    values : Tensor, shape (B, P)
        Free parameters, one row a network, the groups side by side.
    first, second : Tensor, shape (B, P)
        Adam's moments.
    best_values : Tensor, shape (B, P)
    best_loss : Tensor, shape (B,), float64
    step : int
        Steps done.
    """

    values: Tensor
    first: Tensor
    second: Tensor
    best_values: Tensor
    best_loss: Tensor
    step: int = 0

    @classmethod
    def start(cls, free: Mapping[str, Tensor]) -> Descent:
        """Begin at `free`, moments at zero."""
        values = join(free)
        return cls(
            values=values,
            first=torch.zeros_like(values),
            second=torch.zeros_like(values),
            best_values=values.clone(),
            best_loss=torch.full((values.shape[0],), math.inf, dtype=torch.float64),
        )


def cosine(progress: float, floor: float = 0.0) -> float:
    """Share of the learning rate left when `progress` (0 to 1) of a stage is done."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def advance(
    descent: Descent,
    problem: Problem,
    like: Mapping[str, Tensor],
    delays_samples: Tensor | None,
    rates: Tensor,
) -> tuple[float, dict[str, float]]:
    """Take one Adam step (Kingma & Ba, 2015) at learning rates `rates` (P,); return the best row's loss and its terms.

    A row whose loss or gradient is not finite stays where it is: one diverged start does not end the others.
    """
    free = {name: piece.detach().requires_grad_() for name, piece in split(descent.values, like).items()}
    loss, terms = problem.loss(free, delays_samples)
    loss.sum().backward()
    now = loss.detach().to("cpu", torch.float64)
    gradient = torch.cat([_gradient(piece).flatten(1) for piece in free.values()], dim=1)
    with torch.no_grad():
        better = now < descent.best_loss
        rows = better.to(descent.values.device)[:, None]
        descent.best_values = torch.where(rows, descent.values, descent.best_values)
        descent.best_loss = torch.where(better, now, descent.best_loss)
        sound = torch.isfinite(gradient.sum(dim=1) + loss.detach())
        all_sound = bool(sound.all())
        if not all_sound:
            gradient[~sound] = 0.0
        descent.step += 1
        descent.first.lerp_(gradient, 1 - _BETA1)
        descent.second.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
        size = rates / (1 - _BETA1**descent.step)
        spread = (descent.second / (1 - _BETA2**descent.step)).sqrt_().add_(_EPS)
        move = descent.first / spread * size
        descent.values -= move if all_sound else move * sound[:, None]
    losses = [x if math.isfinite(x) else math.inf for x in now.tolist()]
    lead = losses.index(min(losses))
    return now.tolist()[lead], {name: value.tolist()[lead] for name, value in terms.items()}


def _gradient(piece: Tensor) -> Tensor:
    return torch.zeros_like(piece) if piece.grad is None else piece.grad


def column_rates(problem: Problem, like: Mapping[str, Tensor]) -> Tensor:
    """Relative learning rate of every column of `Descent.values`."""
    frozen = set() if problem.config.learn_delays else {"delay"}
    rates = [0.0 if name in frozen else problem.model.rates[name] for name in like]
    return torch.repeat_interleave(torch.tensor(rates), torch.tensor(widths(like))).to(problem.device)
