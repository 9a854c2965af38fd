"""One stage of a fit: Adam on a batch of networks at once, the best iterate of each kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, Int64, shapes_checked
from fdnlearn.fitting.batch import ProblemBatch
from fdnlearn.fitting.columns import join, split, widths
from fdnlearn.fitting.problem import Problem
from fdnlearn.ops import adam
from fdnlearn.options import Gradient

#: So many times its best loss a row has run away; what begins a stage well is within six.
_RUN_AWAY = 10.0


@shapes_checked
@dataclass
class AdamState:
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

    values: Float[Tensor, "batch parameters"]
    first: Float[Tensor, "batch parameters"]
    second: Float[Tensor, "batch parameters"]
    best_values: Float[Tensor, "batch parameters"]
    best_loss: Float64[Tensor, " batch"]
    step: int = 0

    @classmethod
    @shapes_checked
    def start(cls, free: Mapping[str, Float[Tensor, "batch ..."]]) -> AdamState:
        """Begin at `free`, moments at zero."""
        values = join(free)
        return cls(
            values=values,
            first=torch.zeros_like(values),
            second=torch.zeros_like(values),
            best_values=values.clone(),
            best_loss=torch.full((values.shape[0],), math.inf, dtype=torch.float64),
        )

    @shapes_checked
    def rows(self, index: Int64[Tensor, " rows"]) -> AdamState:
        """A copy of some of the rows."""
        return AdamState(
            self.values[index],
            self.first[index],
            self.second[index],
            self.best_values[index],
            self.best_loss[index],
            self.step,
        )


def cosine(progress: float, floor: float = 0.0) -> float:
    """Share of the learning rate left when `progress` (0 to 1) of a stage is done."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


@shapes_checked
def advance(
    descent: AdamState,
    problem: Problem | ProblemBatch,
    like: Mapping[str, Tensor],
    delays_samples: Float[Tensor, "batch lines"] | None,
    rates: Float[Tensor, " parameters"],
    rooms: int = 1,
) -> list[tuple[float, dict[str, float]]]:
    """Take one Adam step (Kingma & Ba, 2015) at learning rates `rates` (P,).

    Returns the loss of every room's best row and its terms; row r belongs to room ``r % rooms``.

    A row whose loss or gradient is not finite stays where it is: one diverged start does not end the others. One that
    has run away begins again where it was best, without momentum: far out in their spans parameters have no slope.
    """
    gradient, loss, terms = _gradient(descent.values, problem, like, delays_samples)
    now, *parts = _on_cpu(loss, *terms.values())
    descent.step += 1
    d = descent
    rows = adam.Rows(d.values, d.first, d.second, d.best_values, d.best_loss)
    adam.step(rows, gradient, now, rates, d.step)
    _call_back(d, loss)
    losses = now.tolist()
    of_rows = {name: value.tolist() for name, value in zip(terms, parts, strict=True)}
    of_rooms = []
    for room in range(rooms):
        lead = min(
            range(room, len(losses), rooms),
            key=lambda row: losses[row] if math.isfinite(losses[row]) else math.inf,
        )
        of_rooms.append((losses[lead], {name: values[lead] for name, values in of_rows.items()}))
    return of_rooms


def _call_back(d: AdamState, loss: Tensor) -> None:
    """Take rows of a loss far beyond their best back to where that was."""
    lost = loss.double() > _RUN_AWAY * d.best_loss.to(loss.device)
    if lost.device.type == "cpu" and not bool(lost.any()):
        return
    away = lost[:, None]
    d.values = torch.where(away, d.best_values, d.values)
    d.first, d.second = (moment.masked_fill(away, 0.0) for moment in (d.first, d.second))


def _gradient(
    values: Tensor,
    problem: Problem | ProblemBatch,
    like: Mapping[str, Tensor],
    delays_samples: Tensor | None,
) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
    """Gradient (B, P), loss (B,) and its terms: of as many rows at once as memory is meant for, then of the next."""
    parts = []
    for first in range(0, len(values), problem.rows_at_once):
        rows = slice(first, first + problem.rows_at_once)
        own = values[rows].detach().requires_grad_()
        loss, terms = problem.loss(split(own, like), None if delays_samples is None else delays_samples[rows])
        (gradient,) = torch.autograd.grad(loss.sum(), own)
        parts.append((gradient, loss.detach(), terms))
    if len(parts) == 1:
        return parts[0]
    gradients, losses, values_of_terms = zip(*parts, strict=True)
    together = {name: torch.cat([one[name] for one in values_of_terms]) for name in values_of_terms[0]}
    return torch.cat(gradients), torch.cat(losses), together


def _on_cpu(*rows: Tensor) -> Sequence[Tensor]:
    """Rows (B,) in double on the CPU, in one transfer: each of them would wait for the device."""
    if rows[0].device.type == "cpu":
        return [rows[0].double(), *rows[1:]]
    return torch.stack([row.double() for row in rows]).cpu().unbind()


@shapes_checked
def column_rates(problem: Problem | ProblemBatch, like: Mapping[str, Tensor]) -> Float[Tensor, " parameters"]:
    """Relative learning rate of every column of `AdamState.values`."""
    method = problem.config.method
    frozen = {"delay"} if isinstance(method, Gradient) and not method.learn_delays else set()
    rates = [0.0 if name in frozen else problem.model.rates[name] for name in like]
    return torch.repeat_interleave(torch.tensor(rates), torch.tensor(widths(like))).to(problem.device)
