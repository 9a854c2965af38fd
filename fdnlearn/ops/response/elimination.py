"""The CPU kernel: response of a feedback delay network on all bins, and its adjoint, in Numba.

With the delays on the diagonal the line outputs s solve ``M s = b``, ``M = diag(e^{+jwm}) - U diag(F)``, and
the adjoint ``M^T l = c^T`` gives every gradient as a product of s and l:

    dH/dU_ij = l_i F_j s_j      dH/dF_j = (U^T l)_j s_j      dH/db_i = l_i      dH/dc_i = s_i
    dH/dm_i  = -jw e^{jwm_i} l_i s_i = -jw (c_i + F_i (U^T l)_i) s_i

M is ``(I - U G)`` with unit-modulus column scaling, whose Hermitian part is positive definite because
``|U G| < 1``: elimination needs no pivoting, so all bins of a lane take the same steps. One factorisation
a bin serves forward and backward.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from fdnlearn.base.jit import FAST, jit
from fdnlearn.base.parallel import parallel
from fdnlearn.ops.response.lanes import LANES, subtract_dot, subtract_dot_scale

#: Bins reduced together by one unit of parallel work in the backward pass.
BACKWARD_CHUNK = 512


@jit()
def phase(delay, k, n_fft):
    """Angle of ``exp(+2j pi k delay / n_fft)``: it reaches thousands of radians, so whole turns go exactly."""
    whole = math.floor(delay)
    return 2 * math.pi * (((int(whole) * k) % n_fft + (delay - whole) * k) / n_fft)


@jit(fastmath=FAST, error_model="numpy")
def rotations(delays, n_fft):
    """Cosines and sines (B,N,LANES) of the phases at the first bins: from those of a lane's first bin to all of it."""
    batch, n = delays.shape
    rot_re = np.empty((batch, n, LANES))
    rot_im = np.empty((batch, n, LANES))
    for bt in range(batch):
        for i in range(n):
            for k in range(LANES):
                angle = phase(delays[bt, i], k, n_fft)
                rot_re[bt, i, k] = math.cos(angle)
                rot_im[bt, i, k] = math.sin(angle)
    return rot_re, rot_im


