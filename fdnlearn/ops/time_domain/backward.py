"""The adjoint of the loop: the transposed network backwards in time, g being the gradient of the response.

    xb_i[t] = yb_i[t + m_i]      vb = M^T xb      yb = filter^T(vb) + C^T g
    dM = sum xb v^T    dB = sum xb u^T    dC = sum g y^T    du = B^T xb    dm_i = -sum yb_i y_i'

with y' the slope of what leaves a line, by central differences of eighth order.

What the sections have computed is not kept but halfway: their states at the borders of blocks are enough to run a
block again before the adjoint goes back through it. A run has two stages, as forward: the first goes back through the
later half of the sections, the second through the others.
"""

from __future__ import annotations

import numpy as np

from fdnlearn.base.handover import APART, come, finish, reached, wait
from fdnlearn.base.jit import FAST, jit
from fdnlearn.base.parallel import parallel
from fdnlearn.ops.time_domain.forward import COUNTERS
from fdnlearn.ops.time_domain.tiles import empty_tile, fill_tile, filter_kept, multiply
from fdnlearn.ops.time_domain.vectors import ROWS, copy, product, section_back

#: Blocks between the stages at once.
DEPTH = 4


@jit(fastmath=FAST, error_model="numpy")
def _sections_back(
    signals, changes, bar, size, rows, width, lanes, sections, of, first, stop, future, sums, d_sections
):  # fmt: skip
    """Pull a block's gradient back through sections `stop` to `first`, the last one first."""
    for s in range(stop - 1, first - 1, -1):
        here = (s - first) * size + 2 * width
        for group in range(0, width, lanes):
            section_back(
                signals, here + group, changes, here + group, bar, group, rows, width,
                sections, of + s * 5 * width + group, future, s * 2 * width + group, sums, group,
            )  # fmt: skip
        for c in range(5):
            for i in range(width):
                d_sections[s, c, i] += sums[c * width + i]


