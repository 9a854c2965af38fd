"""The response on the CPU: the loops of `elimination` as differentiable operations, the impulse response as one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.jit import KERNEL_LOCK
from fdnlearn.base.types import Array, Complex, Float, shapes_checked
from fdnlearn.ops.fourier.cpu import gradient_of_signal, signal_of
from fdnlearn.ops.response import SINGLE_PRECISION_LIMIT, Parameters, elimination
from fdnlearn.ops.response.lanes import LANES


def _array(tensor: Tensor) -> Array:
    return np.ascontiguousarray(tensor.detach().numpy())


def _precision_runs(gain_re: Array, gain_im: Array, dtype: Any) -> list[tuple[slice, Any]]:
    """Runs of networks in a batch and the arithmetic for each.

    Double where a loop's closeness to one would amplify single-precision rounding beyond 1e-5.
    """
    squared = gain_re * gain_re if gain_re.shape[2] == 1 else gain_re * gain_re + gain_im * gain_im
    double = squared.reshape(len(squared), -1).max(1) > SINGLE_PRECISION_LIMIT**2
    runs, start = [], 0
    for wide, run in itertools.groupby(double.tolist()):
        stop = start + sum(1 for _ in run)
        runs.append((slice(start, stop), np.float64 if wide else dtype))
        start = stop
    return runs


def _padded_parts(gain: Tensor, padded: int, dtype: Any) -> tuple[Array, Array]:
    """Real and imaginary parts (B,N,K') of a per-bin gain, zero in the padding; if it is real, itself twice (B,N,1)."""
    values = gain.detach().numpy()
    if not gain.is_complex():
        real = np.ascontiguousarray(values[..., None], dtype)
        return real, real  # no kernel looks at the imaginary part of a flat gain
    re = np.zeros((*values.shape[:2], padded), dtype)
    im = np.zeros_like(re)
    re[..., : values.shape[2]], im[..., : values.shape[2]] = values.real, values.imag
    return re, im


def _solve(ctx: Any, tensors: tuple[Tensor, ...], n_fft: int) -> Array:
    """Run the forward kernel, keep on `ctx` what the adjoint needs and return H (B,O,I,K)."""
    matrix, gain, delays, inputs, outputs = tensors
    u, b, c = _array(matrix), _array(inputs), _array(outputs)
    dtype = u.dtype
    batch, n = u.shape[:2]
    n_in, n_out = b.shape[2], c.shape[1]
    bins = n_fft // 2 + 1
    padded = -(-bins // LANES) * LANES
    gain_re, gain_im = _padded_parts(gain, padded, dtype)
    m = np.ascontiguousarray(delays.detach().numpy(), np.float64)
    wanted = any(ctx.needs_input_grad)
    s_re, s_im = np.empty((2, batch, n_in, n if wanted else 0, padded), dtype)
    l_re, l_im = np.empty((2, batch, n_out if wanted else 0, n, padded), dtype)
    h = np.empty((batch, n_out, n_in, bins), np.result_type(dtype, np.complex64))
    rotations = elimination.rotations(m, n_fft)
    for rows, work in _precision_runs(gain_re, gain_im, dtype):
        loop, f_re, f_im = (x[rows].astype(work, copy=False) for x in (u, gain_re, gain_im))
        shared = (x[rows] for x in (m, *rotations, b, c))
        parts = (x[rows] for x in (s_re, s_im, l_re, l_im, h))
        elimination.solve(len(loop) * padded // LANES, loop, f_re, f_im, *shared, n_fft, *parts)
    ctx.saved = (u, gain_re, gain_im, c, n_fft, s_re, s_im, l_re, l_im) if wanted else None
    ctx.gain_is_complex, ctx.delay_dtype = gain.is_complex(), delays.dtype
    return h


def _pull_back(ctx: Any, g: Array) -> tuple[Tensor, ...]:
    """Gradients of the five tensors from the gradient g (B,O,I,K) of H."""
    u, gain_re, gain_im, c, n_fft, s_re, s_im, l_re, l_im = ctx.saved
    batch, n_in, n, _ = s_re.shape
    n_out, bins = c.shape[1], g.shape[-1]
    parts = np.empty((batch, -(-bins // elimination.BACKWARD_CHUNK), n, n + 2 + n_in + n_out))
    d_gain = np.empty((batch, n, bins) if ctx.gain_is_complex else (0, 0, 0), g.dtype)
    with KERNEL_LOCK:
        elimination.adjoint(u, gain_re, gain_im, c, n_fft, s_re, s_im, l_re, l_im, g, parts, d_gain)
    sums = torch.from_numpy(np.add.reduce(parts, axis=1).astype(u.dtype))
    return (
        sums[..., :n],
        torch.from_numpy(d_gain) if ctx.gain_is_complex else sums[..., n],
        sums[..., n + 1].to(ctx.delay_dtype),
        sums[..., n + 2 : n + 2 + n_in],
        sums[..., n + 2 + n_in :].transpose(1, 2),
    )


class _FrequencyResponse(torch.autograd.Function):
    """Forward solves for line outputs and adjoints at once; backward only multiplies and sums them."""

    @staticmethod
    def forward(ctx: Any, n_fft: int, *tensors: Tensor) -> Tensor:
        return torch.from_numpy(_solve(ctx, tensors, n_fft))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, *_pull_back(ctx, np.ascontiguousarray(grad.resolve_conj().numpy()))


class _ImpulseResponse(torch.autograd.Function):
    """`_FrequencyResponse`, the inverse transform and the direct gain together, with nothing between in the graph."""

    @staticmethod
    def forward(ctx: Any, n_fft: int, direct: Tensor, *tensors: Tensor) -> Tensor:
        h = signal_of(_solve(ctx, tensors, n_fft), n_fft)
        h[..., 0] += direct.detach().numpy()
        return torch.from_numpy(h)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        g = gradient_of_signal(np.ascontiguousarray(grad.numpy()))
        return None, grad[..., 0], *_pull_back(ctx, g)


@shapes_checked
def response(network: Parameters, n_fft: int) -> Complex[Tensor, "batch outputs inputs bins"]:
    """Frequency response (B,O,I,K); see `fdnlearn.ops.response`."""
    result: Tensor = _FrequencyResponse.apply(n_fft, *network[:5])
    return result


@shapes_checked
def impulse_response(network: Parameters, n_fft: int) -> Float[Tensor, "batch outputs inputs samples"]:
    """Periodic impulse response (B,O,I,n_fft); see `fdnlearn.ops.response`."""
    result: Tensor = _ImpulseResponse.apply(n_fft, network.direct_gains, *network[:5])
    return result
