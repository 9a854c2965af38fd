"""Soft echo density and the gradient of its squared distance to a target, frame by frame, without unfolding."""

from __future__ import annotations

import math

import numba
import numpy as np

from fdnlearn.base.jit import FAST, jit
from fdnlearn.ops.fastmath import exp

#: 1 / erfc(1 / sqrt(2)): the share of Gaussian samples beyond one standard deviation is its inverse.
GAUSSIAN_NORM = 3.15148718753

#: Frames are cut into this many runs, whatever the number of threads, so that sums keep one order.
RUNS = 8


#: Empty samples around scratch buffers. LLVM guards a loop that stores by comparing addresses, with some slack; where
#: another array happened to lie next to the buffer, the guarded loop rounded otherwise and equal runs differed.
GUARD = 512


@jit(parallel=True, fastmath=FAST, error_model="numpy")
def profile(h, window, steepness, invariant, hop, eta):
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
def distance(h, window, steepness, invariant, hop, target, weight, errors, partial):
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
