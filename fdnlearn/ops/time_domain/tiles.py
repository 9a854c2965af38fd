"""A block of samples of all lines, a row a sample: from the delay lines and back, through sections and matrices.

All arrays are flat, with offsets in elements; rows of a tile are `width` apart.
"""

from __future__ import annotations

from fdnlearn.base.jit import FAST, jit
from fdnlearn.ops.time_domain.vectors import (
    ROWS,
    TOGETHER,
    copy,
    lines_from_tile,
    one_section,
    one_section_kept,
    product,
    some_sections,
    some_sections_kept,
    tile_from_lines,
)


@jit(fastmath=FAST, error_model="numpy")
def fill_tile(lines, starts, shift, tile, at, rows, width, lanes):
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
def empty_tile(lines, starts, shift, tile, at, rows, width, lanes):
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
def multiply(a, oa, matrix, om, out, oo, rows, width, lanes):
    """Rows of `out` from rows of `a` and a matrix (width, width); some rows more than asked for are written."""
    for t in range(0, rows, ROWS):
        for group in range(0, width, lanes):
            product(
                a, oa + t * width, width, 1,
                matrix, om + group, width,
                out, oo + t * width + group, width, width,
            )  # fmt: skip


@jit(fastmath=FAST, error_model="numpy")
def filter_tile(source, at, tile, ot, rows, width, lanes, sections, of, first, stop, state, os):
    """Sections `first` to `stop` of all lines, from one tile to another; their states, of all from `os`, move on."""
    if first == stop:
        copy(source, at, tile, ot, rows * width)
    for group in range(0, width, lanes):
        s = first
        while s < stop:
            oc, oz = of + s * 5 * width + group, os + s * 4 * width + group
            x, ox = (source, at + group) if s == first else (tile, ot + group)
            if s + TOGETHER <= stop:
                some_sections(x, ox, tile, ot + group, rows, width, sections, oc, state, oz)
                s += TOGETHER
            else:
                one_section(x, ox, tile, ot + group, rows, width, sections, oc, state, oz)
                s += 1


@jit(fastmath=FAST, error_model="numpy")
def filter_kept(signals, changes, size, rows, width, lanes, sections, of, first, stop, past, at_past):
    """Sections `first` to `stop`, the output of each `size` behind its input in `signals`, what it adds in `changes`.

    Two rows before their first are filled from the states; those in `past` (of all sections, from `at_past`) stay.
    """
    held = past[at_past + first * 4 * width : at_past + stop * 4 * width].copy()
    for s in range(stop - first):
        for i in range(width):
            z, here = 4 * s * width + i, s * size + i
            x, rise, d, e = held[z], held[z + width], held[z + 2 * width], held[z + 3 * width]
            signals[here + width], signals[here] = x, x - rise
            changes[here + width], changes[here] = d, d - e
    for group in range(0, width, lanes):
        s = first
        while s < stop:
            here, oc = (s - first) * size + 2 * width + group, of + s * 5 * width + group
            oz = (s - first) * 4 * width + group
            if s + TOGETHER <= stop:
                some_sections_kept(
                    signals, here, signals, here + size, rows, width, sections, oc, held, oz, changes, here, size
                )  # fmt: skip
                s += TOGETHER
            else:
                one_section_kept(
                    signals, here, signals, here + size, rows, width, sections, oc, held, oz, changes, here, size
                )  # fmt: skip
                s += 1
