"""Distances of third octaves on the CPU: comparison and gradient in one pass over a few responses at a time."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from fdnlearn.base.jit import FAST, KERNEL_LOCK, jit
from fdnlearn.base.types import Array, Float, shapes_checked
from fdnlearn.ops.colour import TINY, ColourTarget, band_filters
from fdnlearn.ops.fourier.cpu import signal_of, spectrum_of
from fdnlearn.ops.row_distances import row_distances


@jit(fastmath=FAST)
def _energy(line, weights):
    """Weighed sum of the power of lines."""
    total = weights.dtype.type(0)
    for k in range(weights.size):
        total += weights[k] * (line[k].real * line[k].real + line[k].imag * line[k].imag)
    return total


@jit()
def _compare(spectra, n_fft, first, offsets, weights, goal_db, counts, learn, distances):
    """Add the distance of each row to `distances`; `spectra` (rows, bins) become its gradient if that is wanted.

    Row r is compared with channel ``r % channels`` of `goal_db` and `counts` (channels, bands).
    """
    channels, bands = goal_db.shape
    bins = spectra.shape[1]
    to_db = 10.0 / math.log(10.0)
    slope = np.empty(bins, weights.dtype)
    for r in range(spectra.shape[0]):
        c = r % channels
        line = spectra[r]
        slope[:] = 0
        for b in range(bands):
            if counts[c, b] == 0.0:
                continue
            begin = first[b]
            own = weights[offsets[b] : offsets[b + 1]][: bins - begin]
            energy = 2.0 / n_fft * _energy(line[begin : begin + own.size], own) + TINY
            miss = to_db * math.log(energy) - goal_db[c, b]
            root = math.sqrt(1.0 + miss * miss)
            distances[r] += counts[c, b] * (root - 1.0)
            # Twice a line's amplitude, and the transform of length n back is n times that forwards.
            pull = weights.dtype.type(2.0 * counts[c, b] * miss / root * to_db / energy)
            for k in range(own.size):
                slope[begin + k] += pull * own[k]
        if learn:
            for k in range(bins):
                line[k] *= slope[k]


def _compared(h: Array, target: ColourTarget, learn: bool) -> tuple[Array, Array]:
    """Distances (rows,) of h (rows, n), channels innermost, and their gradient."""
    channels = len(target.ends)
    distances, grad = np.zeros(len(h)), np.zeros_like(h) if learn else h[:, :0]
    ramp = target.ramp.astype(h.dtype)
    for window in range(target.n_fft.shape[1]):
        # Channels of one length go together; where a channel has no such window, it has no length.
        for n_fft in np.unique(target.n_fft[:, window]).tolist():
            among = np.flatnonzero(target.n_fft[:, window] == n_fft)
            if n_fft == 0:
                continue
            rows = (np.arange(0, len(h), channels)[:, None] + among).ravel()
            spans = [
                (start, max(start, min(end, h.shape[1])))
                for start, end in zip(
                    target.starts[among, window].tolist(), target.ends[among].tolist(), strict=True
                )
            ] * (len(h) // channels)
            parts = np.zeros((len(rows), n_fft), h.dtype)
            for part, row, (start, end) in zip(parts, rows, spans, strict=True):
                part[: end - start] = h[row, start:end]
                if window > 0:
                    part[: ramp.size] *= ramp
            spectra = spectrum_of(parts)
            filters = band_filters(target.sample_rate_hz, n_fft)
            goal_db, counts = (
                np.ascontiguousarray(x[among, window]) for x in (target.goal_db, target.weight)
            )
            own = np.zeros(len(rows))
            weights = filters.weights.astype(h.dtype, copy=False)
            with KERNEL_LOCK:
                _compare(spectra, n_fft, filters.first, filters.offsets, weights, goal_db, counts, learn, own)
            distances[rows] += own
            if not learn:
                continue
            for pull, row, (start, end) in zip(signal_of(spectra, n_fft), rows, spans, strict=True):
                if window > 0:
                    pull[: ramp.size] *= ramp
                grad[row, start:end] += pull[: end - start]
    return distances, grad


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: ColourTarget
) -> Float[Tensor, "batch channels"]:
    """Distance (S, channels); see `fdnlearn.ops.colour`."""
    return row_distances(h, lambda rows, learn: _compared(rows, target, learn))
