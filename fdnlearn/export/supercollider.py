"""``supercollider``: a SynthDef, compiled, for scsynth."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

from fdnlearn.base.files import write_text
from fdnlearn.base.types import FloatArray
from fdnlearn.export.network import ExportNetwork, TapRun
from fdnlearn.export.sections import Parametric, parametric
from fdnlearn.export.target import FLOAT32_DB, ExportTarget, Proof, TargetLimits
from fdnlearn.export.text import filled

_PROOF = Proof(
    "scsynth -N",
    FLOAT32_DB,
    "-142, with sections -134",
    "supercollider:render",
    sectioned_tolerance_db=-120.0,
)
#: Taps at successive delays that one unit takes: its section without poles.
_RUN = 3
_LIMITS = TargetLimits(lines=32, taps=512, channels=32, run=_RUN)

#: scsynth's own block. A loop through LocalOut and LocalIn takes a block more, so no line may be shorter than one.
_LONGEST_BLOCK = 64
_AUDIO, _SCALAR = 2, 0
_MULTIPLY = 2


_PROGRAM = """\
// @NAME@: a room as a feedback delay network, written by fdnlearn. Hears the first @INPUTS@ hardware input(s).
// Made for a server at @RATE@ Hz with blocks of @BLOCK@ samples and no other.
(
s.options.sampleRate = @RATE@;
s.options.blockSize = @BLOCK@;
s.options.numInputBusChannels = @INPUTS@;
s.options.numOutputBusChannels = @OUTPUTS@;
s.options.memSize = 262144;
s.options.numWireBufs = 4096;
s.waitForBoot {
    s.sendMsg("/d_load", "@NAME@.scsyndef".resolveRelative);
    s.sync;
    ~room = Synth("@NAME@", [\\out, 0]);
};
)
"""


@dataclass(frozen=True)
class _Signal:
    """An output of a unit generator, or a constant (unit -1)."""

    unit: int
    index: int


class SynthDef:
    """A graph of unit generators in the order in which they run (file format SCgf, version 2)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._constants: dict[float, int] = {}
        self._units: list[bytes] = []

    def constant(self, value: float) -> _Signal:
        """A number."""
        value = struct.unpack(">f", struct.pack(">f", value))[0]
        return _Signal(-1, self._constants.setdefault(value, len(self._constants)))

    def add(
        self, unit: str, inputs: list[_Signal], outputs: int = 1, *, rate: int = _AUDIO, special: int = 0
    ) -> list[_Signal]:
        """A unit generator; its outputs."""
        body = _text(unit) + struct.pack(">biih", rate, len(inputs), outputs, special)
        body += b"".join(struct.pack(">ii", signal.unit, signal.index) for signal in inputs)
        self._units.append(body + bytes([rate]) * outputs)
        return [_Signal(len(self._units) - 1, index) for index in range(outputs)]

    def scaled(self, signal: _Signal, gain: float) -> _Signal:
        """A signal times a number."""
        return self.add("BinaryOpUGen", [signal, self.constant(gain)], special=_MULTIPLY)[0]

    def total(self, signals: list[_Signal]) -> _Signal:
        """The sum of signals."""
        while len(signals) > 1:
            group, rest = signals[:4], signals[4:]
            unit = f"Sum{len(group)}" if len(group) >= 3 else "BinaryOpUGen"
            result = self.add(unit, group)[0]
            signals = [result, *rest]
        return signals[0] if signals else self.add("DC", [self.constant(0.0)])[0]

    def delayed(self, signal: _Signal, samples: int, rate_hz: int) -> _Signal:
        """A signal some samples later."""
        if samples == 0:
            return signal
        # half a sample more: the unit rounds down, and its seconds are single precision
        seconds = self.constant((samples + 0.5) / rate_hz)
        longest = self.constant((samples + 2.0) / rate_hz)
        return self.add("DelayN", [signal, longest, seconds])[0]

    def echoed(self, signal: _Signal, piece: TapRun, rate_hz: int) -> _Signal:
        """What a piece of a run of taps makes of a signal."""
        delayed = self.delayed(signal, piece.delay_samples, rate_hz)
        if len(piece.gains) == 1:
            return self.scaled(delayed, piece.gains[0])
        values = (*piece.gains, *(0.0,) * (5 - len(piece.gains)))
        return self.add("SOS", [delayed, *map(self.constant, values)])[0]

    def filtered(self, signal: _Signal, sections: FloatArray, rate_hz: int) -> _Signal:
        """A signal through sections in series."""
        for section in sections:
            form = parametric(section)
            unit, values = _direct_form(section) if form is None else _UNITS[form.type](form, rate_hz)
            signal = self.add(unit, [signal, *map(self.constant, values)])[0]
        return signal

    def as_bytes(self) -> bytes:
        """The file."""
        constants = struct.pack(">i", len(self._constants))
        constants += b"".join(struct.pack(">f", value) for value in self._constants)
        parameters = struct.pack(">if", 1, 0.0) + struct.pack(">i", 1) + _text("out") + struct.pack(">i", 0)
        units = struct.pack(">i", len(self._units)) + b"".join(self._units)
        head = b"SCgf" + struct.pack(">ih", 2, 1)
        return head + _text(self.name) + constants + parameters + units + struct.pack(">h", 0)


