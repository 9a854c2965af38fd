"""The GPU kernel: response of a feedback delay network on all bins, and its adjoint, in Triton.

The mathematics is that of `fdnlearn.kernels.cpu`. A program takes one network and a block of bins and holds the whole
system of each bin in registers, as a tensor (lines, lines, bins): a row or column of it is a masked sum, so nothing is
ever indexed, and Gauss-Jordan elimination without pivoting turns it into its inverse in place. That inverse times the
input gains gives the line outputs, its transpose times the output gives the adjoints; the backward kernel only
multiplies and sums.

Where ``TRITON_INTERPRET=1`` is set before Triton is imported, the very same kernels run on CPU tensors in Triton's
interpreter: that is how they are tested where there is no GPU.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from fdnlearn.kernels import launching
from fdnlearn.kernels.function import SINGLE_PRECISION_LIMIT
from fdnlearn.kernels.launching import jit
from fdnlearn.kernels.launching import language as tl

TURN = tl.constexpr(6.283185307179586)


@jit
def _rotation(delays, k, n_fft, DTYPE: tl.constexpr):
    """Cosine and sine (lines, bins) of ``2 pi k m / n_fft``; whole turns go exactly, in integers."""
    whole = tl.floor(delays)
    steps = (whole.to(tl.int64)[:, None] * k[None, :]) % n_fft
    turns = (steps.to(tl.float64) + (delays - whole)[:, None] * k[None, :].to(tl.float64)) / n_fft
    angle = ((turns - tl.floor(turns)) * TURN).to(DTYPE)
    return tl.cos(angle), tl.sin(angle)


@jit
def _gain(gain_re, gain_im, b, lines, k, there, n, bins, PER_BIN: tl.constexpr, DTYPE: tl.constexpr):
    """Loop gains (lines, bins) as two parts; zero outside."""
    if PER_BIN:
        at = (b * n + lines)[:, None] * bins + k[None, :]
        f_re = tl.load(gain_re + at, mask=there, other=0.0).to(DTYPE)
        f_im = tl.load(gain_im + at, mask=there, other=0.0).to(DTYPE)
    else:
        flat = tl.load(gain_re + b * n + lines, mask=lines < n, other=0.0).to(DTYPE)
        f_re = tl.where(there, flat[:, None], 0.0)
        f_im = tl.zeros_like(f_re)
    return f_re, f_im


@jit
def _solve(
    matrix, gain_re, gain_im, delays, inputs, outputs, s_re, s_im, l_re, l_im, h,
    n_fft, bins,
    N: tl.constexpr, LINES: tl.constexpr, INS: tl.constexpr, OUTS: tl.constexpr, BLOCK: tl.constexpr,
    PER_BIN: tl.constexpr, KEEP: tl.constexpr, DTYPE: tl.constexpr,
):  # fmt: skip
    """Line outputs s (B,I,N,K), adjoints l (B,O,N,K) and responses h (B,O,I,K,2); s and l only if KEEP.

    `LINES` is N padded to a power of two: the system of the padding is the identity.
    """
    b = tl.program_id(0).to(tl.int64)
    k = tl.program_id(1).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    lines = tl.arange(0, LINES)
    valid = lines < N
    there = valid[:, None] & (k < bins)[None, :]
    m = tl.load(delays + b * N + lines, mask=valid, other=0.0)
    cos, sin = _rotation(m, k, n_fft, DTYPE)
    f_re, f_im = _gain(gain_re, gain_im, b, lines, k, there, N, bins, PER_BIN, DTYPE)
    square = valid[:, None] & valid[None, :]
    u = tl.load(matrix + b * N * N + lines[:, None] * N + lines[None, :], mask=square, other=0.0).to(DTYPE)
    diagonal = (lines[:, None] == lines[None, :])[:, :, None]
    a_re = tl.where(diagonal, cos[:, None, :], 0.0) - u[:, :, None] * f_re[None, :, :]
    a_im = tl.where(diagonal, sin[:, None, :], 0.0) - u[:, :, None] * f_im[None, :, :]
    for p in range(N):
        at_row = (lines == p)[:, None, None]
        at_column = (lines == p)[None, :, None]
        row_re = tl.sum(tl.where(at_row, a_re, 0.0), axis=0)
        row_im = tl.sum(tl.where(at_row, a_im, 0.0), axis=0)
        column_re = tl.sum(tl.where(at_column, a_re, 0.0), axis=1)
        column_im = tl.sum(tl.where(at_column, a_im, 0.0), axis=1)
        here = (lines == p)[:, None]
        d_re = tl.sum(tl.where(here, row_re, 0.0), axis=0)
        d_im = tl.sum(tl.where(here, row_im, 0.0), axis=0)
        size = d_re * d_re + d_im * d_im
        e_re = (d_re / size)[None, :]
        e_im = (-d_im / size)[None, :]
        # The row over the pivot, the pivot itself becoming its inverse.
        x_re = tl.where(here, e_re, row_re * e_re - row_im * e_im)
        x_im = tl.where(here, e_im, row_re * e_im + row_im * e_re)
        y_re = column_re[:, None, :]
        y_im = column_im[:, None, :]
        kept_re = tl.where(at_column, 0.0, a_re)
        kept_im = tl.where(at_column, 0.0, a_im)
        a_re = tl.where(at_row, x_re[None], kept_re - (y_re * x_re[None] - y_im * x_im[None]))
        a_im = tl.where(at_row, x_im[None], kept_im - (y_re * x_im[None] + y_im * x_re[None]))
    for q in tl.static_range(INS):
        fed = tl.load(inputs + (b * N + lines) * INS + q, mask=valid, other=0.0).to(DTYPE)
        v_re = tl.sum(a_re * fed[None, :, None], axis=1)
        v_im = tl.sum(a_im * fed[None, :, None], axis=1)
        if KEEP:
            at = ((b * INS + q) * N + lines)[:, None] * bins + k[None, :]
            tl.store(s_re + at, v_re, mask=there)
            tl.store(s_im + at, v_im, mask=there)
        for o in tl.static_range(OUTS):
            taken = tl.load(outputs + (b * OUTS + o) * N + lines, mask=valid, other=0.0).to(DTYPE)
            to = h + 2 * (((b * OUTS + o) * INS + q) * bins + k)
            tl.store(to, tl.sum(v_re * taken[:, None], axis=0), mask=k < bins)
            tl.store(to + 1, tl.sum(v_im * taken[:, None], axis=0), mask=k < bins)
    if KEEP:
        for o in tl.static_range(OUTS):
            taken = tl.load(outputs + (b * OUTS + o) * N + lines, mask=valid, other=0.0).to(DTYPE)
            at = ((b * OUTS + o) * N + lines)[:, None] * bins + k[None, :]
            tl.store(l_re + at, tl.sum(a_re * taken[:, None, None], axis=0), mask=there)
            tl.store(l_im + at, tl.sum(a_im * taken[:, None, None], axis=0), mask=there)


@jit
def _adjoint(
    matrix, gain_re, gain_im, outputs, s_re, s_im, l_re, l_im, g, parts, d_gain,
    bins, chunks,
    N: tl.constexpr, LINES: tl.constexpr, INS: tl.constexpr, OUTS: tl.constexpr, BLOCK: tl.constexpr,
    PER_BIN: tl.constexpr, DTYPE: tl.constexpr,
):  # fmt: skip
    """Sums of one block of bins for the gradient g (B,O,I,K,2) of a loss with respect to h.

    `parts` is (B, chunks, N, N + 2 + I + O): dU, dF (flat gain only), dm by the angle of a bin, db and dc; `d_gain` is
    (B,N,K,2) where the loop gain is per bin. No two programs add to the same place: the sums have one order.
    """
    b = tl.program_id(0).to(tl.int64)
    chunk = tl.program_id(1).to(tl.int64)
    k = chunk * BLOCK + tl.arange(0, BLOCK)
    lines = tl.arange(0, LINES)
    valid = lines < N
    there = valid[:, None] & (k < bins)[None, :]
    f_re, f_im = _gain(gain_re, gain_im, b, lines, k, there, N, bins, PER_BIN, DTYPE)
    square = valid[:, None] & valid[None, :]
    u = tl.load(matrix + b * N * N + lines[:, None] * N + lines[None, :], mask=square, other=0.0).to(DTYPE)
    columns: tl.constexpr = N + 2 + INS + OUTS
    to = parts + ((b * chunks + chunk) * N + lines) * columns
    count = k.to(DTYPE)[None, :]
    d_u = tl.zeros((LINES, LINES), DTYPE)
    d_f = tl.zeros((LINES,), DTYPE)
    d_m = tl.zeros((LINES,), DTYPE)
    pulled_re = tl.zeros((LINES, BLOCK), DTYPE)
    pulled_im = tl.zeros((LINES, BLOCK), DTYPE)
    for q in tl.static_range(INS):
        at = ((b * INS + q) * N + lines)[:, None] * bins + k[None, :]
        v_re = tl.load(s_re + at, mask=there, other=0.0)
        v_im = tl.load(s_im + at, mask=there, other=0.0)
        w_re = tl.zeros((LINES, BLOCK), DTYPE)
        w_im = tl.zeros((LINES, BLOCK), DTYPE)
        for o in tl.static_range(OUTS):
            at_g = g + 2 * (((b * OUTS + o) * INS + q) * bins + k)
            g_re = tl.load(at_g, mask=k < bins, other=0.0)[None, :]
            g_im = -tl.load(at_g + 1, mask=k < bins, other=0.0)[None, :]
            at_l = ((b * OUTS + o) * N + lines)[:, None] * bins + k[None, :]
            x_re = tl.load(l_re + at_l, mask=there, other=0.0)
            x_im = tl.load(l_im + at_l, mask=there, other=0.0)
            w_re += x_re * g_re - x_im * g_im
            w_im += x_re * g_im + x_im * g_re
            # dc, and the part of the phase's gradient that does not go through the loop.
            taken = tl.load(outputs + (b * OUTS + o) * N + lines, mask=valid, other=0.0).to(DTYPE)
            at_c = to + N + 2 + INS + o
            d_c = tl.sum(v_re * g_re - v_im * g_im, axis=1)
            if q > 0:
                d_c += tl.load(at_c, mask=valid, other=0.0)
            tl.store(at_c, d_c, mask=valid)
            d_m += taken * tl.sum(count * (v_re * g_im + v_im * g_re), axis=1)
        tl.store(to + N + 2 + q, tl.sum(w_re, axis=1), mask=valid)
        # x = F s, dU_ij = Re(w_i x_j), z = U^T w, dF = z s
        x_re = f_re * v_re - f_im * v_im
        x_im = f_re * v_im + f_im * v_re
        d_u += tl.sum(w_re[:, None, :] * x_re[None, :, :] - w_im[:, None, :] * x_im[None, :, :], axis=2)
        z_re = tl.sum(u[:, :, None] * w_re[:, None, :], axis=0)
        z_im = tl.sum(u[:, :, None] * w_im[:, None, :], axis=0)
        t_re = z_re * v_re - z_im * v_im
        t_im = z_re * v_im + z_im * v_re
        d_f += tl.sum(t_re, axis=1)
        pulled_re += t_re
        pulled_im -= t_im
        d_m += tl.sum(count * (z_re * x_im + z_im * x_re), axis=1)
    tl.store(to[:, None] + lines[None, :], d_u, mask=square)
    tl.store(to + N, d_f, mask=valid)
    tl.store(to + N + 1, d_m, mask=valid)
    if PER_BIN:
        at_d = d_gain + 2 * ((b * N + lines)[:, None] * bins + k[None, :])
        tl.store(at_d, pulled_re, mask=there)
        tl.store(at_d + 1, pulled_im, mask=there)


def _parts(gain: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Real and imaginary part of a loop gain; of a flat one, itself twice."""
    if not gain.is_complex():
        real = gain.detach().to(dtype).contiguous()
        return real, real
    both = torch.view_as_real(gain.detach().resolve_conj()).to(dtype)
    return both[..., 0].contiguous(), both[..., 1].contiguous()


