"""Mel energy-decay relief on the CPU: comparison and gradient in one pass over a few responses at a time."""

from __future__ import annotations

import math

import numba
import numpy as np
from torch import Tensor

from fdnlearn.base.jit import FAST, KERNEL_LOCK, jit
from fdnlearn.base.types import Array, Float, shapes_checked
from fdnlearn.ops.fourier.cpu import signal_of, spectrum_of
from fdnlearn.ops.relief import TINY, ReliefTarget
from fdnlearn.ops.row_distances import row_distances


@jit(parallel=True)
def _cut(h, ends, window, hop, frames):
    """Weighed frames (rows, count, width) of h (rows, n), of which row r ends at `ends[r]`."""
    rows, count, width = frames.shape
    for work in numba.prange(rows * count):
        r = work // count
        f = work % count
        frame = frames[r, f]
        origin = f * hop - width // 2
        first = min(max(0, -origin), width)
        stop = max(first, min(width, ends[r] - origin))
        frame[:first] = 0
        for t in range(first, stop):
            frame[t] = window[t] * h[r, origin + t]
        frame[stop:] = 0


@jit(fastmath=FAST)
def _band(power, filters):
    """Sum of a band of powers."""
    total = power.dtype.type(0)
    for k in range(power.shape[0]):
        total += power[k] * filters[k]
    return total


@jit(parallel=True)
def _compare(spectra, width, filters, spans, goal_db, weight, learn, distances):
    """Distance (rows,) from a target; `spectra` (rows, frames, bins) become its gradient if that is wanted.

    They are those of frames of `width` samples. Row r is compared with channel ``r % channels``; `filters`
    (bands, bins) take the `spans` (bands, 2).
    """
    rows, frames, bins = spectra.shape
    channels, _, bands = goal_db.shape
    to_db = 10 / math.log(10)
    for r in numba.prange(rows):
        c = r % channels
        energy = np.empty((frames, bands))
        power = np.empty(bins, filters.dtype)
        for f in range(frames):
            line = spectra[r, f]
            for k in range(bins):
                power[k] = line[k].real * line[k].real + line[k].imag * line[k].imag
            for b in range(bands):
                first, stop = spans[b, 0], spans[b, 1]
                energy[f, b] = _band(power[first:stop], filters[b, first:stop])
        for f in range(frames - 2, -1, -1):
            for b in range(bands):
                energy[f, b] += energy[f + 1, b]
        total = 0.0
        for f in range(frames):
            for b in range(bands):
                if weight[c, f, b] == 0:
                    energy[f, b] = 0.0
                    continue
                relief = energy[f, b] + TINY
                miss = to_db * math.log(relief) - goal_db[c, f, b]
                total += weight[c, f, b] * abs(miss)
                energy[f, b] = weight[c, f, b] * np.sign(miss) * to_db / relief
        distances[r] = total
        if not learn:
            continue
        # From here on `energy` is the slope: what a frame holds is in the sums of all before it.
        for f in range(1, frames):
            for b in range(bands):
                energy[f, b] += energy[f - 1, b]
        slope = np.empty(bins, filters.dtype)
        for f in range(frames):
            slope[:] = 0
            for b in range(bands):
                # Twice a line's amplitude, and the transform of length n back is n times that forwards.
                pull = filters.dtype.type(width * energy[f, b])
                for k in range(spans[b, 0], spans[b, 1]):
                    slope[k] += pull * filters[b, k]
            # The first and (for even widths) the last bin have no mirror image.
            slope[0] *= 2
            if width % 2 == 0:
                slope[bins - 1] *= 2
            line = spectra[r, f]
            for k in range(bins):
                line[k] *= slope[k]


@jit(parallel=True)
def _add(frames, ends, window, hop, grad):
    """Gradient (rows, n) of responses from that of their weighed frames (rows, count, width)."""
    rows, count, width = frames.shape
    for r in numba.prange(rows):
        grad[r] = 0
        for f in range(count):
            origin = f * hop - width // 2
            for t in range(max(0, -origin), min(width, ends[r] - origin)):
                grad[r, origin + t] += window[t] * frames[r, f, t]


def _compared(h: Array, target: ReliefTarget, learn: bool) -> tuple[Array, Array | None]:
    """Distances (rows,) of h (rows, n), channels innermost, and their gradient."""
    channels, count, _ = target.weight.shape
    window, filters = (x.numpy().astype(h.dtype) for x in (target.window, target.filters.T))
    ends = np.full(channels, target.length) if target.ends is None else target.ends.numpy()[:, 0]
    ends = np.tile(np.minimum(ends, h.shape[-1]), len(h) // channels)
    frames = np.empty((len(h), count, window.size), h.dtype)
    distances = np.empty(len(h))
    with KERNEL_LOCK:
        _cut(h, ends, window, target.hop, frames)
    spectra = spectrum_of(frames)
    goal_db, weight = (x.numpy().astype(h.dtype, copy=False) for x in (target.relief_db, target.weight))
    filters = np.ascontiguousarray(filters)
    with KERNEL_LOCK:
        _compare(spectra, window.size, filters, target.spans, goal_db, weight, learn, distances)
    if not learn:
        return distances, None
    frames = signal_of(spectra, window.size)
    grad = np.empty_like(h)
    with KERNEL_LOCK:
        _add(frames, ends, window, target.hop, grad)
    return distances, grad


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: ReliefTarget
) -> Float[Tensor, "batch channels"]:
    """Distance of reliefs, (S, channels); see `fdnlearn.ops.relief`."""
    return row_distances(h, lambda rows, learn: _compared(rows, target, learn))
