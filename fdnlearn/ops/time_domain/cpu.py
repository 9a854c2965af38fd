"""The loop in Numba as a differentiable operation; every run of every network on a core of its own."""

from __future__ import annotations

import collections
import contextlib
import weakref
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fdnlearn.base.types import Array
from fdnlearn.ops.response import Parameters
from fdnlearn.ops.time_domain import loops
from fdnlearn.ops.time_domain.vectors import ROWS, lanes_of


def _filled_up(array: Array, width: int, axis: int = -1) -> Array:
    """Zeros behind an axis until it is so long."""
    missing = [(0, 0)] * array.ndim
    missing[axis] = (0, width - array.shape[axis])
    return np.ascontiguousarray(np.pad(array, missing))


#: Workspaces that nobody uses: memory that is new each time costs as much as half the arithmetic.
_free: collections.deque[Array] = collections.deque(maxlen=4)


def _taken(size: int, dtype: Any) -> Array:
    """A workspace, one that has been used before if there is one of the size."""
    with contextlib.suppress(IndexError):
        for _ in range(len(_free)):
            one = _free.popleft()
            if one.dtype == dtype and size <= one.size <= 1.25 * size:
                return one[:size] if one.size != size else one
            _free.append(one)
    return np.empty(size, dtype)


def _in_differences(sos: Array) -> Array:
    """``sigma c0 c2 kappa a2`` of sections ``b0 b1 b2 1 a1 a2``, in double; see `vectors.some_sections`."""
    b0, b1, b2, _, a1, a2 = np.moveaxis(sos, -1, 0)
    kappa = 1 + a1 + a2
    return np.stack((b0 + b1 + b2 - kappa, b0 - 1, b2 - a2, kappa, a2), axis=-1)


def _from_differences(grad: Array) -> Array:
    """Gradients of ``b0 b1 b2 1 a1 a2`` from those of `_in_differences`."""
    sigma, c0, c2, kappa, a2 = np.moveaxis(grad, -1, 0)
    pole = kappa - sigma
    return np.stack((sigma + c0, sigma, sigma + c2, np.zeros_like(sigma), pole, pole - c2 + a2), axis=-1)


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        signals: Tensor,
        delays: Tensor,
        length: int,
        matrix: Tensor,
        gains: Tensor,
        inputs: Tensor,
        outputs: Tensor,
        sections: Tensor | None,
    ) -> Tensor:
        u = matrix.detach().numpy()
        dtype = u.dtype
        gain = gains.detach().numpy().astype(dtype, copy=False)
        batch, n = gain.shape
        lanes = lanes_of(dtype)
        width = -(-n // max(lanes, ROWS)) * max(lanes, ROWS)
        looped = _filled_up(_filled_up(u * gain[:, None, :], width), width, 1)
        b = _filled_up(inputs.detach().numpy(), width, 1)
        c = _filled_up(outputs.detach().numpy(), width)
        q = np.zeros((batch, 0 if sections is None else sections.shape[2], 5, width), dtype)
        if sections is not None:
            q[..., :n] = _in_differences(sections.detach().numpy().astype(np.float64)).transpose(0, 2, 3, 1)
        m = _filled_up(np.round(delays.detach().numpy()).astype(np.int64), width)
        m[:, n:] = m[:, :1]
        shortest = int(m.min())
        block = min(loops.BLOCK, shortest if shortest < lanes else shortest // lanes * lanes)
        pad = int(m.max()) + loops.REACH
        x = np.ascontiguousarray(signals.detach().expand(batch, -1, -1, -1).flatten(0, 1).numpy())
        runs = len(x)
        lines = _taken(runs * width * (pad + length + loops.REACH), dtype)
        past = _taken(runs * -(-length // block) * q.shape[1] * 4 * width, dtype)
        h = np.empty((runs, c.shape[1], length), dtype)
        turned = np.ascontiguousarray(looped.swapaxes(1, 2))
        loops.forward(runs, turned, q, b, c, m, x, block, lanes, pad, lines, past, h)
        weakref.finalize(ctx, _free.extend, (lines, past))
        ctx.signals_shape, ctx.gain_dtype, ctx.delays_dtype = signals.shape, gains.dtype, delays.dtype
        ctx.sections_dtype = None if sections is None else sections.dtype
        ctx.saved = (looped, q, b, c, m, x, block, lanes, pad, lines, past), u, gain
        result: Tensor = torch.from_numpy(h).unflatten(0, (batch, runs // batch))
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (looped, q, b, c, m, x, block, lanes, pad, lines, past), u, gain = ctx.saved
        batch, n = gain.shape
        g = np.ascontiguousarray(grad.flatten(0, 1).numpy())
        runs = len(g)
        d_matrix = np.zeros((runs, *looped.shape[1:]))
        d_sections = np.zeros((runs, *q.shape[1:]))
        d_inputs, d_outputs = np.zeros((runs, *b.shape[1:])), np.zeros((runs, *c.shape[1:]))
        d_signals = np.zeros((runs, *x.shape[1:]), u.dtype)
        d_delays = np.zeros((runs if ctx.needs_input_grad[1] else 0, m.shape[1]))
        bars = _taken(lines.size, u.dtype)
        loops.backward(
            runs, looped, q, b, c, m, x, block, lanes, pad, lines, past, bars, g,
            d_matrix, d_sections, d_inputs, d_outputs, d_signals, d_delays,
        )  # fmt: skip
        _free.append(bars)

        def summed(part: Array) -> Array:
            total: Array = np.add.reduce(part.reshape(batch, -1, *part.shape[1:]), axis=1)
            return total

        d_loop = summed(d_matrix)[:, :n, :n]
        d_q = None
        if ctx.needs_input_grad[7]:
            d_q = _from_differences(summed(d_sections)[..., :n].transpose(0, 3, 1, 2))
        return (
            torch.from_numpy(d_signals).unflatten(0, (batch, runs // batch)).sum_to_size(ctx.signals_shape),
            torch.from_numpy(summed(d_delays)[:, :n]).to(ctx.delays_dtype) if len(d_delays) else None,
            None,
            torch.from_numpy((d_loop * gain[:, None, :]).astype(u.dtype)),
            torch.from_numpy((d_loop * u).sum(1)).to(ctx.gain_dtype),
            torch.from_numpy(summed(d_inputs)[:, :n].astype(u.dtype)),
            torch.from_numpy(summed(d_outputs)[..., :n].astype(u.dtype)),
            None if d_q is None else torch.from_numpy(d_q).to(ctx.sections_dtype),
        )


def run(network: Parameters, loop_sos: Tensor | None, signals: Tensor, length_samples: int) -> Tensor:
    """What leaves the lines (B, R, O, T); see `fdnlearn.ops.time_domain`."""
    matrix, loop_gain, delays_samples, input_gains, output_gains, _ = network
    result: Tensor = _Loop.apply(
        signals, delays_samples, length_samples, matrix, loop_gain, input_gains, output_gains, loop_sos
    )
    return result
