"""``c99``: one C header with everything in it, no allocation, no dependencies: JUCE, Daisy, Teensy, anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fdnlearn.base.files import write_text
from fdnlearn.export.network import ExportNetwork, RoutedTap
from fdnlearn.export.target import FLOAT32_DB, ExportTarget, Proof
from fdnlearn.export.text import filled, number, wrapped

_PROOF = Proof("gcc -std=c99", FLOAT32_DB, "-141 (double samples: -280)", "c_compiler:render")

#: Lines side by side, and outputs, are padded to a multiple of this.
LANES = 4
#: FDN_FRAMES of the header.
FRAMES = 16


def padded(count: int) -> int:
    """A number of lines or outputs rounded up to whole vectors."""
    return -(-count // LANES) * LANES


def loop_source() -> str:
    """The arithmetic that this export shares with the player."""
    return files("fdnlearn.export").joinpath("c/fdn_loop.h").read_text(encoding="utf-8")


def _array(declaration: str, values: npt.ArrayLike, *, whole: bool = False) -> str:
    flat = np.asarray(values).ravel()
    items = [str(int(v)) if whole else number(v) for v in flat] or ["0"]
    kind = "int" if whole else "double"
    return f"static const {kind} {declaration}[{len(items)}] = {{\n    {wrapped(items)}}};\n"


def _tables(network: ExportNetwork) -> str:
    n, width = network.lines, padded(network.lines)
    name = network.name

    def lanes(rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
        array = np.asarray(rows, dtype=np.float64)
        return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, width - n)])

    outputs = padded(network.outputs)
    rows = _rows(network)
    taps = [tap for row in rows for tap in row.taps]
    starts = np.concatenate(([0], np.cumsum([len(row.taps) for row in rows])))[:-1]
    delays = network.delays_samples
    return "".join(
        (
            _array(f"{name}_delays", delays, whole=True),
            _array(f"{name}_offsets", np.concatenate(([0], np.cumsum(delays)[:-1])), whole=True),
            _array(f"{name}_feedback", lanes(network.feedback.T)),
            _array(f"{name}_inputs", lanes(network.input_gains.T)),
            _array(f"{name}_outputs", lanes(network.output_gains)),
            "/* sections: b0 b1 b2 a1 a2, each for every line or output */\n",
            _array(f"{name}_sos", lanes(network.line_sections.transpose(1, 2, 0))),
            _array(f"{name}_tone", np.repeat(network.tone, outputs)),
            _array(f"{name}_lowpass", np.repeat(network.lowpass, outputs)),
            "/* early part and direct sound: output (or all of them), input, first tap, number of taps */\n",
            _array(
                f"{name}_rows",
                [[r.output, r.input, start, len(r.taps)] for r, start in zip(rows, starts, strict=True)],
                whole=True,
            ),
            _array(f"{name}_tap_delays", [tap.delay_samples for tap in taps], whole=True),
            _array(f"{name}_tap_gains", [tap.gain for tap in taps]),
        )
    )


@dataclass(frozen=True)
class _Row:
    """Taps from one input to one output, or, where `output` is their number, to all outputs alike."""

    output: int
    input: int
    taps: tuple[RoutedTap, ...]


def _rows(network: ExportNetwork) -> list[_Row]:
    """The taps, those that all outputs have computed once."""
    outputs = Counter((tap.input, tap.delay_samples, tap.gain) for tap in network.taps)
    rows: dict[tuple[int, int], list[RoutedTap]] = defaultdict(list)
    for tap in network.taps:
        everywhere = outputs[tap.input, tap.delay_samples, tap.gain] == network.outputs > 1
        if not everywhere:
            rows[tap.output, tap.input].append(tap)
        elif tap.output == 0:
            rows[network.outputs, tap.input].append(tap)
    return [_Row(output, input_, tuple(taps)) for (output, input_), taps in sorted(rows.items())]


_TEMPLATE = """\
/* @NAME@: a room as a feedback delay network. Written by fdnlearn; do with this file what you like.
   @LINES@ lines, @INPUTS@ input(s), @OUTPUTS@ output(s), for a sample rate of @RATE@ Hz and no other.

   static @NAME@_state room;                  about @KIB@ KiB with float samples: not on the stack
   @NAME@_reset(&room);
   @NAME@_process(&room, in, out, frames);    in[@INPUTS@] and out[@OUTPUTS@] point to channels; they may be the same

   The output holds the room alone, its direct sound included. No call allocates, locks or waits. */
#ifndef @GUARD@_H
#define @GUARD@_H

@LOOP@
#define @GUARD@_RATE_HZ @RATE@
#define @GUARD@_INPUTS @INPUTS@
#define @GUARD@_OUTPUTS @OUTPUTS@
enum {
    @NAME@_lines = @LINES@, @NAME@_width = @WIDTH@, @NAME@_heard = @HEARD@,
    @NAME@_sections = @SECTIONS@, @NAME@_tones = @TONES@, @NAME@_lows = @LOWS@, @NAME@_row_count = @ROWS@,
    @NAME@_past = @PAST@, @NAME@_late = @LATE@, @NAME@_span = @SPAN@
};

@TABLES@
typedef struct @NAME@_state {
    FDN_SAMPLE lines[@TOTAL@];
    FDN_SAMPLE past[@INPUTS@][2 * @PAST@]; /* every input twice, so that any stretch of it lies in one piece */
    double sections[@SECTION_STATE@], tone[@TONE_STATE@], lowpass[@LOW_STATE@];
    int at[@LINES@];
    int now, until_sweep;
} @NAME@_state;