def _shape(matrix: Tensor, inputs: Tensor, outputs: Tensor, gain: Tensor) -> dict[str, Any]:
    """What the kernels are specialised for."""
    n = matrix.shape[1]
    # A system of a bin is LINES^2 complex numbers: as many bins as leave a thread some hundred registers.
    lines = launching.power_of_two(n)
    return {
        "N": n,
        "LINES": lines,
        "INS": inputs.shape[2],
        "OUTS": outputs.shape[1],
        "BLOCK": launching.block(max(4, 2048 // lines**2)),
        "PER_BIN": gain.is_complex(),
    }


def _forward(ctx: Any, tensors: tuple[Tensor, ...], n_fft: int) -> Tensor:
    """Run the forward kernel, keep on `ctx` what the adjoint needs and return H (B,O,I,K)."""
    matrix, gain, delays, inputs, outputs = (x.detach() for x in tensors)
    matrix, inputs, outputs = matrix.contiguous(), inputs.contiguous(), outputs.contiguous()
    dtype, bins = matrix.dtype, n_fft // 2 + 1
    shape = _shape(matrix, inputs, outputs, gain)
    batch, n, n_in, n_out = matrix.shape[0], shape["N"], shape["INS"], shape["OUTS"]
    keep = any(ctx.needs_input_grad)
    room: dict[str, Any] = {"dtype": dtype, "device": matrix.device}
    s = torch.empty((2, batch, n_in, n, bins) if keep else (2, 1), **room)
    adjoints = torch.empty((2, batch, n_out, n, bins) if keep else (2, 1), **room)
    h = torch.empty((batch, n_out, n_in, bins, 2), **room)
    # As on the CPU: near a loop gain of one, single precision would lose what the kernel is held to.
    wide = dtype == torch.float64 or bool(gain.abs().max() > SINGLE_PRECISION_LIMIT)
    gain_re, gain_im = _parts(gain, dtype)
    _solve[batch, launching.blocks(bins, shape["BLOCK"])](
        matrix, gain_re, gain_im, delays.double().contiguous(), inputs, outputs, *s, *adjoints, h,
        n_fft, bins, **shape, KEEP=keep, DTYPE=tl.float64 if wide else tl.float32,
    )  # fmt: skip
    if keep:
        ctx.saved = (matrix, gain_re, gain_im, outputs, s, adjoints, n_fft, shape)
    ctx.delay_dtype = delays.dtype
    return torch.view_as_complex(h)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the five tensors from the one of H."""
    matrix, gain_re, gain_im, outputs, s, adjoints, n_fft, shape = ctx.saved
    batch, n, n_in, n_out = matrix.shape[0], shape["N"], shape["INS"], shape["OUTS"]
    bins, dtype = n_fft // 2 + 1, matrix.dtype
    chunks = launching.blocks(bins, shape["BLOCK"])
    room: dict[str, Any] = {"dtype": dtype, "device": matrix.device}
    parts = torch.empty((batch, chunks, n, n + 2 + n_in + n_out), **room)
    d_gain = torch.empty((batch, n, bins, 2) if shape["PER_BIN"] else (1,), **room)
    g = torch.view_as_real(grad.resolve_conj()).to(dtype).contiguous()
    _adjoint[batch, chunks](
        matrix, gain_re, gain_im, outputs, *s, *adjoints, g, parts, d_gain, bins, chunks, **shape,
        DTYPE=tl.float64 if dtype == torch.float64 else tl.float32,
    )  # fmt: skip
    sums = parts.sum(1, dtype=torch.float64).to(dtype)
    return (
        sums[..., :n],
        torch.view_as_complex(d_gain) if shape["PER_BIN"] else sums[..., n],
        (sums[..., n + 1].double() * (2 * math.pi / n_fft)).to(ctx.delay_dtype),
        sums[..., n + 2 : n + 2 + n_in],
        sums[..., n + 2 + n_in :].transpose(1, 2),
    )


class _FrequencyResponse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, n_fft: int, *tensors: Tensor) -> Tensor:
        return _forward(ctx, tensors, n_fft)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, *_backward(ctx, grad)


def response(
    feedback_matrix: Tensor,
    loop_gain: Tensor,
    delays_samples: Tensor,
    input_gains: Tensor,
    output_gains: Tensor,
    n_fft: int,
) -> Tensor:
    """Frequency response (B,O,I,K); see `fdnlearn.kernels` for shapes."""
    tensors = (feedback_matrix, loop_gain, delays_samples, input_gains, output_gains)
    result: Tensor = _FrequencyResponse.apply(n_fft, *tensors)
    return result


def impulse_response(
    feedback_matrix: Tensor,
    loop_gain: Tensor,
    delays_samples: Tensor,
    input_gains: Tensor,
    output_gains: Tensor,
    direct_gains: Tensor,
    n_fft: int,
) -> Tensor:
    """Periodic impulse response (B,O,I,n_fft); see `fdnlearn.kernels` for shapes."""
    spectrum = response(feedback_matrix, loop_gain, delays_samples, input_gains, output_gains, n_fft)
    h: Tensor = torch.fft.irfft(spectrum + direct_gains[..., None], n=n_fft)
    return h


@functools.cache
def trusted(device: str = "cuda") -> bool:
    """Whether the kernel runs on a device and gives there what the reference gives: tried once, on a small network."""
    from fdnlearn.kernels import reference

    generator = torch.Generator().manual_seed(0)
    matrix = torch.linalg.qr(torch.randn(1, 6, 6, generator=generator, dtype=torch.float64))[0]
    gains = torch.rand(3, 1, 6, generator=generator, dtype=torch.float64)
    shaped = (0.9 * gains[0], 2 + 60 * gains[1], gains[2][..., None], gains[0][:, None] - 0.5)
    kernels: tuple[tuple[Any, torch.dtype], ...] = (
        (response, torch.float32),
        (reference.response, torch.float64),
    )
    found = []
    try:
        for kernel, dtype in kernels:
            free = [x.to(device, dtype).requires_grad_() for x in (matrix, *shaped)]
            h = kernel(*free, 400)
            slopes = torch.autograd.grad(h.abs().square().sum(), free)
            found.append([x.detach().cpu().to(torch.complex128) for x in (h, *slopes)])
    # Whatever a driver or compiler says: it does not work here.
    except Exception:
        return False
    return all(float((a - b).norm() / b.norm()) < 1e-4 for a, b in zip(*found, strict=True))
