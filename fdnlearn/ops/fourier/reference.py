"""The transforms of torch."""

from __future__ import annotations

import torch
from torch import Tensor


def rfft(rows: Tensor) -> Tensor:
    """Spectrum (..., n // 2 + 1) of real signals (..., n)."""
    spectrum: Tensor = torch.fft.rfft(rows)
    return spectrum


def irfft(spectrum: Tensor, n: int) -> Tensor:
    """Real signals (..., n) of spectra (..., n // 2 + 1)."""
    rows: Tensor = torch.fft.irfft(spectrum, n=n)
    return rows