static inline void @NAME@_reset(@NAME@_state *r)
{
    static const @NAME@_state silent;
    *r = silent;
    r->until_sweep = FDN_SWEEP;
}

static inline void @NAME@_process(@NAME@_state *r, const FDN_SAMPLE *const *in, FDN_SAMPLE *const *out,
                                  int frames)
{
    for (int done = 0; done < frames;) {
        double heard[FDN_FRAMES * @NAME@_width], early[@OUTPUTS@ + 1][FDN_FRAMES] = {{0.0}};
        const FDN_SAMPLE *now[@INPUTS@];
        /* as many frames as the shortest line lasts, and as memory goes on in one piece */
        int count = frames - done < @NAME@_span ? frames - done : @NAME@_span;
        if (count > @NAME@_past - r->now)
            count = @NAME@_past - r->now;
        if (count > r->until_sweep)
            count = r->until_sweep;

        for (int k = 0; k < @INPUTS@; ++k) {
            now[k] = r->past[k] + r->now + @NAME@_past;
            for (int t = 0; t < count; ++t)
                r->past[k][r->now + t] = r->past[k][r->now + t + @NAME@_past] = in[k][done + t];
        }
        for (int p = 0; p < @NAME@_row_count; ++p) {
            const int *row = @NAME@_rows + 4 * p;
            fdn_taps(now[row[1]], @NAME@_tap_delays + row[2], @NAME@_tap_gains + row[2], row[3], count, early[row[0]]);
        }
        for (int i = 0; i < @NAME@_width; ++i)
            if (i < @NAME@_lines)
                fdn_read(r->lines + @NAME@_offsets[i], @NAME@_delays[i], r->at[i], @NAME@_delays[i], count,
                         @NAME@_width, heard + i);
            else
                for (int t = 0; t < count; ++t)
                    heard[t * @NAME@_width + i] = 0.0;
        for (int t = 0; t < count; ++t) {
            double *row = heard + t * @NAME@_width;
            double fed[@NAME@_width] = {0.0}, x[@INPUTS@], y[@NAME@_heard] = {0.0};

            for (int o = 0; o < @OUTPUTS@; ++o)
                y[o] = fdn_inner(@NAME@_outputs + o * @NAME@_width, row, @NAME@_width);
            fdn_filter_lines(@NAME@_tone, @NAME@_tones, @NAME@_heard, r->tone, y);
            fdn_filter_lines(@NAME@_sos, @NAME@_sections, @NAME@_width, r->sections, row);
            for (int k = 0; k < @INPUTS@; ++k)
                x[k] = (double)now[k][t - @NAME@_late];
            fdn_mix(@NAME@_feedback, row, @NAME@_lines, @NAME@_width, fed);
            fdn_mix(@NAME@_inputs, x, @INPUTS@, @NAME@_width, fed);
            for (int i = 0; i < @NAME@_width; ++i)
                row[i] = fed[i];
            for (int o = 0; o < @OUTPUTS@; ++o)
                y[o] += early[o][t] + early[@OUTPUTS@][t];
            fdn_filter_lines(@NAME@_lowpass, @NAME@_lows, @NAME@_heard, r->lowpass, y);
            for (int o = 0; o < @OUTPUTS@; ++o)
                out[o][done + t] = (FDN_SAMPLE)y[o];
        }
        for (int i = 0; i < @NAME@_lines; ++i)
            r->at[i] = fdn_write(r->lines + @NAME@_offsets[i], @NAME@_delays[i], r->at[i], count, @NAME@_width,
                                 heard + i);
        done += count;
        r->now = r->now + count == @NAME@_past ? 0 : r->now + count;
        if ((r->until_sweep -= count) == 0) {
            r->until_sweep = FDN_SWEEP;
            fdn_sweep(r->sections, @SECTION_STATE@);
            fdn_sweep(r->tone, @TONE_STATE@);
            fdn_sweep(r->lowpass, @LOW_STATE@);
        }
    }
}

#endif
"""


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    width, outputs = padded(network.lines), padded(network.outputs)
    sections = network.line_sections.shape[1]
    past = (network.longest_tap_samples // FRAMES + 2) * FRAMES
    total = int(network.delays_samples.sum())
    values = {
        "NAME": network.name,
        "GUARD": network.name.upper(),
        "RATE": network.sample_rate_hz,
        "LINES": network.lines,
        "WIDTH": width,
        "INPUTS": network.inputs,
        "OUTPUTS": network.outputs,
        "SECTIONS": sections,
        "TONES": len(network.tone),
        "LOWS": len(network.lowpass),
        "HEARD": outputs,
        "ROWS": len(_rows(network)),
        "SPAN": min(FRAMES, int(network.delays_samples.min())),
        "PAST": past,
        "LATE": network.late_delay_samples,
        "TOTAL": total,
        "SECTION_STATE": max(2 * sections * width, 1),
        "TONE_STATE": max(2 * len(network.tone) * outputs, 1),
        "LOW_STATE": max(2 * len(network.lowpass) * outputs, 1),
        "KIB": (4 * (total + 2 * past * network.inputs) + 16 * sections * width) // 1024 + 1,
        "TABLES": _tables(network),
        "LOOP": loop_source(),
    }
    name = f"{network.name}.h"
    write_text(folder / name, filled(_TEMPLATE, values))
    return [name]


TARGET = ExportTarget("c99", "C header without allocation, for JUCE, Daisy, Teensy, anything", _write, _PROOF)
