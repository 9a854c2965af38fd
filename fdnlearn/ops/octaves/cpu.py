"""The distances of octaves on the CPU: filters, comparison and gradient in one pass over a few responses at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.jit import KERNEL_LOCK, jit
from fdnlearn.base.types import Array, Float, Float64, shapes_checked
from fdnlearn.ops.decay import TERMS
from fdnlearn.ops.decay.cpu import compare
from fdnlearn.ops.fourier.cpu import signal_of, spectrum_of
from fdnlearn.ops.octaves import Bands, OctaveTarget, transform_length

#: About so many responses are filtered at a time: enough for all cores, and memory does not grow with a batch.
_ROWS = 8


@jit(fastmath={"contract"})
def _gather(spectra, filters, share, back):
    """Add to `back` (S, channels, bins) what spectra (S, channels, bands, fewer bins) are of it through the filters."""
    starts, channels, bands, bins = spectra.shape
    for s in range(starts):
        for c in range(channels):
            for b in range(bands):
                for k in range(bins):
                    back[s, c, k] += spectra[s, c, b, k] * (share[c, b] * np.conj(filters[c, b, k]))


class _Distance(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, h: Tensor, target: OctaveTarget, weights: tuple[float, ...]
    ) -> tuple[Tensor, Tensor]:
        responses = np.ascontiguousarray(h.detach().numpy())
        learn = ctx.needs_input_grad[0]
        terms = np.empty((*responses.shape[:2], len(TERMS)))
        grad = np.empty_like(responses) if learn else None
        step = max(1, _ROWS // responses.shape[1])
        for first in range(0, len(responses), step):
            these = slice(first, first + step)
            terms[these] = _compared(
                responses[these], target, np.array(weights), None if grad is None else grad[these]
            )
        ctx.grad = None if grad is None else torch.from_numpy(grad)
        each = torch.from_numpy(terms)
        ctx.mark_non_differentiable(each)
        return torch.from_numpy(terms @ weights), each

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.grad * grad[..., None].to(ctx.grad.dtype), None, None


def _compared(h: Array, target: OctaveTarget, weights: Array, grad: Array | None) -> Array:
    """The terms (S, channels, 3) of responses (S, channels, n), and the gradient of their weighted sum into `grad`."""
    n = h.shape[-1]
    n_fft = transform_length(n)
    padded = h if n == n_fft else np.pad(h, ((0, 0), (0, 0), (0, n_fft - n)))
    spectrum = spectrum_of(padded)
    scale = target.whole.scale.astype(h.dtype)
    signals = _rolled(h * scale, target.delays)
    terms = _decays(signals[:, :, None], target.whole, weights, grad is not None)
    if grad is not None:
        back_in_time = tuple(-delay for delay in target.delays)
        grad[...] = _rolled(signals * (scale * target.whole.share.astype(h.dtype)), back_in_time)
    back = np.zeros_like(spectrum)
    for bands, filters in zip(target.octaves, target.filters(n_fft, torch.device("cpu")), strict=True):
        gain = filters.numpy()
        bins = gain.shape[-1]
        signals = signal_of(spectrum[:, :, None, :bins] * gain, n_fft // bands.decimation)
        terms += _decays(signals, bands, weights, grad is not None)
        if grad is not None:
            # The transform of the response's length is by D times the longer.
            _gather(spectrum_of(signals), gain, (bands.decimation * bands.share).astype(h.dtype), back)
    if grad is not None:
        grad += signal_of(back, n_fft)[..., :n]
    return terms


def _rolled(h: Array, delays: tuple[int, ...]) -> Array:
    """Channels of responses (S, channels, n), each turned round by its delay."""
    out = np.empty_like(h)
    for channel, delay in enumerate(delays):
        out[:, channel] = np.roll(h[:, channel], delay, axis=-1)
    return out


def _decays(signals: Array, bands: Bands, weights: Array, learn: bool) -> Array:
    """The terms (S, channels, 3) of signals (S, channels, bands, n), which become the gradient."""
    rows = signals.reshape(-1, signals.shape[-1])
    terms = np.empty((len(rows), len(TERMS)))
    slope = rows if learn else rows[:, :0]
    kernel: Callable[..., None] = compare
    with KERNEL_LOCK:
        kernel(rows, bands.decay.hop, *bands.decay.arrays(), bands.decay.spans, weights, terms, slope)
    summed: Array = (terms.reshape(*signals.shape[:3], -1) * bands.share[..., None]).sum(2)
    return summed


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: OctaveTarget, weights: tuple[float, float, float]
) -> tuple[Float64[Tensor, "batch channels"], Float64[Tensor, "batch channels 3"]]:
    """Weighted sum (S, channels) of the terms, and the terms (S, channels, 3); see `fdnlearn.ops.octaves`."""
    total, terms = _Distance.apply(h, target, weights)
    return total, terms