@parallel(fastmath=FAST, error_model="numpy")
def solve(
    first, stop, matrix, gain_re, gain_im, delays, rot_re, rot_im, inputs, outputs, n_fft,
    s_re, s_im, l_re, l_im, h,
):  # fmt: skip
    """Fill line outputs s (B,I,N,K'), adjoints l (B,O,N,K') and responses h (B,O,I,K), complex.

    K' is K padded to whole lanes; `gain` is (B,N,1) where a line's loop gain is the same at all bins, else
    (B,N,K'). The arithmetic runs in the type of `matrix`, the results are stored in their own; s and l are kept
    only where they have room for lines. There are ``B K' / LANES`` lanes of bins.
    """
    n = delays.shape[1]
    n_in, n_out = inputs.shape[2], outputs.shape[1]
    padded = s_re.shape[3]
    lanes = padded // LANES
    flat = gain_re.shape[2] == 1
    a_re = np.empty((n * n, LANES), matrix.dtype)
    a_im = np.empty((n * n, LANES), matrix.dtype)
    v_re = np.empty((n, LANES), matrix.dtype)
    v_im = np.empty((n, LANES), matrix.dtype)
    x_re = np.empty(LANES, matrix.dtype)
    x_im = np.empty(LANES, matrix.dtype)
    for work in range(first, stop):
        bt = work // lanes
        k0 = (work % lanes) * LANES
        for i in range(n):
            for j in range(n):
                at = i * n + j
                u = -matrix[bt, i, j]
                if flat:
                    x = u * gain_re[bt, j, 0]
                    for k in range(LANES):
                        a_re[at, k] = x
                        a_im[at, k] = 0
                else:
                    for k in range(LANES):
                        a_re[at, k] = u * gain_re[bt, j, k0 + k]
                        a_im[at, k] = u * gain_im[bt, j, k0 + k]
            angle = phase(delays[bt, i], k0, n_fft)
            x, y = math.cos(angle), math.sin(angle)
            at = i * n + i
            for k in range(LANES):
                a_re[at, k] += x * rot_re[bt, i, k] - y * rot_im[bt, i, k]
                a_im[at, k] += y * rot_re[bt, i, k] + x * rot_im[bt, i, k]
        for i in range(n):
            for j in range(i):
                subtract_dot_scale(
                    a_re, a_im, (i * n + j) * LANES,
                    a_re, a_im, i * n * LANES, LANES,
                    a_re, a_im, j * LANES, n * LANES, j,
                    a_re, a_im, (j * n + j) * LANES,
                )  # fmt: skip
            for j in range(i, n):
                subtract_dot(
                    a_re, a_im, (i * n + j) * LANES,
                    a_re, a_im, i * n * LANES, LANES,
                    a_re, a_im, j * LANES, n * LANES, i,
                )  # fmt: skip
            at = i * n + i
            for k in range(LANES):
                d = 1 / (a_re[at, k] * a_re[at, k] + a_im[at, k] * a_im[at, k])
                a_re[at, k] *= d
                a_im[at, k] *= -d
        for q in range(n_in):
            for i in range(n):
                for k in range(LANES):
                    v_re[i, k] = inputs[bt, i, q]
                    v_im[i, k] = 0
                subtract_dot(v_re, v_im, i * LANES, a_re, a_im, i * n * LANES, LANES, v_re, v_im, 0, LANES, i)
            for i in range(n - 1, -1, -1):
                subtract_dot_scale(
                    v_re, v_im, i * LANES,
                    a_re, a_im, (i * n + i + 1) * LANES, LANES,
                    v_re, v_im, (i + 1) * LANES, LANES, n - 1 - i,
                    a_re, a_im, (i * n + i) * LANES,
                )  # fmt: skip
            for i in range(s_re.shape[2]):
                for k in range(LANES):
                    s_re[bt, q, i, k0 + k] = v_re[i, k]
                    s_im[bt, q, i, k0 + k] = v_im[i, k]
            for o in range(n_out):
                for k in range(LANES):
                    x_re[k] = 0
                    x_im[k] = 0
                for i in range(n):
                    for k in range(LANES):
                        x_re[k] += outputs[bt, o, i] * v_re[i, k]
                        x_im[k] += outputs[bt, o, i] * v_im[i, k]
                for k in range(min(LANES, h.shape[3] - k0)):
                    h[bt, o, q, k0 + k] = complex(x_re[k], x_im[k])
        for o in range(l_re.shape[1]):
            for i in range(n):
                for k in range(LANES):
                    v_re[i, k] = outputs[bt, o, i]
                    v_im[i, k] = 0
                subtract_dot_scale(
                    v_re, v_im, i * LANES,
                    a_re, a_im, i * LANES, n * LANES,
                    v_re, v_im, 0, LANES, i,
                    a_re, a_im, (i * n + i) * LANES,
                )  # fmt: skip
            for i in range(n - 1, -1, -1):
                subtract_dot(
                    v_re, v_im, i * LANES,
                    a_re, a_im, ((i + 1) * n + i) * LANES, n * LANES,
                    v_re, v_im, (i + 1) * LANES, LANES, n - 1 - i,
                )  # fmt: skip
            for i in range(n):
                for k in range(LANES):
                    l_re[bt, o, i, k0 + k] = v_re[i, k]
                    l_im[bt, o, i, k0 + k] = v_im[i, k]


