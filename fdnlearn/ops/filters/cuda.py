"""Responses of sections on all bins on the GPU, and the way back to their coefficients, in Triton.

Every section of a row is evaluated at a bin in one go, in double: at low frequencies the coefficients nearly cancel.
Unlike on the CPU (`fdnlearn.ops.filters.cpu`) all bins are computed; a GPU has the arithmetic to spare, not the
patience for a grid.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fdnlearn.base.types import Complex, Float, shapes_checked
from fdnlearn.ops import launching
from fdnlearn.ops.launching import jit
from fdnlearn.ops.launching import language as tl

TURN = tl.constexpr(6.283185307179586)


@jit
def _delay(k, n_fft):
    """``z^-1`` at bins k, in double."""
    angle = -(k.to(tl.float64) / n_fft) * TURN
    return tl.cos(angle), tl.sin(angle)


@jit
def _polynomial(at, z_re, z_im, y_re, y_im):
    """``c0 + c1 z^-1 + c2 z^-2`` with the three coefficients that lie at `at`."""
    c0 = tl.load(at)
    c1 = tl.load(at + 1)
    c2 = tl.load(at + 2)
    return c0 + c1 * z_re + c2 * y_re, c1 * z_im + c2 * y_im


@jit
def _divide(a_re, a_im, b_re, b_im):
    size = b_re * b_re + b_im * b_im
    return (a_re * b_re + a_im * b_im) / size, (a_im * b_re - a_re * b_im) / size


@jit
def _cascade(gains, sos, row, z_re, z_im, y_re, y_im, S: tl.constexpr):
    v_re = z_re * 0.0 + tl.load(gains + row)
    v_im = z_re * 0.0
    for s in tl.static_range(S):
        at = sos + (row * S + s) * 6
        u_re, u_im = _polynomial(at, z_re, z_im, y_re, y_im)
        d_re, d_im = _polynomial(at + 3, z_re, z_im, y_re, y_im)
        q_re, q_im = _divide(u_re, u_im, d_re, d_im)
        t_re = v_re * q_re - v_im * q_im
        v_im = v_re * q_im + v_im * q_re
        v_re = t_re
    return v_re, v_im


@jit
def _respond(gains, sos, out, n_fft, bins, S: tl.constexpr, BLOCK: tl.constexpr):
    """Responses (R, K, 2) of gains (R,) and sections (R, S, 6)."""
    row = tl.program_id(0).to(tl.int64)
    k = tl.program_id(1).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    z_re, z_im = _delay(k, n_fft)
    v_re, v_im = _cascade(gains, sos, row, z_re, z_im, z_re * z_re - z_im * z_im, 2 * z_re * z_im, S)
    to = out + 2 * (row * bins + k)
    tl.store(to, v_re, mask=k < bins)
    tl.store(to + 1, v_im, mask=k < bins)


@jit
def _pull_back(gains, sos, g, parts, n_fft, bins, chunks, S: tl.constexpr, BLOCK: tl.constexpr):
    """Sums of one block of bins, (R, chunks, 1 + 6 S): for the gain, then for every coefficient."""
    row = tl.program_id(0).to(tl.int64)
    chunk = tl.program_id(1).to(tl.int64)
    k = chunk * BLOCK + tl.arange(0, BLOCK)
    z_re, z_im = _delay(k, n_fft)
    y_re = z_re * z_re - z_im * z_im
    y_im = 2 * z_re * z_im
    v_re, v_im = _cascade(gains, sos, row, z_re, z_im, y_re, y_im, S)
    at_g = g + 2 * (row * bins + k)
    g_re = tl.load(at_g, mask=k < bins, other=0.0).to(tl.float64)
    g_im = tl.load(at_g + 1, mask=k < bins, other=0.0).to(tl.float64)
    # d loss = Re(conj(g) dG) with dG = G db z^-p / B or -G da z^-p / A
    p_re = g_re * v_re + g_im * v_im
    p_im = g_re * v_im - g_im * v_re
    to = parts + (row * chunks + chunk) * (1 + 6 * S)
    tl.store(to, tl.sum(p_re, axis=0) / tl.load(gains + row))
    for s in tl.static_range(S):
        for half in tl.static_range(2):
            d_re, d_im = _polynomial(sos + (row * S + s) * 6 + 3 * half, z_re, z_im, y_re, y_im)
            q_re, q_im = _divide(p_re, p_im, d_re, d_im)
            sign = 1.0 - 2.0 * half
            here = to + 1 + 6 * s + 3 * half
            tl.store(here, sign * tl.sum(q_re, axis=0))
            tl.store(here + 1, sign * tl.sum(q_re * z_re - q_im * z_im, axis=0))
            tl.store(here + 2, sign * tl.sum(q_re * y_re - q_im * y_im, axis=0))


class _Response(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gains: Tensor, sos: Tensor, n_fft: int, dtype: torch.dtype) -> Tensor:
        bins = n_fft // 2 + 1
        g = gains.detach().double().reshape(-1).contiguous()
        c = sos.detach().double().reshape(g.numel(), -1, 6).contiguous()
        out = torch.empty((g.numel(), bins, 2), dtype=dtype.to_real(), device=g.device)
        size = launching.block(256)
        _respond[g.numel(), launching.blocks(bins, size)](g, c, out, n_fft, bins, S=c.shape[1], BLOCK=size)
        ctx.saved, ctx.kinds = (g, c, n_fft), (gains.shape, gains.dtype, sos.shape, sos.dtype)
        return torch.view_as_complex(out).reshape(*gains.shape, bins)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        g, c, n_fft = ctx.saved
        gains_shape, gains_dtype, sos_shape, sos_dtype = ctx.kinds
        bins, sections = n_fft // 2 + 1, c.shape[1]
        size = launching.block(256)
        chunks = launching.blocks(bins, size)
        pull = torch.view_as_real(grad.resolve_conj()).reshape(g.numel(), bins, 2).contiguous()
        parts = torch.empty((g.numel(), chunks, 1 + 6 * sections), dtype=torch.float64, device=g.device)
        _pull_back[g.numel(), chunks](g, c, pull, parts, n_fft, bins, chunks, S=sections, BLOCK=size)
        sums = parts.sum(1)
        d_sos = sums[:, 1:].reshape(-1, sections, 6)
        # The leading coefficient of a denominator is one and stays so.
        d_sos[:, :, 3] = 0.0
        return (
            sums[:, 0].reshape(gains_shape).to(gains_dtype),
            d_sos.reshape(sos_shape).to(sos_dtype),
            None,
            None,
        )


@shapes_checked
def filter_response(
    gains: Float[Tensor, "*batch"], sos: Float[Tensor, "*batch sections 6"], n_fft: int, dtype: torch.dtype
) -> Complex[Tensor, "*batch bins"]:
    """Responses (..., K) of gains (...) and sections (..., S, 6); see `fdnlearn.ops.filters`."""
    result: Tensor = _Response.apply(gains, sos, n_fft, dtype)
    return result
