"""``c99``: one C header with everything in it, no allocation, no dependencies: JUCE, Daisy, Teensy, anything."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fdnlearn.export.network import Network
from fdnlearn.export.target import FLOAT32_DB, ExportTarget
from fdnlearn.export.text import number, wrapped
from fdnlearn.files import write_text

#: Lines side by side are padded to a multiple of this.
LANES = 4


def padded_lines(lines: int) -> int:
    """Number of lines rounded up to whole vectors."""
    return -(-lines // LANES) * LANES


def loop_source() -> str:
    """The arithmetic that this export shares with the player."""
    return files("fdnlearn.export").joinpath("c/fdn_loop.h").read_text(encoding="utf-8")


def _array(declaration: str, values: npt.ArrayLike, *, whole: bool = False) -> str:
    flat = np.asarray(values).ravel()
    items = [str(int(v)) if whole else number(v) for v in flat] or ["0"]
    kind = "int" if whole else "double"
    return f"static const {kind} {declaration}[{len(items)}] = {{\n    {wrapped(items)}}};\n"


def _tables(network: Network) -> str:
    n, width = network.lines, padded_lines(network.lines)
    name = network.name

    def lanes(rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
        array = np.asarray(rows, dtype=np.float64)
        return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, width - n)])

    runs = network.runs
    gains = [gain for run in runs for gain in reversed(run.gains)]
    starts = np.concatenate(([0], np.cumsum([len(run.gains) for run in runs])))[:-1]
    delays = network.delays_samples
    return "".join(
        (
            _array(f"{name}_delays", delays, whole=True),
            _array(f"{name}_offsets", np.concatenate(([0], np.cumsum(delays)[:-1])), whole=True),
            _array(f"{name}_feedback", lanes(network.feedback.T)),
            _array(f"{name}_inputs", lanes(network.input_gains.T)),
            _array(f"{name}_outputs", lanes(network.output_gains)),
            _array(f"{name}_sos", lanes(network.line_sections.transpose(1, 2, 0))),
            _array(f"{name}_tone", network.tone),
            _array(f"{name}_lowpass", network.lowpass),
            "/* early part and direct sound: output, input, first delay, number of taps, where their gains begin */\n",
            _array(
                f"{name}_runs",
                [
                    [r.output, r.input, r.delay_samples, len(r.gains), start]
                    for r, start in zip(runs, starts, strict=True)
                ],
                whole=True,
            ),
            "/* gains of a run from its last tap to its first */\n",
            _array(f"{name}_gains", gains),
        )
    )


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
    @NAME@_lines = @LINES@, @NAME@_width = @WIDTH@, @NAME@_sections = @SECTIONS@,
    @NAME@_tones = @TONES@, @NAME@_lows = @LOWS@, @NAME@_run_count = @RUNS@,
    @NAME@_past = @PAST@, @NAME@_late = @LATE@
};

@TABLES@
typedef struct @NAME@_state {
    FDN_SAMPLE lines[@TOTAL@];
    FDN_SAMPLE past[@INPUTS@][2 * @PAST@]; /* every input twice, so that any stretch of it lies in one piece */
    double sections[@SECTION_STATE@];
    double tone[@OUTPUTS@][@TONE_STATE@], lowpass[@OUTPUTS@][@LOW_STATE@];
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
    for (int t = 0; t < frames; ++t) {
        double heard[@NAME@_width] = {0.0}, fed[@NAME@_width] = {0.0}, x[@INPUTS@], y[@OUTPUTS@];

        r->now = r->now + 1 == @NAME@_past ? 0 : r->now + 1;
        for (int k = 0; k < @INPUTS@; ++k) {
            r->past[k][r->now] = r->past[k][r->now + @NAME@_past] = in[k][t];
            x[k] = (double)r->past[k][r->now + @NAME@_past - @NAME@_late];
        }
        for (int i = 0; i < @NAME@_lines; ++i)
            heard[i] = fdn_read(r->lines + @NAME@_offsets[i], @NAME@_delays[i], r->at[i], @NAME@_delays[i]);
        for (int o = 0; o < @OUTPUTS@; ++o) {
            double sum = 0.0;
            for (int i = 0; i < @NAME@_lines; ++i)
                sum += @NAME@_outputs[o * @NAME@_width + i] * heard[i];
            y[o] = fdn_filter(@NAME@_tone, @NAME@_tones, r->tone[o], sum);
        }
        fdn_filter_lines(@NAME@_sos, @NAME@_sections, @NAME@_width, r->sections, heard);
        fdn_mix(@NAME@_feedback, heard, @NAME@_lines, @NAME@_width, fed);
        fdn_mix(@NAME@_inputs, x, @INPUTS@, @NAME@_width, fed);
        for (int i = 0; i < @NAME@_lines; ++i) {
            r->lines[@NAME@_offsets[i] + r->at[i]] = (FDN_SAMPLE)fdn_quiet(fed[i]);
            r->at[i] = r->at[i] + 1 == @NAME@_delays[i] ? 0 : r->at[i] + 1;
        }
        for (int p = 0; p < @NAME@_run_count; ++p) {
            const int *run = @NAME@_runs + 5 * p;
            const FDN_SAMPLE *from = r->past[run[1]] + r->now + @NAME@_past - run[2] - run[3] + 1;
            y[run[0]] += fdn_dot(from, @NAME@_gains + run[4], run[3]);
        }
        for (int o = 0; o < @OUTPUTS@; ++o)
            out[o][t] = (FDN_SAMPLE)fdn_filter(@NAME@_lowpass, @NAME@_lows, r->lowpass[o], y[o]);
        if (--r->until_sweep == 0) {
            r->until_sweep = FDN_SWEEP;
            fdn_sweep(r->sections, @SECTION_STATE@);
            fdn_sweep(r->tone[0], @OUTPUTS@ * @TONE_STATE@);
            fdn_sweep(r->lowpass[0], @OUTPUTS@ * @LOW_STATE@);
        }
    }
}

#endif
"""


def _write(network: Network, folder: Path) -> list[str]:
    width = padded_lines(network.lines)
    sections, past = network.line_sections.shape[1], network.longest_tap_samples + 1
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
        "RUNS": len(network.runs),
        "PAST": past,
        "LATE": network.late_delay_samples,
        "TOTAL": total,
        "SECTION_STATE": max(2 * sections * width, 1),
        "TONE_STATE": max(2 * len(network.tone), 1),
        "LOW_STATE": max(2 * len(network.lowpass), 1),
        "KIB": (4 * (total + 2 * past * network.inputs) + 16 * sections * width) // 1024 + 1,
        "TABLES": _tables(network),
        "LOOP": loop_source(),
    }
    text = _TEMPLATE
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    name = f"{network.name}.h"
    write_text(folder / name, text)
    return [name]


TARGET = ExportTarget(
    name="c99",
    purpose="C header without allocation, for JUCE, Daisy, Teensy, anything",
    host="gcc -std=c99",
    tolerance_db=FLOAT32_DB,
    measured_db="-141 (double samples: -280)",
    write=_write,
    renderer="fdnlearn.export.hosts.c_compiler:render",
)