@jit(inline="always", fastmath=FAST, error_model="numpy")
def _backward(
    run, network, counters, between, futures, matrix, sections, half, inputs, outputs, delays, signal,
    block, lanes, pad, lines, halfway, past, bars, g, d_matrix, d_sections, d_inputs, d_outputs, d_signal,
):  # fmt: skip
    """What one thread does of one run backwards; sums of a block are in the type of the signals, of all in double."""
    count, width = sections.shape[1], matrix.shape[1]
    n_in, n_out, length = inputs.shape[2], g.shape[1], g.shape[2]
    heard, stride = signal.shape[1], lines.size // g.shape[0] // width
    size = (block + ROWS + 2) * width
    most = max(half, count - half)
    kept, changes = np.zeros((most + 1) * size, lines.dtype), np.zeros(max(most, 1) * size, lines.dtype)
    sums = np.zeros(5 * width, lines.dtype)
    entering, leaving = np.zeros(size, lines.dtype), np.zeros(size, lines.dtype)
    part = np.zeros(width * width, lines.dtype)
    reading, entry, writing = delays[network].copy(), delays[network].copy(), delays[network].copy()
    for i in range(width):
        writing[i] = (run * width + i) * stride
        reading[i] = writing[i] + pad - delays[network, i]
        entry[i] = writing[i] + delays[network, i]
    shortest = delays[network].min()
    flat_matrix, flat_sections = matrix.reshape(-1), sections.reshape(-1)
    of_network, states = network * count * 5 * width, count * 4 * width
    came = run * COUNTERS
    handed, half_done, done = came + APART, came + 2 * APART, came + 3 * APART
    at_halfway, at_past = run * (halfway.size // g.shape[0]), run * (past.size // g.shape[0])
    future = futures[run]
    blocks = (length + block - 1) // block
    leads = come(counters, came) == 0
    begin, follows = 0, True
    if not leads:
        wait(counters, handed, 1)
        begin = reached(counters, handed) - 1
    for n in range(begin, blocks):
        k = blocks - 1 - n
        first = k * block
        rows = min(block, length - first)
        bar = (run * DEPTH + n % DEPTH) * (block + ROWS) * width
        if leads:
            copy(halfway, at_halfway + first * width, kept, 2 * width, rows * width)
            filter_kept(
                kept, changes, size, rows, width, lanes, flat_sections, of_network, half, count, past,
                at_past + k * states,
            )  # fmt: skip
            if not follows:
                wait(counters, done, max(n + 1 - DEPTH, blocks - (first + shortest) // block))
            if n == 0:
                for i in range(width):
                    bars[writing[i] + length : writing[i] + length + pad] = 0
            fill_tile(bars, entry, first, entering, 0, rows, width, lanes)
            multiply(entering, 0, flat_matrix, network * width * width, leaving, 0, rows, width, lanes)
            for i in range(0, width, ROWS):
                for group in range(0, width, lanes):
                    product(
                        entering, i, 1, width,
                        kept, (count - half) * size + 2 * width + group, width,
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
            _sections_back(
                kept, changes, leaving, size, rows, width, lanes, flat_sections, of_network, half, count,
                future, sums, d_sections[run],
            )  # fmt: skip
            copy(leaving, 0, between, bar, rows * width)
            finish(counters, half_done, n + 1)
            if follows and reached(counters, came) > 1:
                follows = False
                finish(counters, handed, n + 1)
        if follows:
            fill_tile(lines, reading, first, kept, 2 * width, rows, width, lanes)
            filter_kept(
                kept, changes, size, rows, width, lanes, flat_sections, of_network, 0, half, past,
                at_past + k * states,
            )  # fmt: skip
            if not leads:
                wait(counters, half_done, n + 1)
            copy(between, bar, leaving, 0, rows * width)
            _sections_back(
                kept, changes, leaving, size, rows, width, lanes, flat_sections, of_network, 0, half,
                future, sums, d_sections[run],
            )  # fmt: skip
            for o in range(n_out):
                sums[:] = 0
                asked = g[run, o, first : first + rows]
                for t in range(rows):
                    slope = asked[t]
                    for i in range(width):
                        sums[i] += slope * kept[(2 + t) * width + i]
                        leaving[t * width + i] += slope * outputs[network, o, i]
                for i in range(width):
                    d_outputs[run, o, i] += sums[i]
            empty_tile(bars, writing, first, leaving, 0, rows, width, lanes)
            finish(counters, done, n + 1)
    if leads and follows:
        finish(counters, handed, blocks + 1)


@parallel(fastmath=FAST, error_model="numpy")
def backward(
    first, stop, threads, counters, between, futures, matrix, sections, half, inputs, outputs, delays, signals,
    block, lanes, pad, lines, halfway, past, bars, g,
    d_matrix, d_sections, d_inputs, d_outputs, d_signals,
):  # fmt: skip
    """Gradients, a row a run, from the gradient g (B R, O, T) of the responses; arrays as in `forward`.

    `matrix` is M itself, not its transpose; `bars` is a workspace as large as `lines`. What threads hand over,
    `between` (B R DEPTH (block + ROWS) W,) and `futures` (B R, max(S, 1) 2 W), begins at zero, as do the sums d_matrix
    (B R, W, W), d_sections (B R, S, 5, W), d_inputs (B R, W, I), d_outputs (B R, O, W) and d_delays (B R, W), without
    rows if nobody asks, in double; d_signals (B R, I, T') is of the signals.
    """
    each = g.shape[0] // matrix.shape[0]
    for index in range(first, stop):
        run = index // threads
        _backward(
            run, run // each, counters, between, futures, matrix, sections, half, inputs, outputs, delays,
            signals[run], block, lanes, pad, lines, halfway, past, bars, g, d_matrix, d_sections, d_inputs,
            d_outputs, d_signals[run],
        )  # fmt: skip
