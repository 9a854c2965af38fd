"""Soft echo density on the CPU and the gradient of its squared distance, frame by frame, without unfolding."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.jit import FAST, KERNEL_LOCK, jit
from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.ops.echo import GAUSSIAN_NORM, EchoDensitySettings, EchoTarget, mean_square
from fdnlearn.ops.fastmath import exp

#: Frames are cut into this many runs, whatever the number of threads, so that sums keep one order.
RUNS = 8

#: Empty samples around scratch buffers. LLVM guards a loop that stores by comparing addresses, with some slack; where
#: another array happened to lie next to the buffer, the guarded loop rounded otherwise and equal runs differed.
GUARD = 512


@jit(parallel=True, fastmath=FAST, error_model="numpy")
def _profile(h, window, steepness, invariant, hop, eta):
    """eta[r, f] of Eq. "soft echo density"; `steepness` per frame, relative to the local rms if `invariant`."""
    rows, frames = eta.shape
    width = window.shape[0]
    one = h.dtype.type(1)
    tiny = h.dtype.type(1e-20)
    for work in numba.prange(rows * frames):
        r = work // frames
        f = work % frames
        x = h[r, f * hop : f * hop + width]
        power = h.dtype.type(0)
        for t in range(width):
            power += window[t] * x[t] * x[t]
        sigma = h.dtype.type(math.sqrt(power + tiny))
        slope = steepness[f] / sigma if invariant else steepness[f]
        total = h.dtype.type(0)
        for t in range(width):
            total += window[t] / (one + exp(slope * (sigma - abs(x[t]))))
        eta[r, f] = h.dtype.type(GAUSSIAN_NORM) * total


@jit(parallel=True, fastmath=FAST, error_model="numpy")
def _distance(h, window, steepness, invariant, hop, target, weight, errors, partial):
    """Squared distance to `target` (channels, frames) and its gradient, in one pass.

    Row r of `h` is compared with target row ``r % channels``, whose frames count with the row of `weight`.
    `errors` (rows, RUNS) receives the sums and `partial` (rows, RUNS, GUARD + run * hop + width + GUARD) the gradients,
    overlapping at the seams.
    """
    rows = h.shape[0]
    channels, frames = target.shape
    width = window.shape[0]
    run = -(-frames // RUNS)
    one = h.dtype.type(1)
    norm = h.dtype.type(GAUSSIAN_NORM)
    tiny = h.dtype.type(1e-20)
    for work in numba.prange(rows * RUNS):
        r = work // RUNS
        part = work % RUNS
        origin = part * run * hop
        share = np.empty(width + 2 * GUARD, h.dtype)[GUARD : GUARD + width]
        grad = partial[r, part, GUARD : partial.shape[2] - GUARD]
        for t in range(grad.shape[0]):
            grad[t] = 0
        error = 0.0
        for f in range(part * run, min((part + 1) * run, frames)):
            o = f * hop
            # Slices, not h[r, o + t]: for a sum of indices the compiler allows for negative ones, and then guards
            # its vector code by a comparison of addresses that may fail, which would round differently.
            x = h[r, o : o + width]
            slopes = grad[o - origin : o - origin + width]
            power = h.dtype.type(0)
            for t in range(width):
                power += window[t] * x[t] * x[t]
            sigma = h.dtype.type(math.sqrt(power + tiny))
            slope = steepness[f] / sigma if invariant else steepness[f]
            for t in range(width):
                share[t] = one / (one + exp(slope * (sigma - abs(x[t]))))
            eta = h.dtype.type(0)
            pull = h.dtype.type(0)
            for t in range(width):
                q = window[t] * share[t] * (one - share[t])
                eta += window[t] * share[t]
                # d eta / d sigma: the threshold moves, and with it (if invariant) the steepness.
                pull += q * (abs(x[t]) / sigma if invariant else one)
            eta *= norm
            miss = eta - target[r % channels, f]
            error += weight[r % channels, f] * miss * miss
            outer = h.dtype.type(2 * weight[r % channels, f]) * miss * norm * slope
            pull = outer * pull / sigma
            for t in range(width):
                q = outer * (share[t] * (one - share[t]))
                slopes[t] += window[t] * ((q if x[t] > 0 else -q) - pull * x[t])
        errors[r, part] = error


@shapes_checked
def profile(h: Float[Tensor, "*batch samples"], how: EchoDensitySettings) -> Float[Tensor, "*batch frames"]:
    """Soft echo density (..., frames) of responses (..., n); see `fdnlearn.ops.echo`."""
    rows = np.ascontiguousarray(h.detach().numpy()).reshape(-1, h.shape[-1])
    dtype = rows.dtype
    eta = np.empty((rows.shape[0], how.steepness.shape[0]), dtype)
    with KERNEL_LOCK:
        _profile(rows, how.window.astype(dtype), how.steepness.astype(dtype), how.invariant, how.hop, eta)
    return torch.from_numpy(eta).reshape(*h.shape[:-1], -1)


class _Distance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, target: EchoTarget) -> Tensor:
        how = target.how
        rows = np.ascontiguousarray(h.detach().numpy()).reshape(-1, h.shape[-1])
        dtype = rows.dtype
        frames = how.steepness.shape[0]
        width, run = how.window.shape[0], -(-frames // RUNS)
        errors = np.empty((rows.shape[0], RUNS))
        span = run * how.hop + width
        partial = np.empty((rows.shape[0], RUNS, span + 2 * GUARD), dtype)
        goal = np.ascontiguousarray(target.profile.numpy(), dtype).reshape(-1, frames)
        weight = np.ascontiguousarray(target.share.numpy(), np.float64).reshape(-1, frames)
        with KERNEL_LOCK:
            _distance(
                rows, how.window.astype(dtype), how.steepness.astype(dtype), how.invariant, how.hop,
                goal, weight, errors, partial,
            )  # fmt: skip
        grad = np.zeros((rows.shape[0], max(rows.shape[1], RUNS * run * how.hop + width)), dtype)
        for part in range(RUNS):
            origin = part * run * how.hop
            grad[:, origin : origin + span] += partial[:, part, GUARD : GUARD + span]
        ctx.grad, ctx.shape = torch.from_numpy(grad[:, : rows.shape[1]]), h.shape
        return torch.from_numpy(errors.sum(axis=1).astype(dtype)).reshape(h.shape[:-1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return (ctx.grad * grad.reshape(-1, 1)).reshape(ctx.shape), None


@shapes_checked
def distance(
    h: Float[Tensor, "*batch channels samples"], target: EchoTarget
) -> Float[Tensor, "*batch channels"]:
    """Mean square difference (..., channels) from a target's profile; see `fdnlearn.ops.echo`."""
    if not h.requires_grad:  # the profile alone takes half the time
        return mean_square(profile(h, target.how), target)
    result: Tensor = _Distance.apply(h, target)
    return result
