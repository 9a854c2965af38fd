"""The sections of an equaliser as one node of the graph: written out they would be half of all operations of a step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fdnlearn.fdn.families.equaliser import Equaliser

#: Imaginary step of the derivative. Nothing is subtracted, so it may be as small as this, and the derivative is exact
#: (W. Squire & G. Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 40, 1998).
_STEP = 1e-60


class _Sections(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gains_db: Tensor, eq: Equaliser) -> Tensor:
        if not ctx.needs_input_grad[0]:
            plain: Tensor = eq.sections(torch, gains_db)
            return plain
        both: Tensor = eq.sections(torch, torch.complex(gains_db, torch.full_like(gains_db, _STEP)))
        ctx.save_for_backward(both.imag / _STEP)
        return both.real.contiguous()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        # Each section has a gain of its own.
        (slope,) = ctx.saved_tensors
        return (grad * slope).sum(-1), None


def equaliser_sections(eq: Equaliser, gains_db: Tensor) -> Tensor:
    """`Equaliser.sections` (..., S, 6) of gains (..., S) in double, differentiable once."""
    result: Tensor = _Sections.apply(gains_db, eq)  # type: ignore[no-untyped-call]
    return result
