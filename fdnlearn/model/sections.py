"""The equalisers of lines and outputs as one node of the graph: written out they were half the operations of a step.

The arithmetic is that of `fdnlearn.fdn.families`; what is added here is its derivative, by a complex step. Of a
function that is analytic in the gain of a section, evaluated at ``gain + i h``, the imaginary part over h is the
derivative. Nothing is subtracted, so h may be as small as can be, and the derivative is exact (W. Squire & G. Trapp,
"Using complex variables to estimate derivatives of real functions", SIAM Review 40, 1998).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.types import Float64, shapes_checked
from fdnlearn.fdn.families.cap import LIMIT, below_the_limit, capped, crest, power_gain
from fdnlearn.fdn.families.equaliser import Equaliser

_STEP = 1e-60


class _Equalised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gains: Tensor, gains_db: Tensor, eq: Equaliser) -> tuple[Tensor, Tensor]:
        lines = gains.shape[-1]
        if not any(ctx.needs_input_grad):
            plain = eq.sections(torch, gains_db)
            return capped(torch, gains, plain[..., :lines, :, :], eq.sample_rate_hz)[0], plain
        if gains_db.device.type == "cpu":  # NumPy is at so small an array in a third of the time
            both = torch.from_numpy(eq.sections(np, gains_db.detach().numpy() + 1j * _STEP))
        else:
            both = eq.sections(torch, torch.complex(gains_db, torch.full_like(gains_db, _STEP)))
        sos = both.real.contiguous()
        # Elsewhere a number would be waited for.
        if gains.device.type == "cpu" and bool((gains * most(gains_db[..., :lines, :]) < LIMIT).all()):
            ctx.save_for_backward(both.imag / _STEP)
            return gains.clone(), sos
        log_power, place = crest(torch, sos[..., :lines, :, :], eq.sample_rate_hz)
        factor = below_the_limit(torch, gains * torch.exp(log_power / 2.0))
        # Where the cap holds, a gain no longer depends on itself but on the sections at their loudest.
        free, found = factor == 1.0, gains * factor
        loudest = power_gain(torch, both[..., :lines, :, :], place[..., None].to(both))[..., 0]
        pull = loudest.imag / (-2.0 * _STEP * loudest.real)
        ctx.save_for_backward(both.imag / _STEP, free, torch.where(free, 0.0, found)[..., None] * pull)
        return found, sos

    @staticmethod
    def backward(ctx: Any, d_gains: Tensor, d_sos: Tensor) -> tuple[Tensor, Tensor, None]:
        slope, *held = ctx.saved_tensors
        # Each section has a gain of its own.
        d_gains_db = (d_sos * slope).sum(-1)
        if not held:
            return d_gains, d_gains_db, None
        free, pull = held
        d_gains_db[..., : pull.shape[-2], :] += d_gains[..., None] * pull
        return d_gains * free, d_gains_db, None


@shapes_checked
def most(gains_db: Float64[Tensor, "*batch sections"]) -> Float64[Tensor, "*batch"]:
    """What sections in series cannot exceed (...,), of gains in dB (..., S): each lies between one and its gain.

    Where even that leaves the loop below one, nobody has to look for the place where they are loudest.
    """
    return torch.exp(gains_db.clamp_min(0.0).sum(-1) * (math.log(10.0) / 20.0))


@shapes_checked
def equalised(
    eq: Equaliser,
    gains: Float64[Tensor, "batch lines"],
    gains_db: Float64[Tensor, "batch equalisers sections"],
) -> tuple[Float64[Tensor, "batch lines"], Float64[Tensor, "batch equalisers sections 6"]]:
    """Gains of lines, capped (`fdn.families.cap`), and the sections of lines and of what comes after them.

    Parameters
    ----------
    eq : Equaliser
    gains : Tensor of float64, shape (B, N)
        Plain gains of the lines.
    gains_db : Tensor of float64, shape (B, L, S)
        Of the sections of N lines, and of more equalisers of the same kind, which have no cap.

    Returns
    -------
    tuple of Tensor, shapes (B, N) and (B, L, S, 6)
        Differentiable once.
    """
    result: tuple[Tensor, Tensor] = _Equalised.apply(gains, gains_db, eq)  # type: ignore[no-untyped-call]
    return result
