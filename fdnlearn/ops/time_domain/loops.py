"""The loop of a network on whole delays, sample by sample in blocks no longer than the shortest line, and its adjoint.

With x what enters the lines, y what leaves them, v what the absorption makes of y and u the signals at the inputs:

    y_i[t] = x_i[t - m_i]      v = filter(y)      x[t] = M v[t] + B u[t]      h[t] = C y[t]

The adjoint runs the transposed network backwards in time, g being the gradient of h:

    xb_i[t] = yb_i[t + m_i]      vb = M^T xb      yb = filter^T(vb) + C^T g
    dM = sum xb v^T    dB = sum xb u^T    dC = sum g y^T    du = B^T xb    dm_i = -sum yb_i y_i'

with y' the slope of what leaves a line, by central differences of eighth order.

Within a block nothing that enters a line comes out again, so that each of these is done for the whole block at once.
What the sections have computed is not kept: their states at the borders of blocks are enough to run a block again
before the adjoint goes back through it.
"""

from __future__ import annotations

import numpy as np

from fdnlearn.base.jit import FAST, jit
from fdnlearn.base.parallel import parallel
from fdnlearn.ops.time_domain import SLOPES
from fdnlearn.ops.time_domain.vectors import (
    ROWS,
    TOGETHER,
    lines_from_tile,
    one_section,
    one_section_kept,
    product,
    section_back,
    some_sections,
    some_sections_kept,
    tile_from_lines,
)

#: Longest block: what all sections of one hold stays in the nearest cache or two.
BLOCK = 64

#: Samples on either side that a slope looks at.
REACH = len(SLOPES)


@jit(fastmath=FAST, error_model="numpy")
def _fill_tile(lines, starts, shift, tile, at, rows, width, lanes):
    """Rows of the tile from the delay lines."""
    whole = rows // lanes * lanes
    for group in range(0, width, lanes):
        for t in range(0, whole, lanes):
            tile_from_lines(lines, starts, group, shift + t, tile, at + t * width + group, width)
    for i in range(width):
        start = starts[i] + shift
        for t in range(whole, rows):
            tile[at + t * width + i] = lines[start + t]


@jit(fastmath=FAST, error_model="numpy")
def _empty_tile(lines, starts, shift, tile, at, rows, width, lanes):
    """Rows of the tile to the delay lines."""
    whole = rows // lanes * lanes
    for group in range(0, width, lanes):
        for t in range(0, whole, lanes):
            lines_from_tile(lines, starts, group, shift + t, tile, at + t * width + group, width)
    for i in range(width):
        start = starts[i] + shift
        for t in range(whole, rows):
            lines[start + t] = tile[at + t * width + i]


@jit(fastmath=FAST, error_model="numpy")
def _multiply(a, oa, matrix, om, out, oo, rows, width, lanes):
    """Rows of `out` from rows of `a` and a matrix (width, width); some rows more than asked for are written."""
    for t in range(0, rows, ROWS):
        for group in range(0, width, lanes):
            product(
                a, oa + t * width, width, 1,
                matrix, om + group, width,
                out, oo + t * width + group, width, width,
            )  # fmt: skip


@jit(fastmath=FAST, error_model="numpy")
def _copy(source, at_source, target, at_target, count):
    for i in range(count):
        target[at_target + i] = source[at_source + i]


@jit(fastmath=FAST, error_model="numpy")
def _add_slopes(tile, bar, rows, width, sums):
    """Subtract from `sums` of each line what `bar` and the slope of the tile come to; the tile begins `REACH` early."""
    dtype = tile.dtype.type
    one, two, three, four = dtype(SLOPES[0]), dtype(SLOPES[1]), dtype(SLOPES[2]), dtype(SLOPES[3])
    for t in range(rows):
        at = (REACH + t) * width
        for i in range(width):
            slope = one * (tile[at + width + i] - tile[at - width + i])
            slope += two * (tile[at + 2 * width + i] - tile[at - 2 * width + i])
            slope += three * (tile[at + 3 * width + i] - tile[at - 3 * width + i])
            slope += four * (tile[at + 4 * width + i] - tile[at - 4 * width + i])
            sums[i] -= slope * bar[t * width + i]


