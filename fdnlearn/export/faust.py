"""``faust``: a Faust program without libraries, for everything that Faust compiles to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fdnlearn.base.files import write_text
from fdnlearn.base.types import FloatArray
from fdnlearn.export.network import ExportNetwork, TapRun
from fdnlearn.export.target import DOUBLE_DB, ExportTarget, Proof, TargetLimits
from fdnlearn.export.text import number, signed, wrapped

_PROOF = Proof(
    "faust -double and g++",
    DOUBLE_DB,
    "-279 (compiled without -double it loses accuracy)",
    "faust_compiler:render",
)
_LIMITS = TargetLimits(lines=64, taps=4096, channels=64)
#: Runs from this length on are convolutions, of pieces of this length.
_DENSE = 16

_HEADER = """\
declare name "{name}";
declare description "A room as a feedback delay network of {lines} lines, written by fdnlearn";
declare samplerate "{rate}";

// For a sample rate of {rate} Hz and no other. Compile with -double: in single precision sections lose accuracy.
// {inputs} input(s), {outputs} output(s): the room alone, its direct sound included.

// a second-order section
section(b0, b1, b2, a1, a2) = feedforward : + ~ feedback
with {{
    feedforward(x) = b0 * x + b1 * x' + b2 * x'';
    feedback(y) = 0 - a1 * y - a2 * y';
}};
"""


def _row(gains: Iterable[float]) -> str:
    """A weighted sum of as many signals as there are gains."""
    return f"({wrapped((f'*({number(g)})' for g in gains), width=90, indent='        ')} :> _)"


def _rows(matrix: FloatArray) -> str:
    """A matrix: a bus of columns to a bus of rows."""
    rows = ",\n    ".join(_row(row) for row in matrix)
    return f"par(i, {matrix.shape[1]}, _) <:\n    {rows}"


def _cascade(sections: FloatArray) -> str:
    filters = " : ".join(f"section({', '.join(map(number, row))})" for row in sections)
    return f"({filters})" if filters else "_"


def _terms(gains: Iterable[float], signal: str, late: int) -> list[str]:
    return [f"{signed(gain)} * {signal}@{late + step}" for step, gain in enumerate(gains)]


def _convolution(name: str, gains: tuple[float, ...]) -> str:
    """Definitions of a function that convolves: piece by piece, since sums of many terms take Faust long."""
    starts = range(0, len(gains), _DENSE)
    text = ""
    for start in reversed(starts):
        terms = _terms(gains[start : start + _DENSE], "x", 0)
        if start != starts[-1]:
            terms.append(f"{name}_{start + _DENSE}(x)@{_DENSE}")
        text += f"\n{name}_{start}(x) =\n        {wrapped(terms, ' + ', indent='        ')};\n"
    return text


def _early(runs: Iterable[TapRun], output: int, names: str) -> str:
    """Head and early part of one output: sums over short runs of taps, and long ones as convolutions."""
    text, terms = "", []
    for place, run in enumerate(runs):
        if len(run.gains) < _DENSE:
            terms += _terms(run.gains, f"x{run.input}", run.delay_samples)
        else:
            name = f"run{output}_{place}"
            text += _convolution(name, run.gains)
            terms.append(f"{name}_0(x{run.input}@{run.delay_samples})")
    return f"{text}\nearly{output}({names}) =\n        {wrapped(terms, ' + ', indent='        ') if terms else '0'};\n"


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    n, inputs, outputs = network.lines, network.inputs, network.outputs
    names = ", ".join(f"x{k}" for k in range(inputs))
    text = _HEADER.format(
        name=network.name, lines=n, rate=network.sample_rate_hz, inputs=inputs, outputs=outputs
    )
    # the loop of `~` holds one sample of every delay; what comes from outside gets it by mem
    delays = ", ".join(f"@({int(m) - 1})" for m in network.delays_samples)
    late = f"@({network.late_delay_samples})"
    text += f"\nlines = {delays};\n"
    text += f"\nfeedback =\n    {_rows(network.feedback)};\n"
    absorption = ",\n    ".join(_cascade(s) for s in network.line_sections)
    text += f"\nabsorption =\n    {absorption};\n"
    text += f"\ninjection =\n    {_rows(network.input_gains)};\n"
    text += f"\ncollection =\n    {_rows(network.output_gains)};\n"
    text += f"\ntone = {_cascade(network.tone)};\n"
    text += f"\nlowpass = {_cascade(network.lowpass)};\n"
    text += (
        f"\nlate = par(k, {inputs}, {late} : mem) : injection\n"
        f"    : ((par(i, {2 * n}, _) :> par(i, {n}, _)) : lines) ~ (absorption : feedback)\n"
        f"    : collection : par(o, {outputs}, tone);\n"
    )
    for output in range(outputs):
        text += _early((run for run in network.runs if run.output == output), output, names)
    early = ", ".join(f"early{o}" for o in range(outputs))
    every = f"par(k, {inputs}, _)"
    text += f"\nprocess = {every} <: late, ({every} <: {early}) :> par(o, {outputs}, lowpass);\n"
    name = f"{network.name}.dsp"
    write_text(folder / name, text)
    return [name]


TARGET = ExportTarget(
    "faust", "Faust program, for everything that Faust compiles to", _write, _PROOF, _LIMITS
)
