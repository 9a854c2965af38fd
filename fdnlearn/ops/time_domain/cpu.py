"""The loop in Numba as a differentiable operation: runs over cores, and stages of a run where there are more cores."""

from __future__ import annotations

import collections
import contextlib
import weakref
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fdnlearn.base.types import Array
from fdnlearn.ops.response import Parameters
from fdnlearn.ops.time_domain import backward, forward
from fdnlearn.ops.time_domain.slopes import REACH, delay_gradients
from fdnlearn.ops.time_domain.vectors import ROWS, lanes_of


def _filled_up(array: Array, *shape: int) -> Array:
    """Zeros behind the last axes until they are so long."""
    filled = np.zeros((*array.shape[: array.ndim - len(shape)], *shape), array.dtype)
    part: tuple[slice, ...] = tuple(slice(size) for size in array.shape)
    filled[part] = array
    return filled


#: Workspaces that nobody uses: memory that is new each time costs as much as half the arithmetic.
_free: collections.deque[Array] = collections.deque(maxlen=6)


def _taken(size: int, dtype: Any) -> Array:
    """A workspace, one that has been used before if there is one of the size."""
    with contextlib.suppress(IndexError):
        for _ in range(len(_free)):
            one = _free.popleft()
            if one.dtype == dtype and size <= one.size <= 1.25 * size:
                return one[:size] if one.size != size else one
            _free.append(one)
    # Sizes have changed: what is kept is of no use to anybody, but may be large.
    _free.clear()
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


def _threads(runs: int) -> tuple[int, Array]:
    """How many threads share a run, and the counters with which all runs' do."""
    threads = min(forward.THREADS, max(1, numba.get_num_threads() // runs))
    return threads, np.zeros(runs * forward.COUNTERS, np.int64)


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
        looped = _filled_up(u * gain[:, None, :], width, width)
        b = _filled_up(inputs.detach().numpy(), width, inputs.shape[2])
        c = _filled_up(outputs.detach().numpy(), width)
        q = np.zeros((batch, 0 if sections is None else sections.shape[2], 5, width), dtype)
        if sections is not None:
            q[..., :n] = _in_differences(sections.detach().numpy().astype(np.float64)).transpose(0, 2, 3, 1)
        m = _filled_up(np.round(delays.detach().numpy()).astype(np.int64), width)
        m[:, n:] = m[:, :1]
        shortest = int(m.min())
        block = min(forward.BLOCK, shortest if shortest < lanes else shortest // lanes * lanes)
        pad = int(m.max()) + REACH
        x = np.ascontiguousarray(signals.detach().expand(batch, -1, -1, -1).flatten(0, 1).numpy())
        runs = len(x)
        lines = _taken(runs * width * (pad + length + REACH), dtype)
        past = _taken(runs * (-(-length // block) + 1) * q.shape[1] * 4 * width, dtype)
        h = np.empty((runs, c.shape[1], length), dtype)
        turned = np.ascontiguousarray(looped.swapaxes(1, 2))
        # As large as the lines, so that either can be had in place of the other.
        halfway = _taken(lines.size, dtype)
        half = forward.first_half(q.shape[1])
        threads, counters = _threads(runs)
        forward.forward(
            runs * threads, threads, counters, turned, q, half, b, c, m, x, block, lanes, pad, lines, halfway, past, h
        )  # fmt: skip
        weakref.finalize(ctx, _free.extend, (lines, halfway, past))
        ctx.signals_shape, ctx.gain_dtype, ctx.delays_dtype = signals.shape, gains.dtype, delays.dtype
        ctx.sections_dtype = None if sections is None else sections.dtype
        ctx.saved = (looped, q, half, b, c, m, x, block, lanes, pad, lines, halfway, past), u, gain
        result: Tensor = torch.from_numpy(h).unflatten(0, (batch, runs // batch))
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (looped, q, half, b, c, m, x, block, lanes, pad, lines, halfway, past), u, gain = ctx.saved
        batch, n = gain.shape
        g = np.ascontiguousarray(grad.flatten(0, 1).numpy())
        runs = len(g)
        d_matrix = np.zeros((runs, *looped.shape[1:]))
        d_sections = np.zeros((runs, *q.shape[1:]))
        d_inputs, d_outputs = np.zeros((runs, *b.shape[1:])), np.zeros((runs, *c.shape[1:]))
        d_signals = np.zeros((runs, *x.shape[1:]), u.dtype)
        bars = _taken(lines.size, u.dtype)
        width = looped.shape[1]
        between = np.zeros(runs * backward.DEPTH * (block + ROWS) * width, u.dtype)
        futures = np.zeros((runs, max(q.shape[1], 1) * 2 * width), u.dtype)
        threads, counters = _threads(runs)
        backward.backward(
            runs * threads, threads, counters, between, futures, looped, q, half, b, c, m, x, block, lanes, pad,
            lines, halfway, past, bars, g, d_matrix, d_sections, d_inputs, d_outputs, d_signals,
        )  # fmt: skip

        def summed(part: Array) -> Array:
            total: Array = np.add.reduce(part.reshape(batch, -1, *part.shape[1:]), axis=1)
            return total

        d_delays = None
        if ctx.needs_input_grad[1]:
            moved = np.empty((runs, width))
            delay_gradients(moved.size, m, lines, bars, pad, g.shape[2], moved)
            d_delays = torch.from_numpy(summed(moved)[:, :n]).to(ctx.delays_dtype)
        _free.append(bars)

        d_loop = summed(d_matrix)[:, :n, :n]
        d_q = None
        if ctx.needs_input_grad[7]:
            d_q = _from_differences(summed(d_sections)[..., :n].transpose(0, 3, 1, 2))
        return (
            torch.from_numpy(d_signals).unflatten(0, (batch, runs // batch)).sum_to_size(ctx.signals_shape),
            d_delays,
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
