"""The kernels of the response in Triton: solve every bin's system, and pull back. `cuda` launches them.

The mathematics is that of `elimination`. A program takes one network and a block of bins and holds the whole
system of each bin in registers, as a tensor (lines, lines, bins): a row or column of it is a masked sum, so nothing is
ever indexed, and Gauss-Jordan elimination without pivoting turns it into its inverse in place. That inverse times the
input gains gives the line outputs, its transpose times the output gives the adjoints; the backward kernel only
multiplies and sums. Up to eight lines a thread holds the systems of its bins alone, and with the elimination unrolled
the masks are gone when the kernel is compiled: what is left are the multiplications and sums of the algorithm.
"""

from __future__ import annotations

from fdnlearn.ops.launching import jit
from fdnlearn.ops.launching import language as tl

TURN = tl.constexpr(6.283185307179586)


@jit
def _rotation(delays, k, n_fft, DTYPE: tl.constexpr):
    """Cosine and sine (lines, bins) of ``2 pi k m / n_fft``.

    In double whole turns go exactly, in integers; for single precision those of a product in double are exact enough.
    """
    if tl.float32 == DTYPE:
        turns = delays[:, None] * (k.to(tl.float64) / n_fft)[None, :]
        cos, sin = _circle((turns - tl.floor(turns + 0.5)).to(tl.float32))
    else:
        whole = tl.floor(delays)
        steps = (whole.to(tl.int64)[:, None] * k[None, :]) % n_fft
        turns = (steps.to(tl.float64) + (delays - whole)[:, None] * k[None, :].to(tl.float64)) / n_fft
        angle = (turns - tl.floor(turns)) * TURN
        cos = tl.cos(angle)
        sin = tl.sin(angle)
    return cos, sin


@jit
def _circle(turns):
    """Cosine and sine of -1/2 to 1/2 turns, in single precision: Taylor series within an eighth of a turn.

    Those of the language reduce any angle and carry the code for huge ones along, in every line.
    """
    quarters = tl.floor(4.0 * turns + 0.5)
    x = (turns - 0.25 * quarters) * TURN
    x2 = x * x
    cos = 1.0 + x2 * (-0.5 + x2 * (1.0 / 24 + x2 * (-1.0 / 720 + x2 * (1.0 / 40320))))
    sin = x * (1.0 + x2 * (-1.0 / 6 + x2 * (1.0 / 120 + x2 * (-1.0 / 5040 + x2 * (1.0 / 362880)))))
    odd = (quarters == 1.0) | (quarters == -1.0)
    far = (quarters == 2.0) | (quarters == -2.0)
    side = tl.where(quarters < 0, -1.0, 1.0)
    turned_cos = tl.where(odd, -side * sin, tl.where(far, -cos, cos))
    turned_sin = tl.where(odd, side * cos, tl.where(far, -sin, sin))
    return turned_cos, turned_sin


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
def _pivot(a_re, a_im, lines, p, inside):
    """One step of Gauss-Jordan elimination: row p over its pivot, off all others, the inverse growing in its place.

    What a mask leaves out is -0.0, which a sum may drop: where p is a constant and a thread holds whole systems,
    nothing is left of masks and sums but the element that they mean.
    """
    at_row = (lines == p)[:, None, None]
    at_column = (lines == p)[None, :, None]
    here = (lines == p)[:, None]
    row_re = tl.sum(tl.where(at_row, a_re, -0.0), axis=0)
    row_im = tl.sum(tl.where(at_row, a_im, -0.0), axis=0)
    y_re = tl.sum(tl.where(at_column, a_re, -0.0), axis=1)[:, None, :]
    y_im = tl.sum(tl.where(at_column, a_im, -0.0), axis=1)[:, None, :]
    d_re = tl.sum(tl.where(here, row_re, -0.0), axis=0)
    d_im = tl.sum(tl.where(here, row_im, -0.0), axis=0)
    size = 1.0 / (d_re * d_re + d_im * d_im)
    e_re = (d_re * size)[None, :]
    e_im = (-d_im * size)[None, :]
    # The row over the pivot, the pivot itself becoming its inverse.
    x_re = tl.where(here, e_re, row_re * e_re - row_im * e_im)[None]
    x_im = tl.where(here, e_im, row_re * e_im + row_im * e_re)[None]
    kept_re = tl.where(at_column, 0.0, a_re)
    kept_im = tl.where(at_column, 0.0, a_im)
    # In this order every product is fused with a sum.
    next_re = tl.where(at_row, x_re, (kept_re - y_re * x_re) + y_im * x_im)
    next_im = tl.where(at_row, x_im, (kept_im - y_re * x_im) - y_im * x_re)
    return tl.where(inside, next_re, a_re), tl.where(inside, next_im, a_im)


@jit
def _solve(
    matrix, gain_re, gain_im, delays, inputs, outputs, wide, s_re, s_im, l_re, l_im, h,
    n_fft, bins,
    N: tl.constexpr, LINES: tl.constexpr, INS: tl.constexpr, OUTS: tl.constexpr, BLOCK: tl.constexpr,
    PER_BIN: tl.constexpr, KEEP: tl.constexpr, DTYPE: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """Line outputs s (B,I,N,K), adjoints l (B,O,N,K) and responses h (B,O,I,K,2); s and l only if KEEP.

    `LINES` is N padded to a power of two: the system of the padding is the identity. Networks whose `wide` (B,) says
    other than DTYPE are left to another launch.
    """
    b = tl.program_id(0).to(tl.int64)
    if (tl.load(wide + b) > 0) != (tl.float64 == DTYPE):
        return
    k = tl.program_id(1).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    lines = tl.arange(0, LINES)
    valid = lines < N
    there = valid[:, None] & (k < bins)[None, :]
    m = tl.load(delays + b * N + lines, mask=valid, other=0.0)
    cos, sin = _rotation(m, k, n_fft, DTYPE)
    f_re, f_im = _gain(gain_re, gain_im, b, lines, k, there, N, bins, PER_BIN, DTYPE)
    square = valid[:, None] & valid[None, :]
    u = tl.load(matrix + b * N * N + lines[:, None] * N + lines[None, :], mask=square, other=0.0).to(DTYPE)
    inside = square[:, :, None]
    diagonal = (lines[:, None] == lines[None, :])[:, :, None]
    a_re = tl.where(diagonal, cos[:, None, :], 0.0) - u[:, :, None] * f_re[None, :, :]
    a_im = tl.where(diagonal, sin[:, None, :], 0.0) - u[:, :, None] * f_im[None, :, :]
    a_re = tl.where(inside, a_re, tl.where(diagonal, 1.0, 0.0).to(DTYPE))
    a_im = tl.where(inside, a_im, 0.0)
    if UNROLL:
        for p in tl.static_range(N):
            a_re, a_im = _pivot(a_re, a_im, lines, p, inside)
    else:
        for p in range(N):
            a_re, a_im = _pivot(a_re, a_im, lines, p, inside)
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
