"""The transforms of SciPy, on arrays and, with their gradients, on tensors."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import scipy.fft
import torch
from torch import Tensor

from fdnlearn.base.types import Array, Complex, Float, shapes_checked
from fdnlearn.ops.fourier import split


def _workers(rows: Array) -> int:
    """Threads for transforms of `rows` (..., n): the kernels' own number, no more than there are rows."""
    return max(1, min(int(numba.get_num_threads()), int(rows.size // max(rows.shape[-1], 1))))


@shapes_checked
def spectrum_of(rows: Float[Array, "*batch samples"]) -> Complex[Array, "*batch bins"]:
    """Real transform along the last axis."""
    n = rows.shape[-1]
    if split.worthwhile(rows.size // max(n, 1), n):
        whole: Array = split.spectrum_of(rows.reshape(-1, n), _workers(rows))
        return whole.reshape(*rows.shape[:-1], -1)
    result: Array = scipy.fft.rfft(rows, workers=_workers(rows))
    return result


@shapes_checked
def signal_of(spectrum: Complex[Array, "*batch bins"], n: int) -> Float[Array, "*batch samples"]:
    """Inverse real transform of length `n` along the last axis."""
    bins = spectrum.shape[-1]
    if bins == n // 2 + 1 and split.worthwhile(spectrum.size // bins, n):
        whole: Array = split.signal_of(spectrum.reshape(-1, bins), n, _workers(spectrum))
        return whole.reshape(*spectrum.shape[:-1], n)
    result: Array = scipy.fft.irfft(spectrum, n=n, workers=_workers(spectrum))
    return result


@shapes_checked
def gradient_of_signal(grad: Float[Array, "*batch samples"]) -> Complex[Array, "*batch bins"]:
    """Gradient with respect to a spectrum from the one with respect to its `signal_of`."""
    n = grad.shape[-1]
    g = spectrum_of(grad)
    g *= g.real.dtype.type(2 / n)
    # The first and (for even lengths) the last bin have no mirror image.
    g[..., 0] *= 0.5
    if n % 2 == 0:
        g[..., -1] = 0.5 * g[..., -1].real
    return g


@shapes_checked
def gradient_of_spectrum(grad: Complex[Array, "*batch bins"], n: int) -> Float[Array, "*batch samples"]:
    """Gradient with respect to a signal of length `n` from the one with respect to its `spectrum_of`."""
    g = grad.copy()
    g *= g.real.dtype.type(n / 2)
    g[..., 0] *= 2
    if n % 2 == 0:
        g[..., -1] *= 2
    return signal_of(g, n)


class _Forward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.n = rows.shape[-1]
        return torch.from_numpy(spectrum_of(np.ascontiguousarray(rows.detach().numpy())))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return torch.from_numpy(gradient_of_spectrum(grad.resolve_conj().numpy(), ctx.n))


class _Inverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spectrum: Tensor, n: int) -> Tensor:
        return torch.from_numpy(signal_of(spectrum.detach().resolve_conj().numpy(), n))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return torch.from_numpy(gradient_of_signal(np.ascontiguousarray(grad.numpy()))), None


@shapes_checked
def rfft(rows: Float[Tensor, "*batch samples"]) -> Complex[Tensor, "*batch bins"]:
    """Spectrum (..., n // 2 + 1) of real signals (..., n)."""
    result: Tensor = _Forward.apply(rows)
    return result


@shapes_checked
def irfft(spectrum: Complex[Tensor, "*batch bins"], n: int) -> Float[Tensor, "*batch samples"]:
    """Real signals (..., n) of spectra (..., n // 2 + 1)."""
    result: Tensor = _Inverse.apply(spectrum, n)
    return result
