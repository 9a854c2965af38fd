"""``jsfx``: an effect for REAPER, in its own language (EEL2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fdnlearn.base.files import write_text
from fdnlearn.export.network import ExportNetwork
from fdnlearn.export.target import FLOAT32_DB, ExportTarget, Proof, TargetLimits
from fdnlearn.export.text import filled, fixed

_PROOF = Proof("none at hand (REAPER or ysfx); its syntax is tested", FLOAT32_DB, "unverified")
_LIMITS = TargetLimits(lines=64, taps=32768, channels=64)

# Identifiers know no case, numbers no exponents. ``a[b]`` is the memory cell a + b. The program below has no loop over
# channels in the signal path that could not be read aloud: names ending in _at are places in memory.
_PROGRAM = """\
desc:@NAME@ (room as a feedback delay network, fdnlearn)
tags: reverb room
slider1:wet_db=0<-120,12,0.1>Wet (dB)
slider2:dry_db=-120<-120,12,0.1>Dry (dB)
@PINS@
options:no_meter

// @LINES@ lines for @RATE@ Hz and no other: at other project rates the effect passes the dry signal.
// Wet is the room alone, its direct sound included.

@init
lines = @LINES@; ins = @INPUTS@; outs = @OUTPUTS@; sections = @SECTIONS@; tones = @TONES@; lows = @LOWS@;
runs = @RUNS@; past = @PAST@; late = @LATE@; rate = @RATE@;
delay_at = 0; offset_at = delay_at + lines; feedback_at = offset_at + lines;
in_gain_at = feedback_at + lines * lines; out_gain_at = in_gain_at + lines * ins;
sos_at = out_gain_at + outs * lines; tone_at = sos_at + lines * sections * 5; low_at = tone_at + tones * 5;
run_at = low_at + lows * 5; gain_at = run_at + runs * 5; state_at = gain_at + @TAPS@;
tone_state_at = state_at + lines * sections * 2; low_state_at = tone_state_at + outs * tones * 2;
head_at = low_state_at + outs * lows * 2; heard_at = head_at + lines; x_at = heard_at + lines;
y_at = x_at + ins; dry_at = y_at + outs; past_at = dry_at + ins; line_at = past_at + ins * 2 * past;
end_at = line_at + @TOTAL@;
memset(state_at, 0, end_at - state_at);
freembuf(end_at);
now = 0; ext_tail_size = -1;
@TABLES@

function cascade(x, c_at, z_at, count) local(y) (
  loop(count,
    y = c_at[0] * x + z_at[0];
    z_at[0] = c_at[1] * x - c_at[3] * y + z_at[1];
    z_at[1] = c_at[2] * x - c_at[4] * y;
    x = y; c_at += 5; z_at += 2;
  );
  x
);

function quiet(x) ( abs(x) < 0.000000000000000000000000000001 ? 0 : x );

@slider
wet = wet_db <= -120 ? 0 : 10 ^ (wet_db / 20);
dry = dry_db <= -120 ? 0 : 10 ^ (dry_db / 20);

@sample
srate == rate ? (
  now = now + 1 == past ? 0 : now + 1;
  k = 0;
  loop(ins,
    v = spl(k); dry_at[k] = v; c = past_at + 2 * past * k;
    c[now] = v; c[now + past] = v; x_at[k] = c[now + past - late]; k += 1;
  );
  i = 0;
  loop(lines, c = line_at + offset_at[i]; heard_at[i] = c[head_at[i]]; i += 1; );
  o = 0;
  loop(outs,
    v = 0; i = 0; c = out_gain_at + o * lines;
    loop(lines, v += c[i] * heard_at[i]; i += 1; );
    y_at[o] = cascade(v, tone_at, tone_state_at + 2 * tones * o, tones); o += 1;
  );
  i = 0;
  loop(lines,
    heard_at[i] = cascade(heard_at[i], sos_at + 5 * sections * i, state_at + 2 * sections * i, sections); i += 1;
  );
  i = 0;
  loop(lines,
    v = 0; k = 0; c = in_gain_at + i * ins;
    loop(ins, v += c[k] * x_at[k]; k += 1; );
    j = 0; c = feedback_at + i * lines;
    loop(lines, v += c[j] * heard_at[j]; j += 1; );
    c = line_at + offset_at[i]; c[head_at[i]] = quiet(v);
    head_at[i] = head_at[i] + 1 == delay_at[i] ? 0 : head_at[i] + 1; i += 1;
  );
  p = run_at;
  loop(runs,
    c = past_at + 2 * past * p[1] + now + past - p[2]; g = gain_at + p[4]; v = 0;
    loop(p[3], v += g[0] * c[0]; g += 1; c -= 1; );
    y_at[p[0]] += v; p += 5;
  );
  o = 0;
  loop(outs,
    v = cascade(y_at[o], low_at, low_state_at + 2 * lows * o, lows);
    spl(o) = wet * v + dry * dry_at[min(o, ins - 1)]; o += 1;
  );
) : 0;
"""


def _table(place: str, values: npt.ArrayLike) -> str:
    flat = np.asarray(values, dtype=np.float64).ravel()
    cells = [f"{place}[{i}] = {fixed(v)};" for i, v in enumerate(flat)]
    return "".join(" ".join(cells[s : s + 3]) + "\n" for s in range(0, len(cells), 3))


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    delays = network.delays_samples
    starts = np.concatenate(([0], np.cumsum([len(run.gains) for run in network.runs])))[:-1]
    runs = [
        [run.output, run.input, run.delay_samples, len(run.gains), start]
        for run, start in zip(network.runs, starts, strict=True)
    ]
    tables = (
        _table("delay_at", delays)
        + _table("offset_at", np.concatenate(([0], np.cumsum(delays)[:-1])))
        + _table("feedback_at", network.feedback)
        + _table("in_gain_at", network.input_gains)
        + _table("out_gain_at", network.output_gains)
        + _table("sos_at", network.line_sections)
        + _table("tone_at", network.tone)
        + _table("low_at", network.lowpass)
        + _table("run_at", runs)
        + _table("gain_at", [gain for run in network.runs for gain in run.gains])
    )
    pins = [f"in_pin:input {k + 1}" for k in range(network.inputs)]
    pins += [f"out_pin:output {o + 1}" for o in range(network.outputs)]
    values = {
        "NAME": network.name,
        "PINS": "\n".join(pins),
        "LINES": network.lines,
        "RATE": network.sample_rate_hz,
        "INPUTS": network.inputs,
        "OUTPUTS": network.outputs,
        "SECTIONS": network.line_sections.shape[1],
        "TONES": len(network.tone),
        "LOWS": len(network.lowpass),
        "RUNS": len(network.runs),
        "TAPS": len(network.taps),
        "PAST": network.longest_tap_samples + 1,
        "LATE": network.late_delay_samples,
        "TOTAL": int(delays.sum()),
        "TABLES": tables,
    }
    name = f"{network.name}.jsfx"
    write_text(folder / name, filled(_PROGRAM, values))
    return [name]


TARGET = ExportTarget("jsfx", "effect for REAPER", _write, _PROOF, _LIMITS)
