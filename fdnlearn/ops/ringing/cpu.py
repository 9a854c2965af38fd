"""Ringing on the CPU, part by part: few lines stand out, and only those have a logarithm and a gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.jit import KERNEL_LOCK, jit
from fdnlearn.base.types import Array, Float, shapes_checked
from fdnlearn.ops.fourier.cpu import gradient_of_spectrum, spectrum_of
from fdnlearn.ops.ringing import FREE_DB, TINY, RingingTarget

_FREE_RATIO = 10.0 ** (FREE_DB / 10.0)


@jit(parallel=True)
def _stand_out(spectra, own, low, high, counts, learn, excess):
    """Sum of the squares of `excess` (rows,) decibels; `spectra` (rows, bins) become the gradient if that is wanted."""
    rows, bins = spectra.shape
    to_db = 10 / math.log(10)
    for r in numba.prange(rows):
        line = spectra[r]
        sums = np.empty(bins + 1)
        sums[0] = 0.0
        for k in range(bins):
            sums[k + 1] = sums[k] + line[k].real * line[k].real + line[k].imag * line[k].imag
        # Of a gradient with respect to powers: steps of what single lines do, and what all of a third of an octave do.
        alone = np.zeros(bins if learn else 0)
        steps = np.zeros(bins + 1 if learn else 0)
        total = 0.0
        for i in range(own.shape[0]):
            if counts[i] == 0:
                continue
            width = high[i] - low[i]
            around = sums[high[i]] - sums[low[i]]
            z = line[own[i]]
            power = z.real * z.real + z.imag * z.imag
            if (power + TINY) * width <= _FREE_RATIO * (around + TINY * width):
                continue
            mean = around / width
            over = to_db * math.log((power + TINY) / (mean + TINY)) - FREE_DB
            total += counts[i] * over * over
            if learn:
                slope = 2 * counts[i] * over * to_db
                alone[own[i]] += slope / (power + TINY)
                steps[low[i]] -= slope / (mean + TINY) / width
                steps[high[i]] += slope / (mean + TINY) / width
        excess[r] = total
        if learn:
            shared = 0.0
            for k in range(bins):
                shared += steps[k]
                line[k] *= line.real.dtype.type(2 * (alone[k] + shared))


def _part(h: Array, target: RingingTarget, part: int, excess: Array, grad: Array | None) -> None:
    """Add a part's distance to `excess` (S, rooms), and its gradient to `grad`, of responses (S, channels, n)."""
    windows = target.windows
    n_fft, start, channel = windows.n_fft[part], windows.start[part], windows.channel[part]
    # What is beyond half the transform fills up to the length of another part's.
    late = h[:, channel, start : start + n_fft // 2]
    taper = windows.taper[part, : late.shape[-1]].numpy().astype(h.dtype)
    late = late[:, : taper.size]
    if not late.size:
        return
    padded = np.zeros((len(h), n_fft), h.dtype)
    np.multiply(late, taper, out=padded[:, : taper.size])
    spectra = spectrum_of(padded)
    found = np.empty(len(h))
    lines = (x[part].numpy() for x in (target.own, target.low, target.high, target.counts))
    kernel: Callable[..., None] = _stand_out
    with KERNEL_LOCK:
        kernel(spectra, *lines, grad is not None, found)
    share = target.share[part].numpy()
    excess += found[:, None] * share
    if grad is not None and found.any():
        slope = gradient_of_spectrum(spectra, n_fft)[:, : taper.size]
        grad[:, channel, start : start + taper.size] += slope * (taper * share.sum(dtype=taper.dtype))


class _Distance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, target: RingingTarget) -> Tensor:
        responses = np.ascontiguousarray(h.detach().numpy())
        excess = np.zeros((len(responses), target.share.shape[1]))
        grad = np.zeros_like(responses) if ctx.needs_input_grad[0] else None
        for part in range(len(target.windows.start)):
            _part(responses, target, part, excess, grad)
        ctx.grad = None if grad is None else torch.from_numpy(grad)
        return torch.from_numpy(excess).to(h.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        of_channels = grad.repeat_interleave(ctx.grad.shape[1] // grad.shape[1], dim=1)
        return ctx.grad * of_channels[..., None], None


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: RingingTarget
) -> Float[Tensor, "batch rooms"]:
    """How far lines stand out, (S, rooms); see `fdnlearn.ops.ringing`."""
    result: Tensor = _Distance.apply(h, target)
    return result
