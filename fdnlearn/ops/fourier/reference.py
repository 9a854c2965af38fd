"""The transforms of torch."""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.base.types import Complex, Float, shapes_checked


@shapes_checked
def rfft(rows: Float[Tensor, "*batch samples"]) -> Complex[Tensor, "*batch bins"]:
    """Spectrum (..., n // 2 + 1) of real signals (..., n)."""
    spectrum: Tensor = torch.fft.rfft(rows)
    return spectrum


@shapes_checked
def irfft(spectrum: Complex[Tensor, "*batch bins"], n: int) -> Float[Tensor, "*batch samples"]:
    """Real signals (..., n) of spectra (..., n // 2 + 1)."""
    rows: Tensor = torch.fft.irfft(spectrum, n=n)
    return rows
