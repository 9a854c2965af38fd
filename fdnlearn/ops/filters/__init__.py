"""Spectra of second-order sections in series.

On bin k of K = n_fft // 2 + 1, with z = exp(2j pi k / n_fft), the response of a gain g and of S sections is

    g prod_s (b0 + b1 z^-1 + b2 z^-2) / (1 + a1 z^-1 + a2 z^-2)
"""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.base.types import Complex, Float, shapes_checked
from fdnlearn.ops.dispatch import form_for


@shapes_checked
def filter_response(
    gains: Float[Tensor, "*batch"],
    sos: Float[Tensor, "*batch sections 6"],
    n_fft: int,
    dtype: torch.dtype = torch.complex64,
) -> Complex[Tensor, "*batch bins"]:
    """Responses of gains and sections, differentiable in both.

    Parameters
    ----------
    gains : Tensor, shape (...)
        None of them zero.
    sos : Tensor, shape (..., S, 6)
        Rows ``b0 b1 b2 1 a1 a2``; what stands for one is a constant: a gradient there means nothing.
    n_fft : int
    dtype : torch.dtype
        Of the result; within, everything is in double.

    Returns
    -------
    Tensor, shape (..., n_fft // 2 + 1)
    """
    spectra: Tensor = form_for("filters", gains.device.type).filter_response(gains, sos, n_fft, dtype)
    return spectra
