"""The hot loops: recirculation, filter cascades and early taps on a stretch of audio.

Every sample sees the same operations in the same order however the signal is cut into blocks: sums run over lines,
sections or taps in ascending order, never over time, and what is fused is fused by name. Block-wise output
therefore equals offline output bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fdnlearn.base.jit import jit
from fdnlearn.render.vectors import LANES, ROWS, fma, product_tile, section_lanes

Array = npt.NDArray[Any]

#: Samples taken at once at most: the scratch rows of 32 lines stay in the second-level cache.
CHUNK = 128
#: Smaller magnitudes in a state are set to zero now and then: denormal numbers are slow and inaudible.
SILENCE = 1e-150


@jit(error_model="numpy")
def product(matrix: Array, rows: Array, size: int, out: Array) -> None:
    """``out[:, t] = matrix @ rows[:, t]`` for t < size, rounded up to whole lanes; terms in ascending order.

    Rows of `matrix` and `out` come in multiples of `ROWS`.
    """
    for i in range(0, out.shape[0], ROWS):
        for t in range(0, size, LANES):
            product_tile(matrix, i, rows, t, matrix.shape[1], rows.shape[1], out)


@jit(error_model="numpy")
def filter_lines(rows: Array, size: int, sos: Array, state: Array, columns: Array) -> None:
    """Filter ``rows[i, :size]`` of all lines by their own sections.

    `sos` (S, 5, W) and `state` (S, 2, W) have the lines last, padded to whole lanes; `columns` is scratch
    (CHUNK, W): lines side by side run as one vector, time cannot.
    """
    n, width = rows.shape[0], columns.shape[1]
    for t in range(size):
        for i in range(n):
            columns[t, i] = rows[i, t]
    for i in range(0, width, LANES):
        for s in range(sos.shape[0]):
            section_lanes(sos, state, columns, size, width, s, i)
    for i in range(n):
        for t in range(size):
            rows[i, t] = columns[t, i]


@jit(error_model="numpy")
def copy_row(ring: Array, head: int, row: Array, size: int, reading: bool) -> None:
    """Copy between ``row[:size]`` and a ring from its head on."""
    first = min(size, ring.shape[0] - head)
    before, after = ring[head : head + first], ring[: size - first]
    if reading:
        for t in range(first):
            row[t] = before[t]
        for t in range(size - first):
            row[first + t] = after[t]
    else:
        for t in range(first):
            before[t] = row[t]
        for t in range(size - first):
            after[t] = row[first + t]


@jit(error_model="numpy")
def recirculate(
    window: Array,
    start: int,
    count: int,
    storage: Array,
    offsets: Array,
    lengths: Array,
    heads: Array,
    loop: Array,
    outputs: Array,
    sos: Array,
    state: Array,
    late: Array,
) -> None:
    """Run the lines on ``window[:, start:start + count]`` and write the sum of their outputs to `late` (O, count).

    `loop` is ``[U diag(g), B]``, what the lines are fed from the lines (a gain commutes with the sections) and from
    the inputs; `outputs` is C. Both are padded with zero rows to multiples of `ROWS`. `storage` holds one ring a
    line, as long as the line: what is read at its head is written, one round trip later, at the same place. A chunk
    is no longer than the shortest line, so nothing written in it is read in it.
    """
    n = lengths.shape[0]
    longest = CHUNK
    for i in range(n):
        longest = min(longest, lengths[i])
    rows = np.zeros((loop.shape[1], CHUNK))  # line outputs, then inputs
    fed = np.empty((loop.shape[0], CHUNK))
    collected = np.empty((outputs.shape[0], CHUNK))
    columns = np.zeros((CHUNK, state.shape[2]))
    first = 0
    while first < count:
        size = min(longest, count - first)
        for i in range(n):
            copy_row(storage[offsets[i] : offsets[i] + lengths[i]], heads[i], rows[i], size, True)
        for k in range(window.shape[0]):
            x = window[k, start + first : start + first + size]
            for t in range(size):
                rows[n + k, t] = x[t]
        product(outputs, rows, size, collected)
        for o in range(late.shape[0]):
            y = late[o, first : first + size]
            for t in range(size):
                y[t] = collected[o, t]
        if sos.shape[0] > 0:
            filter_lines(rows[:n], size, sos, state, columns)
        product(loop, rows, size, fed)
        for i in range(n):
            copy_row(storage[offsets[i] : offsets[i] + lengths[i]], heads[i], fed[i], size, False)
            heads[i] = (heads[i] + size) % lengths[i]
        first += size


@jit(error_model="numpy")
def cascade(
    signals: Array,
    sos: Array,
    state: Array,
) -> None:
    """Filter `signals` (channels, samples) in place by sections `sos` (S, 5), `state` (channels, S, 2)."""
    for channel in range(signals.shape[0]):
        row, z = signals[channel], state[channel]
        for t in range(row.shape[0]):
            x = row[t]
            for s in range(sos.shape[0]):  # sections inside: successive samples overlap in the pipeline
                y = fma(sos[s, 0], x, z[s, 0])
                z[s, 0] = fma(-sos[s, 3], y, fma(sos[s, 1], x, z[s, 1]))
                z[s, 1] = fma(-sos[s, 4], y, sos[s, 2] * x)
                x = y
            row[t] = x


@jit(error_model="numpy")
def add_taps(
    window: Array,
    start: int,
    outputs: Array,
    inputs: Array,
    delays: Array,
    gains: Array,
    out: Array,
) -> None:
    """``out[o, t] += gain window[k, start - delay + t]`` for every tap, in order."""
    size = out.shape[1]
    p = 0
    while p < gains.shape[0]:
        o, k = outputs[p], inputs[p]
        row, x = out[o], window[k]
        same = 1
        while same < 4 and p + same < gains.shape[0] and outputs[p + same] == o and inputs[p + same] == k:
            same += 1
        if same == 4:  # a long response: four taps a pass, in the same order
            g0, g1, g2, g3 = gains[p], gains[p + 1], gains[p + 2], gains[p + 3]
            x0 = x[start - delays[p] : start - delays[p] + size]
            x1 = x[start - delays[p + 1] : start - delays[p + 1] + size]
            x2 = x[start - delays[p + 2] : start - delays[p + 2] + size]
            x3 = x[start - delays[p + 3] : start - delays[p + 3] + size]
            for t in range(size):
                row[t] = fma(g3, x3[t], fma(g2, x2[t], fma(g1, x1[t], fma(g0, x0[t], row[t]))))
            p += 4
        else:
            g0 = gains[p]
            x0 = x[start - delays[p] : start - delays[p] + size]
            for t in range(size):
                row[t] = fma(g0, x0[t], row[t])
            p += 1


@jit(error_model="numpy")
def silence(
    state: Array,
) -> None:
    """Set what has decayed beyond hearing to zero, in place; `state` is one-dimensional."""
    for index in range(state.shape[0]):
        if abs(state[index]) < SILENCE:
            state[index] = 0.0
