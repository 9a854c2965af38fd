"""Responses of sections on the CPU, and the way back to their coefficients.

Loop filters are smooth: their responses are computed on a grid that has every bin at low frequencies and 128 points an
octave above, and interpolated linearly in between, which leaves an error below 2e-5 and costs less than the solve
that needs them. What a fit hands over is computed without the grid.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.parallel import parallel
from fdnlearn.base.types import Array, Complex, Complex128, Float, Float64, Int64, shapes_checked

#: Grid points an octave, and bins from 0 up that are all grid points.
DENSITY = 128


@shapes_checked
@dataclass(frozen=True, eq=False)
class Grid:
    """Grid bins (M,), their powers ``z^-1`` (M,), and for every bin (K,) the point below and the share of the next."""

    bins: Int64[Array, " points"]
    powers: Complex128[Array, " points"]
    below: Int64[Array, " bins"]
    share: Float64[Array, " bins"]


@functools.lru_cache(maxsize=16)
def grid_for(n_fft: int) -> Grid:
    """Grid for ``n_fft // 2 + 1`` bins."""
    last = n_fft // 2
    octaves = max(0.0, np.log2(max(last, 1) / DENSITY))
    upper = DENSITY * 2.0 ** np.linspace(0.0, octaves, int(np.ceil(octaves * DENSITY)) + 1)
    bins = np.unique(
        np.concatenate((np.arange(min(DENSITY, last) + 1), np.round(upper), [last])).astype(np.int64)
    )
    bins = bins[bins <= last]
    k = np.arange(last + 1)
    below = np.minimum(np.searchsorted(bins, k, side="right") - 1, len(bins) - 2)
    share = (k - bins[below]) / (bins[below + 1] - bins[below])
    return Grid(bins, np.exp(-2j * np.pi * bins / n_fft), below, share)


@parallel()
def respond(first, stop, gains, sos, powers, grid, below, share, re, im):
    """``re + i im`` (R, K) of gains (R,) and sections (R, S, 6), through their values `grid` (R, M), also kept."""
    sections = sos.shape[1]
    for r in range(first, stop):
        for j in range(powers.shape[0]):
            z1 = powers[j]
            z2 = z1 * z1
            value = complex(gains[r], 0.0)
            for s in range(sections):
                value *= (sos[r, s, 0] + sos[r, s, 1] * z1 + sos[r, s, 2] * z2) / (
                    1.0 + sos[r, s, 4] * z1 + sos[r, s, 5] * z2
                )
            grid[r, j] = value
        for k in range(below.shape[0]):
            one, two = grid[r, below[k]], grid[r, below[k] + 1]
            re[r, k] = one.real + share[k] * (two.real - one.real)
            im[r, k] = one.imag + share[k] * (two.imag - one.imag)


@parallel()
def pull_back(first, stop, gains, sos, powers, grid, below, share, g, d_gains, d_sos):
    """From the gradient `g` (R, K, complex) of a loss with respect to the responses to those of gains and sections."""
    sections = sos.shape[1]
    for r in range(first, stop):
        gathered = np.zeros(powers.shape[0], np.complex128)
        for k in range(below.shape[0]):
            one, weight = complex(g[r, k]), share[k]
            gathered[below[k]] += (1.0 - weight) * one
            gathered[below[k] + 1] += weight * one
        total = 0.0
        for s in range(sections):
            for c in range(6):
                d_sos[r, s, c] = 0.0
        for j in range(powers.shape[0]):
            z1 = powers[j]
            z2 = z1 * z1
            # d loss = Re(conj(g) dG) with dG = G db z^-p / B or -G da z^-p / A
            pull = gathered[j].conjugate() * grid[r, j]
            total += pull.real
            for s in range(sections):
                up = pull / (sos[r, s, 0] + sos[r, s, 1] * z1 + sos[r, s, 2] * z2)
                down = pull / (1.0 + sos[r, s, 4] * z1 + sos[r, s, 5] * z2)
                d_sos[r, s, 0] += up.real
                d_sos[r, s, 1] += (up * z1).real
                d_sos[r, s, 2] += (up * z2).real
                d_sos[r, s, 4] -= (down * z1).real
                d_sos[r, s, 5] -= (down * z2).real
        d_gains[r] = total / gains[r]


class _Response(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gains: Tensor, sos: Tensor, n_fft: int, dtype: torch.dtype) -> Tensor:
        grid = grid_for(n_fft)
        g = np.ascontiguousarray(gains.detach().numpy(), np.float64).reshape(-1)
        c = np.ascontiguousarray(sos.detach().numpy(), np.float64).reshape(g.size, -1, 6)
        values = np.empty((g.size, grid.bins.size), np.complex128)
        out = torch.empty(*gains.shape, n_fft // 2 + 1, dtype=dtype)
        parts = torch.view_as_real(out).numpy().reshape(g.size, -1, 2)
        respond(g.size, g, c, grid.powers, values, grid.below, grid.share, parts[..., 0], parts[..., 1])
        ctx.saved, ctx.kinds = (g, c, values, grid), (gains, sos)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        g, c, values, grid = ctx.saved
        d_gains, d_sos = np.empty_like(g), np.empty_like(c)
        rows = np.ascontiguousarray(grad.resolve_conj().numpy()).reshape(g.size, -1)
        pull_back(g.size, g, c, grid.powers, values, grid.below, grid.share, rows, d_gains, d_sos)
        gains, sos = ctx.kinds
        return (
            torch.from_numpy(d_gains).reshape(gains.shape).to(gains.dtype),
            torch.from_numpy(d_sos).reshape(sos.shape).to(sos.dtype),
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