@jit(inline="always", fastmath=FAST, error_model="numpy")
def _forward(
    run, network, matrix, sections, inputs, outputs, delays, signal, block, lanes, pad, lines, past, h
):
    """One run of one network; all arrays but the small ones are flat."""
    count, width = sections.shape[1], matrix.shape[1]
    n_out, length = h.shape[1], h.shape[2]
    heard = signal.shape[1]
    stride = lines.size // h.shape[0] // width
    size = (block + ROWS) * width
    tile, mixed = np.zeros(size, lines.dtype), np.zeros(size, lines.dtype)
    state = np.zeros(count * 4 * width, lines.dtype)
    reading, writing = np.empty(width, np.int64), np.empty(width, np.int64)
    for i in range(width):
        writing[i] = (run * width + i) * stride + pad
        reading[i] = writing[i] - delays[network, i]
        for t in range(pad):
            lines[writing[i] - pad + t] = 0
        for t in range(length, length + REACH):
            lines[writing[i] + t] = 0
    flat_matrix, flat_sections = matrix.reshape(-1), sections.reshape(-1)
    at_past = run * (past.size // h.shape[0])
    for k in range((length + block - 1) // block):
        first = k * block
        rows = min(block, length - first)
        _fill_tile(lines, reading, first, tile, 0, rows, width, lanes)
        for o in range(n_out):
            for t in range(rows):
                total = lines.dtype.type(0)
                for i in range(width):
                    total += outputs[network, o, i] * tile[t * width + i]
                h[run, o, first + t] = total
        _copy(state, 0, past, at_past + k * state.size, state.size)
        for group in range(0, width, lanes):
            s = 0
            while s + TOGETHER <= count:
                some_sections(
                    tile, group, tile, group, rows, width,
                    flat_sections, (network * count + s) * 5 * width + group, state, s * 4 * width + group,
                )  # fmt: skip
                s += TOGETHER
            while s < count:
                one_section(
                    tile, group, tile, group, rows, width,
                    flat_sections, (network * count + s) * 5 * width + group, state, s * 4 * width + group,
                )  # fmt: skip
                s += 1
        _multiply(tile, 0, flat_matrix, network * width * width, mixed, 0, rows, width, lanes)
        for t in range(min(rows, heard - first)):
            for q in range(signal.shape[0]):
                for i in range(width):
                    mixed[t * width + i] += inputs[network, i, q] * signal[q, first + t]
        _empty_tile(lines, writing, first, mixed, 0, rows, width, lanes)


@parallel(fastmath=FAST, error_model="numpy")
def forward(
    first, stop, matrix, sections, inputs, outputs, delays, signals, block, lanes, pad, lines, past, h
):
    """Fill responses h (B R, O, T), and what the adjoint needs of them: lines and past.

    Parameters
    ----------
    matrix : (B, W, W), the transpose of M, W the lines filled up to whole registers
    sections : (B, S, 5, W), rows ``sigma c0 c2 kappa a2`` (see `vectors.some_sections`)
    inputs : (B, W, I)
    outputs : (B, O, W)
    delays : (B, W), int64
    signals : (B R, I, T'), what enters in each run; nothing does after T'
    block : int, at most the shortest delay
    lanes, pad : int, of a register; at least `REACH` more than the longest delay
    lines : (B R W (pad + T + REACH),)
    past : (B R ceil(T / block) S 4 W,)
    """
    each = h.shape[0] // matrix.shape[0]
    for run in range(first, stop):
        _forward(
            run, run // each, matrix, sections, inputs, outputs, delays, signals[run], block, lanes, pad,
            lines, past, h,
        )  # fmt: skip


@jit(inline="always", fastmath=FAST, error_model="numpy")
def _backward(
    run, network, matrix, sections, inputs, outputs, delays, signal, block, lanes, pad, lines, past, bars, g,
    d_matrix, d_sections, d_inputs, d_outputs, d_signal, d_delays,
):  # fmt: skip
    """One run of one network backwards; sums of a block are in the type of the signals, of all blocks in double."""
    count, width = sections.shape[1], matrix.shape[1]
    n_in, n_out, length = inputs.shape[2], g.shape[1], g.shape[2]
    heard = signal.shape[1]
    stride = lines.size // g.shape[0] // width
    size = (block + ROWS + 2) * width
    signals = np.zeros((count + 1) * size, lines.dtype)
    changes = np.zeros(max(count, 1) * size, lines.dtype)
    state = np.zeros(count * 4 * width, lines.dtype)
    entering = np.zeros(size, lines.dtype)
    leaving = np.zeros(size, lines.dtype)
    around = np.zeros((size + 2 * REACH * width) * d_delays.shape[0], lines.dtype)
    future = np.zeros(max(count, 1) * 2 * width, lines.dtype)
    sums = np.zeros(5 * width, lines.dtype)
    part = np.zeros(width * width, lines.dtype)
    reading, ahead, writing = np.empty(width, np.int64), np.empty(width, np.int64), np.empty(width, np.int64)
    for i in range(width):
        reading[i] = (run * width + i) * stride + pad - delays[network, i]
        writing[i] = (run * width + i) * stride
        ahead[i] = writing[i] + delays[network, i]
        for t in range(length, length + pad):
            bars[writing[i] + t] = 0
    flat_matrix, flat_sections = matrix.reshape(-1), sections.reshape(-1)
    at_past = run * (past.size // g.shape[0])
    for k in range((length + block - 1) // block - 1, -1, -1):
        first = k * block
        rows = min(block, length - first)
        _fill_tile(lines, reading, first, signals, 2 * width, rows, width, lanes)
        _copy(past, at_past + k * state.size, state, 0, state.size)
        for s in range(count):
            for i in range(width):
                at = 4 * s * width + i
                x, rise, d, e = state[at], state[at + width], state[at + 2 * width], state[at + 3 * width]
                signals[s * size + width + i], signals[s * size + i] = x, x - rise
                changes[s * size + width + i], changes[s * size + i] = d, d - e
        for group in range(0, width, lanes):
            s = 0
            while s + TOGETHER <= count:
                at = s * size + 2 * width + group
                some_sections_kept(
                    signals, at, signals, at + size, rows, width,
                    flat_sections, (network * count + s) * 5 * width + group, state, s * 4 * width + group,
                    changes, at, size,
                )  # fmt: skip
                s += TOGETHER
            while s < count:
                at = s * size + 2 * width + group
                one_section_kept(
                    signals, at, signals, at + size, rows, width,
                    flat_sections, (network * count + s) * 5 * width + group, state, s * 4 * width + group,
                    changes, at, size,
                )  # fmt: skip
                s += 1
        _fill_tile(bars, ahead, first, entering, 0, rows, width, lanes)
        _multiply(entering, 0, flat_matrix, network * width * width, leaving, 0, rows, width, lanes)
        for i in range(0, width, ROWS):
            for group in range(0, width, lanes):
                product(
                    entering, i, 1, width,
                    signals, count * size + 2 * width + group, width,
                    part, i * width + group, width, rows,
                )  # fmt: skip
        for i in range(width):
            for j in range(width):
                d_matrix[run, i, j] += part[i * width + j]
        for t in range(min(rows, heard - first)):
            for q in range(n_in):
                total = lines.dtype.type(0)
                for i in range(width):
                    d_inputs[run, i, q] += entering[t * width + i] * signal[q, first + t]
                    total += entering[t * width + i] * inputs[network, i, q]
                d_signal[q, first + t] = total
        for s in range(count - 1, -1, -1):
            for group in range(0, width, lanes):
                at = s * size + 2 * width + group
                section_back(
                    signals, at, changes, at, leaving, group, rows, width,
                    flat_sections, (network * count + s) * 5 * width + group,
                    future, s * 2 * width + group, sums, group,
                )  # fmt: skip
            for c in range(5):
                for i in range(width):
                    d_sections[run, s, c, i] += sums[c * width + i]
        for o in range(n_out):
            for i in range(width):
                sums[i] = 0
            for t in range(rows):
                slope = g[run, o, first + t]
                for i in range(width):
                    sums[i] += slope * signals[(2 + t) * width + i]
                    leaving[t * width + i] += slope * outputs[network, o, i]
            for i in range(width):
                d_outputs[run, o, i] += sums[i]
        if around.size:
            _fill_tile(lines, reading, first - REACH, around, 0, rows + 2 * REACH, width, lanes)
            sums[:] = 0
            _add_slopes(around, leaving, rows, width, sums)
            for i in range(width):
                d_delays[run, i] += sums[i]
        _empty_tile(bars, writing, first, leaving, 0, rows, width, lanes)


@parallel(fastmath=FAST, error_model="numpy")
def backward(
    first, stop, matrix, sections, inputs, outputs, delays, signals, block, lanes, pad, lines, past, bars, g,
    d_matrix, d_sections, d_inputs, d_outputs, d_signals, d_delays,
):  # fmt: skip
    """Gradients, a row a run, from the gradient g (B R, O, T) of the responses; arrays as in `forward`.

    `matrix` is M itself, not its transpose, and `bars` is a workspace as large as `lines`. The sums d_matrix
    (B R, W, W), d_sections (B R, S, 5, W), d_inputs (B R, W, I), d_outputs (B R, O, W) and d_delays (B R, W), without
    rows if nobody asks, are in double and begin at zero; d_signals (B R, I, T') is of the signals.
    """
    each = g.shape[0] // matrix.shape[0]
    for run in range(first, stop):
        _backward(
            run, run // each, matrix, sections, inputs, outputs, delays, signals[run], block, lanes, pad,
            lines, past, bars, g, d_matrix, d_sections, d_inputs, d_outputs, d_signals[run], d_delays,
        )  # fmt: skip
