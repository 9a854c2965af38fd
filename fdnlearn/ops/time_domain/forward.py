"""The loop of a network on whole delays, sample by sample in blocks no longer than the shortest line.

With x what enters the lines, y what leaves them, v what the absorption makes of y and u the signals at the inputs:

    y_i[t] = x_i[t - m_i]      v = filter(y)      x[t] = M v[t] + B u[t]      h[t] = C y[t]

Within a block nothing that enters a line comes out again, so that each of these is done for the whole block at once.
And where the shortest line holds more than one block, half of a block's sections can run while the other half is
still at work on the block before: a run has two stages, of which a second thread may take one
(`fdnlearn.base.handover`).
"""

from __future__ import annotations

import numpy as np

from fdnlearn.base.handover import APART, come, finish, reached, wait
from fdnlearn.base.jit import FAST, jit
from fdnlearn.base.parallel import parallel
from fdnlearn.ops.time_domain.slopes import REACH
from fdnlearn.ops.time_domain.tiles import empty_tile, fill_tile, filter_tile, multiply
from fdnlearn.ops.time_domain.vectors import ROWS, TOGETHER, copy

#: Longest block: what all sections of one hold stays in the nearest cache or two.
BLOCK = 64

#: Threads that may share a run, and a run backwards.
THREADS = 2

#: Counters of a run: threads come, from where on the second stage is handed over, blocks that it has done, and blocks
#: that the first has.
COUNTERS = 4 * APART


def first_half(sections: int) -> int:
    """How many sections are the first stage's."""
    return min(sections, -(-sections // (2 * TOGETHER)) * TOGETHER)


@jit(inline="always", error_model="numpy")
def _silence(run, width, stride, pad, length, lines):
    """What a run's lines hold before and after it."""
    for i in range(width):
        start = (run * width + i) * stride
        for t in range(pad):
            lines[start + t] = 0
        for t in range(pad + length, pad + length + REACH):
            lines[start + t] = 0


@jit(inline="always", fastmath=FAST, error_model="numpy")
def _forward(
    run, network, counters, matrix, sections, half, inputs, outputs, delays, signal, block, lanes, pad,
    lines, halfway, past, h,
):  # fmt: skip
    """What one thread does of one run of one network; all arrays but the small ones are flat."""
    count, width = sections.shape[1], matrix.shape[1]
    n_out, length = h.shape[1], h.shape[2]
    heard, stride = signal.shape[1], lines.size // h.shape[0] // width
    tile = np.zeros((block + ROWS) * width, lines.dtype)
    mixed = np.zeros_like(tile)
    reading, writing = delays[network].copy(), delays[network].copy()
    for i in range(width):
        writing[i] = (run * width + i) * stride + pad
        reading[i] = writing[i] - delays[network, i]
    shortest = delays[network].min()
    flat_matrix, flat_sections = matrix.reshape(-1), sections.reshape(-1)
    of_network, states = network * count * 5 * width, count * 4 * width
    came = run * COUNTERS
    handed, half_done, done = came + APART, came + 2 * APART, came + 3 * APART
    at_halfway, at_past = run * (halfway.size // h.shape[0]), run * (past.size // h.shape[0])
    blocks = (length + block - 1) // block
    leads = come(counters, came) == 0
    begin, follows = 0, True
    if not leads:
        wait(counters, handed, 1)
        begin = reached(counters, handed) - 1
    for k in range(begin, blocks):
        first = k * block
        rows = min(block, length - first)
        here, state = at_halfway + first * width, at_past + k * states
        if leads:
            if not follows:
                wait(counters, done, (first + rows - 1 - shortest) // block + 1)
            if k == 0:
                _silence(run, width, stride, pad, length, lines)
                past[at_past : at_past + states] = 0
            fill_tile(lines, reading, first, tile, 0, rows, width, lanes)
            for o in range(n_out):
                heard_now = h[run, o, first : first + rows]
                for t in range(rows):
                    total = lines.dtype.type(0)
                    for i in range(width):
                        total += outputs[network, o, i] * tile[t * width + i]
                    heard_now[t] = total
            copy(past, state, past, state + states, half * 4 * width)
            filter_tile(
                tile, 0, halfway, here, rows, width, lanes, flat_sections, of_network, 0, half, past,
                state + states,
            )  # fmt: skip
            finish(counters, half_done, k + 1)
            if follows and reached(counters, came) > 1:
                follows = False
                finish(counters, handed, k + 1)
        if follows:
            if not leads:
                wait(counters, half_done, k + 1)
            later = state + half * 4 * width
            copy(past, later, past, later + states, (count - half) * 4 * width)
            filter_tile(
                halfway, here, tile, 0, rows, width, lanes, flat_sections, of_network, half, count, past,
                state + states,
            )  # fmt: skip
            multiply(tile, 0, flat_matrix, network * width * width, mixed, 0, rows, width, lanes)
            for t in range(min(rows, heard - first)):
                for q in range(signal.shape[0]):
                    for i in range(width):
                        mixed[t * width + i] += inputs[network, i, q] * signal[q, first + t]
            empty_tile(lines, writing, first, mixed, 0, rows, width, lanes)
            finish(counters, done, k + 1)
    if leads and follows:
        finish(counters, handed, blocks + 1)


@parallel(fastmath=FAST, error_model="numpy")
def forward(
    first, stop, threads, counters, matrix, sections, half, inputs, outputs, delays, signals, block, lanes, pad,
    lines, halfway, past, h,
):  # fmt: skip
    """Fill responses h (B R, O, T), and what the adjoint needs of them: lines, halfway and past.

    Iterations are the threads of the runs, `threads` of each side by side.

    Parameters
    ----------
    threads : int, of a run
    counters : (B R COUNTERS,), int64, zeros
    matrix : (B, W, W), the transpose of M, W the lines filled up to whole registers
    sections : (B, S, 5, W), rows ``sigma c0 c2 kappa a2`` (see `vectors.some_sections`)
    half : int, how many sections are the first stage's; `first_half`
    inputs : (B, W, I)
    outputs : (B, O, W)
    delays : (B, W), int64
    signals : (B R, I, T'), what enters in each run; nothing does after T'
    block : int, at most the shortest delay
    lanes, pad : int, of a register; at least `REACH` more than the longest delay
    lines : (B R W (pad + T + REACH),)
    halfway : (B R T W,) or more, what the first half of the sections gives out
    past : (B R (ceil(T / block) + 1) S 4 W,)
    """
    each = h.shape[0] // matrix.shape[0]
    for index in range(first, stop):
        run = index // threads
        _forward(
            run, run // each, counters, matrix, sections, half, inputs, outputs, delays, signals[run],
            block, lanes, pad, lines, halfway, past, h,
        )  # fmt: skip
