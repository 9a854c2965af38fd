"""Soft echo density on the GPU: the profile, and the gradient of its squared distance, in Triton.

As on the CPU (`fdnlearn.ops.echo.cpu`) no unfolded matrix is made. The gradient is gathered, not scattered: a sample
looks at the frames it lies in, so that nothing is added by two programs at once and equal runs give equal bytes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.ops import launching
from fdnlearn.ops.echo import GAUSSIAN_NORM, EchoDensitySettings, EchoTarget, mean_square
from fdnlearn.ops.launching import jit
from fdnlearn.ops.launching import language as tl

NORM = tl.constexpr(GAUSSIAN_NORM)
TINY = tl.constexpr(1e-20)
#: Beyond this a sigmoid is zero in single precision; its exponential must not overflow.
MOST = tl.constexpr(80.0)


@jit
def _profile(
    h, window, steepness, eta, sigma, pull,
    length, frames, width, hop,
    BLOCK: tl.constexpr, TILE: tl.constexpr, INVARIANT: tl.constexpr, KEEP: tl.constexpr,
):  # fmt: skip
    """Profile, local rms and derivative of the profile by the rms, each (rows, frames), of h (rows, length)."""
    row = tl.program_id(0).to(tl.int64)
    f = tl.program_id(1).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = f < frames
    # Summed over the tiles of a window first and over a tile at the end. Of the window's type, the signal's.
    none = tl.load(steepness + f, mask=there, other=0.0)[:, None] * tl.zeros((1, TILE), tl.float32)
    power = none
    for first in range(0, width, TILE):
        t = first + tl.arange(0, TILE)
        weight = tl.load(window + t, mask=t < width, other=0.0)[None, :]
        inside = there[:, None] & (t < width)[None, :]
        x = tl.load(h + row * length + (f * hop)[:, None] + t[None, :], mask=inside, other=0.0)
        power += weight * x * x
    level = tl.sqrt(tl.sum(power, axis=1) + TINY)
    slope = tl.load(steepness + f, mask=there, other=1.0)
    if INVARIANT:
        slope = slope / level
    total = none
    moved = none
    for first in range(0, width, TILE):
        t = first + tl.arange(0, TILE)
        weight = tl.load(window + t, mask=t < width, other=0.0)[None, :]
        inside = there[:, None] & (t < width)[None, :]
        x = tl.abs(tl.load(h + row * length + (f * hop)[:, None] + t[None, :], mask=inside, other=0.0))
        share = 1.0 / (1.0 + tl.exp(tl.minimum(slope[:, None] * (level[:, None] - x), MOST)))
        total += weight * share
        if KEEP:
            q = weight * share * (1.0 - share)
            # The threshold moves, and with it (if invariant) the steepness.
            moved += q * x / level[:, None] if INVARIANT else q
    at = row * frames + f
    tl.store(eta + at, tl.sum(total, axis=1) * NORM, mask=there)
    if KEEP:
        tl.store(sigma + at, level, mask=there)
        tl.store(pull + at, tl.sum(moved, axis=1), mask=there)


@jit
def _gradient(
    h, window, steepness, outer, sigma, pull, grad,
    length, frames, width, hop, overlap,
    BLOCK: tl.constexpr, INVARIANT: tl.constexpr,
):  # fmt: skip
    """Gradient (rows, length) of a loss whose derivative by the profile is `outer` (rows, frames)."""
    row = tl.program_id(0).to(tl.int64)
    n = tl.program_id(1).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = n < length
    x = tl.load(h + row * length + n, mask=there, other=0.0)
    size = tl.abs(x)
    last = n // hop
    total = x * 0.0
    for back in range(0, overlap):
        f = last - back
        t = n - f * hop
        inside = there & (f >= 0) & (f < frames) & (t < width)
        at = row * frames + f
        weight = tl.load(window + t, mask=inside, other=0.0)
        level = tl.load(sigma + at, mask=inside, other=1.0)
        slope = tl.load(steepness + f, mask=inside, other=0.0)
        if INVARIANT:
            slope = slope / level
        share = 1.0 / (1.0 + tl.exp(tl.minimum(slope * (level - size), MOST)))
        q = share * (1.0 - share)
        by_rms = tl.load(pull + at, mask=inside, other=0.0) / level
        force = tl.load(outer + at, mask=inside, other=0.0) * slope * NORM
        total += force * weight * (tl.where(x > 0, q, -q) - by_rms * x)
    tl.store(grad + row * length + n, total, mask=there)


class _Profile(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, how: EchoDensitySettings) -> Tensor:
        rows = h.detach().reshape(-1, h.shape[-1]).contiguous()
        window, steepness = how.tensors(h.device, h.dtype)
        frames, width = steepness.shape[0], window.shape[0]
        keep = ctx.needs_input_grad[0]
        eta, sigma, pull = rows.new_empty((3, rows.shape[0], frames))
        size = launching.block(16)
        _profile[rows.shape[0], launching.blocks(frames, size)](
            rows, window, steepness, eta, sigma, pull, rows.shape[1], frames, width, how.hop,
            BLOCK=size, TILE=64, INVARIANT=how.invariant, KEEP=keep,
        )  # fmt: skip
        ctx.saved = (rows, window, steepness, sigma, pull, how, h.shape) if keep else None
        density: Tensor = eta.reshape(*h.shape[:-1], frames)
        return density

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rows, window, steepness, sigma, pull, how, shape = ctx.saved
        frames, width = steepness.shape[0], window.shape[0]
        outer = grad.reshape(-1, frames).contiguous()
        d_h = torch.empty_like(rows)
        size = launching.block(256)
        _gradient[rows.shape[0], launching.blocks(rows.shape[1], size)](
            rows, window, steepness, outer, sigma, pull, d_h, rows.shape[1], frames, width, how.hop,
            launching.blocks(width, how.hop), BLOCK=size, INVARIANT=how.invariant,
        )  # fmt: skip
        return d_h.reshape(shape), None


@shapes_checked
def profile(h: Float[Tensor, "*batch samples"], how: EchoDensitySettings) -> Float[Tensor, "*batch frames"]:
    """Soft echo density (..., frames) of responses (..., n); see `fdnlearn.ops.echo`."""
    density: Tensor = _Profile.apply(h.detach(), how)
    return density


@shapes_checked
def distance(
    h: Float[Tensor, "*batch channels samples"], target: EchoTarget
) -> Float[Tensor, "*batch channels"]:
    """Mean square difference (..., channels) from a target's profile; see `fdnlearn.ops.echo`."""
    return mean_square(_Profile.apply(h, target.how), target)