# Numba's own parallel loop, whose body LLVM optimises again and again: here the code is a third faster for it, and sums
# keep the order that fits have always had.
@jit(parallel=True, fastmath=FAST, error_model="numpy")
def adjoint(matrix, gain_re, gain_im, outputs, n_fft, s_re, s_im, l_re, l_im, g, parts, d_gain):
    """Reduce the gradient g (B,O,I,K) of a loss with respect to h to per-chunk sums.

    `parts` is (B, chunks, N, N + 2 + I + O), float64: the columns are dU, dF (flat gain only), dm, db and dc.
    `d_gain` is (B,N,K) where the loop gain is per bin, else unused. Fixed-order sums: the caller adds the chunks.
    """
    batch, n_in, n, _ = s_re.shape
    n_out = outputs.shape[1]
    bins = g.shape[3]
    chunks = parts.shape[1]
    flat = gain_re.shape[2] == 1
    for work in numba.prange(batch * chunks):
        bt = work // chunks
        ch = work % chunks
        k0 = ch * BACKWARD_CHUNK
        count = min(BACKWARD_CHUNK, bins - k0)
        w_re = np.empty((n, BACKWARD_CHUNK), s_re.dtype)
        w_im = np.empty((n, BACKWARD_CHUNK), s_re.dtype)
        g_re = np.empty((n_out, BACKWARD_CHUNK), s_re.dtype)
        g_im = np.empty((n_out, BACKWARD_CHUNK), s_re.dtype)
        x_re = np.empty(BACKWARD_CHUNK, s_re.dtype)
        x_im = np.empty(BACKWARD_CHUNK, s_re.dtype)
        v_re = np.empty(BACKWARD_CHUNK, s_re.dtype)
        v_im = np.empty(BACKWARD_CHUNK, s_re.dtype)
        for i in range(n):
            for j in range(n + 2 + n_in + n_out):
                parts[bt, ch, i, j] = 0
        for q in range(n_in):
            for o in range(n_out):
                for k in range(count):
                    g_re[o, k] = g[bt, o, q, k0 + k].real
                    g_im[o, k] = -g[bt, o, q, k0 + k].imag
            for i in range(n):  # w = sum_o l_o conj(g_o)
                for k in range(count):
                    w_re[i, k] = 0
                    w_im[i, k] = 0
                for o in range(n_out):
                    for k in range(count):
                        w_re[i, k] += (
                            l_re[bt, o, i, k0 + k] * g_re[o, k] - l_im[bt, o, i, k0 + k] * g_im[o, k]
                        )
                        w_im[i, k] += (
                            l_re[bt, o, i, k0 + k] * g_im[o, k] + l_im[bt, o, i, k0 + k] * g_re[o, k]
                        )
                total = s_re.dtype.type(0)
                for k in range(count):
                    total += w_re[i, k]
                parts[bt, ch, i, n + 2 + q] += total
            for j in range(n):
                # x = F_j s_j, then dU_ij = sum_k Re(w_i x_j) and v = (U^T w)_j
                if flat:
                    f = gain_re[bt, j, 0]
                    for k in range(count):
                        x_re[k] = f * s_re[bt, q, j, k0 + k]
                        x_im[k] = f * s_im[bt, q, j, k0 + k]
                else:
                    for k in range(count):
                        a = gain_re[bt, j, k0 + k]
                        b = gain_im[bt, j, k0 + k]
                        x_re[k] = a * s_re[bt, q, j, k0 + k] - b * s_im[bt, q, j, k0 + k]
                        x_im[k] = a * s_im[bt, q, j, k0 + k] + b * s_re[bt, q, j, k0 + k]
                for k in range(count):
                    v_re[k] = 0
                    v_im[k] = 0
                for i in range(n):
                    u = matrix[bt, i, j]
                    total = s_re.dtype.type(0)
                    for k in range(count):
                        total += w_re[i, k] * x_re[k] - w_im[i, k] * x_im[k]
                    for k in range(count):
                        v_re[k] += u * w_re[i, k]
                        v_im[k] += u * w_im[i, k]
                    parts[bt, ch, i, j] += total
                # dF_j = v s_j, and dm_j = Re(-jw (c_j conj(g) + F_j v) s_j)
                total = s_re.dtype.type(0)
                moment = s_re.dtype.type(0)
                for k in range(count):
                    total += v_re[k] * s_re[bt, q, j, k0 + k] - v_im[k] * s_im[bt, q, j, k0 + k]
                    moment += (k0 + k) * (v_re[k] * x_im[k] + v_im[k] * x_re[k])
                parts[bt, ch, j, n] += total
                if not flat:
                    for k in range(count):
                        re = s_re[bt, q, j, k0 + k]
                        im = s_im[bt, q, j, k0 + k]
                        z = complex(v_re[k] * re - v_im[k] * im, -(v_re[k] * im + v_im[k] * re))
                        d_gain[bt, j, k0 + k] = z if q == 0 else d_gain[bt, j, k0 + k] + z
                for o in range(n_out):
                    total = s_re.dtype.type(0)
                    turn = s_re.dtype.type(0)
                    for k in range(count):
                        re = s_re[bt, q, j, k0 + k]
                        im = s_im[bt, q, j, k0 + k]
                        total += re * g_re[o, k] - im * g_im[o, k]
                        turn += (k0 + k) * (re * g_im[o, k] + im * g_re[o, k])
                    parts[bt, ch, j, n + 2 + n_in + o] += total
                    moment += outputs[bt, o, j] * turn
                parts[bt, ch, j, n + 1] += moment * (2 * math.pi / n_fft)
