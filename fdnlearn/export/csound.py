"""``csound``: a Csound instrument."""

from __future__ import annotations

from pathlib import Path

from fdnlearn.base.files import write_text
from fdnlearn.export.network import ExportNetwork
from fdnlearn.export.target import DOUBLE_DB, ExportTarget, Proof, TargetLimits
from fdnlearn.export.text import number, wrapped

_PROOF = Proof("csound", DOUBLE_DB, "-282", "csound:render")
_LIMITS = TargetLimits(lines=64, taps=16384, channels=64)

#: Longest control period; a line shorter than a period would not be exact.
_LONGEST_PERIOD = 64
#: Taps of one convolution table; Csound limits the arguments of one statement.
_TABLE = 256
#: Runs from this length on are convolutions, shorter ones single delays.
_DENSE = 16

_FRAME = """\
; {name}: a room as a feedback delay network of {lines} lines. Written by fdnlearn; do with this file what you like.
; {inputs} input(s), {outputs} output(s): the room alone, its direct sound included. {rate} Hz and no other.
;   csound -i dry.wav -o wet.wav -W -f --smacro:SECONDS=10 {name}.csd
<CsoundSynthesizer>
<CsInstruments>
sr = {rate}
ksmps = {period}
nchnls = {outputs}
nchnls_i = {inputs}
0dbfs = 1
{tables}
instr 1
{body}
endin
</CsInstruments>
<CsScore>
#ifndef SECONDS
#define SECONDS #36000#
#end
i 1 0 $SECONDS
e
</CsScore>
</CsoundSynthesizer>
"""


def _sum(terms: list[str]) -> str:
    return wrapped(terms, " + ", indent="    ").replace("\n", " \\\n") if terms else "0"


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    rate, n = network.sample_rate_hz, network.lines
    period = network.block_samples(_LONGEST_PERIOD)
    tables: list[str] = []
    body: list[str] = []

    def delayed(signal: str, samples: int) -> str:
        """A copy of a signal that comes some samples later."""
        if samples == 0:
            return signal
        copy = f"ad{len(body)}"
        body.append(f"  {copy} delay {signal}, {samples} / sr")
        return copy

    def filtered(signal: str, sections: object, stem: str) -> str:
        for s, (b0, b1, b2, a1, a2) in enumerate(sections):  # type: ignore[var-annotated,arg-type]
            name = f"{stem}_{s}"
            values = ", ".join(map(number, (b0, b1, b2, 1.0, a1, a2)))
            body.append(f"  {name} biquad {signal}, {values}")
            signal = name
        return signal

    inputs = [f"ax{k}" for k in range(network.inputs)]
    body.extend(f"  ax{k} inch {k + 1}" for k in range(network.inputs))
    late = [delayed(name, network.late_delay_samples) for name in inputs]
    body.extend(f"  as{i} delayr {int(m)} / sr" for i, m in enumerate(network.delays_samples))
    absorbed = [filtered(f"as{i}", network.line_sections[i], f"af{i}") for i in range(n)]
    for i in reversed(range(n)):  # the innermost delayr is written first
        terms = [f"({number(network.feedback[i, j])}) * {absorbed[j]}" for j in range(n)]
        terms += [f"({number(network.input_gains[i, k])}) * {late[k]}" for k in range(network.inputs)]
        body.append(f"  aw{i} = {_sum(terms)}")
    # delayw writes the delayr that was opened first
    body.extend(f"  delayw aw{i}" for i in range(n))
    echoes: list[list[str]] = [[] for _ in range(network.outputs)]
    for p, run in enumerate(network.pieces(_TABLE)):
        if len(run.gains) < _DENSE:
            for later, gain in enumerate(run.gains):
                copy = delayed(inputs[run.input], run.delay_samples + later)
                echoes[run.output].append(f"({number(gain)}) * {copy}")
        else:
            size = len(run.gains)
            tables.append(f"gi{p} ftgen 0, 0, -{size}, -2, {', '.join(map(number, run.gains))}")
            copy = delayed(inputs[run.input], run.delay_samples)
            body.append(f"  ac{p} dconv {copy}, {size}, gi{p}")
            echoes[run.output].append(f"ac{p}")
    for o in range(network.outputs):
        terms = [f"({number(network.output_gains[o, i])}) * as{i}" for i in range(n)]
        body.append(f"  al{o} = {_sum(terms)}")
        tone = filtered(f"al{o}", network.tone, f"at{o}")
        body.append(f"  ae{o} = {_sum([*echoes[o], tone])}")
        body.append(f"  outch {o + 1}, {filtered(f'ae{o}', network.lowpass, f'ap{o}')}")
    text = _FRAME.format(
        name=network.name,
        lines=n,
        rate=rate,
        period=period,
        inputs=network.inputs,
        outputs=network.outputs,
        tables="\n".join(tables),
        body="\n".join(body),
    )
    name = f"{network.name}.csd"
    write_text(folder / name, text)
    return [name]


TARGET = ExportTarget("csound", "Csound instrument", _write, _PROOF, _LIMITS)
