"""Real Fourier transforms along the last axis: SciPy's on the CPU, twice as fast as torch's."""

from __future__ import annotations

from torch import Tensor

from fdnlearn.base.types import Complex, Float, shapes_checked
from fdnlearn.ops.dispatch import form_for


@shapes_checked
def rfft(rows: Float[Tensor, "*batch samples"]) -> Complex[Tensor, "*batch bins"]:
    """Spectrum (..., n // 2 + 1) of real signals (..., n), differentiable."""
    spectrum: Tensor = form_for("fourier", rows.device.type).rfft(rows)
    return spectrum


@shapes_checked
def irfft(spectrum: Complex[Tensor, "*batch bins"], n: int) -> Float[Tensor, "*batch samples"]:
    """Real signals (..., n) of spectra (..., n // 2 + 1), differentiable."""
    rows: Tensor = form_for("fourier", spectrum.device.type).irfft(spectrum, n)
    return rows