def _direct_form(section: FloatArray) -> tuple[str, list[float]]:
    b0, b1, b2, a1, a2 = map(float, section)
    return "SOS", [b0, b1, b2, -a1, -a2]


def _peak(form: Parametric, rate_hz: int) -> tuple[str, list[float]]:
    return "BPeakEQ", [form.frequency * rate_hz / (2.0 * math.pi), 1.0 / form.q, form.gain_db]


def _low_shelf(form: Parametric, rate_hz: int) -> tuple[str, list[float]]:
    a = 10.0 ** (form.gain_db / 40.0)
    slope = 1.0 + (1.0 / form.q**2 - 2.0) / (a + 1.0 / a)
    return "BLowShelf", [form.frequency * rate_hz / (2.0 * math.pi), slope, form.gain_db]


#: Units that compute their coefficients in double precision, from parameters.
_UNITS = {"peaking": _peak, "low_shelf": _low_shelf}


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("ascii")


def block_size(network: ExportNetwork) -> int:
    """The server's block that the graph is made for: its own, or less where a line is shorter."""
    return network.block_samples(_LONGEST_BLOCK)


def synth_def(network: ExportNetwork) -> SynthDef:
    """The network as a graph: hears the first hardware inputs, plays to the bus given as ``out``."""
    rate, n, inputs = network.sample_rate_hz, network.lines, network.inputs
    block = block_size(network)
    graph = SynthDef(network.name)
    bus = graph.add("Control", [], rate=_SCALAR + 1)[0]
    buses = graph.add("NumOutputBuses", [], rate=_SCALAR)[0]
    x = graph.add("In", [buses], inputs)  # hardware inputs follow the outputs
    returned = graph.add("LocalIn", [graph.constant(0.0)] * n, n)
    line_outputs = [
        graph.delayed(returned[i], int(m) - block, rate) for i, m in enumerate(network.delays_samples)
    ]
    late = [graph.delayed(signal, network.late_delay_samples, rate) for signal in x]
    absorbed = [graph.filtered(line_outputs[i], network.line_sections[i], rate) for i in range(n)]
    fed = [
        graph.total(
            [graph.scaled(absorbed[j], network.feedback[i, j]) for j in range(n)]
            + [graph.scaled(late[k], network.input_gains[i, k]) for k in range(inputs)]
        )
        for i in range(n)
    ]
    graph.add("LocalOut", fed, 0)
    outs = []
    for o in range(network.outputs):
        collected = graph.total([graph.scaled(line_outputs[i], network.output_gains[o, i]) for i in range(n)])
        terms = [graph.filtered(collected, network.tone, rate)]
        terms += [
            graph.echoed(x[piece.input], piece, rate) for piece in network.pieces(_RUN) if piece.output == o
        ]
        outs.append(graph.filtered(graph.total(terms), network.lowpass, rate))
    graph.add("Out", [bus, *outs], 0)
    return graph


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    names = [f"{network.name}.scsyndef", f"{network.name}.scd"]
    (folder / names[0]).write_bytes(synth_def(network).as_bytes())
    values = {
        "NAME": network.name,
        "RATE": network.sample_rate_hz,
        "BLOCK": block_size(network),
        "INPUTS": network.inputs,
        "OUTPUTS": network.outputs,
    }
    write_text(folder / names[1], filled(_PROGRAM, values))
    return names


TARGET = ExportTarget(
    "supercollider", "compiled SynthDef (audio and parameters in single precision)", _write, _PROOF, _LIMITS
)
