"""``puredata``: an abstraction for Pure Data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fdnlearn.base.files import write_text
from fdnlearn.base.types import FloatArray
from fdnlearn.export.network import ExportNetwork
from fdnlearn.export.sections import ComplexPole, by_poles
from fdnlearn.export.target import FLOAT32_DB, ExportTarget, Proof, TargetLimits

_PROOF = Proof(
    "pd -batch", FLOAT32_DB, "-142, with sections -128", "puredata:render", sectioned_tolerance_db=-120.0
)
#: Taps at successive delays that one object takes: its section without poles.
_RUN = 3
_LIMITS = TargetLimits(lines=32, taps=1024, channels=32, run=_RUN)

#: Pd's own block; no line may be shorter than a block.
_LONGEST_BLOCK = 64


def _number(value: float) -> str:
    """What Pd's parser reads back as the nearest single-precision number."""
    return f"{value:.9g}"


class _Canvas:
    """One canvas: objects by index, then the connections between them."""

    def __init__(self) -> None:
        self.objects: list[str] = []
        self.connections: list[str] = []

    def add(self, text: str, column: int = 0) -> int:
        """An object, below the one before; Pd counts the inlets and outlets of a canvas by their columns."""
        self.objects.append(f"#X obj {10 + 60 * column} {20 * len(self.objects) + 10} {text};")
        return len(self.objects) - 1

    def nest(self, canvas: _Canvas, name: str) -> int:
        """A subpatch."""
        lines = [f"#N canvas 0 0 600 400 {name} 0;", *canvas.objects, *canvas.connections]
        lines.append(f"#X restore 10 {20 * len(self.objects) + 10} pd {name};")
        self.objects.append("\n".join(lines))
        return len(self.objects) - 1

    def connect(self, source: int, target: int, *, outlet: int = 0, inlet: int = 0) -> None:
        """A cable."""
        self.connections.append(f"#X connect {source} {outlet} {target} {inlet};")

    def _behind(self, source: int, text: str) -> int:
        """An object that hears another."""
        target = self.add(text)
        self.connect(source, target)
        return target

    def scaled(self, source: int, gain: float, target: int, *, outlet: int = 0, inlet: int = 0) -> None:
        """A cable with a gain; signals that meet in an inlet are added."""
        if gain != 0.0:
            factor = self.add(f"*~ {_number(gain)}")
            self.connect(source, factor, outlet=outlet)
            self.connect(factor, target, inlet=inlet)

    def filtered(self, source: int, sections: FloatArray) -> int:
        """The end of a cascade of sections behind an object."""
        for section in sections:
            source = self._by_poles(source, section)
        return source

    def section(self, source: int, zeros: Iterable[float], poles: Iterable[float] = (0.0, 0.0)) -> int:
        """A section ``b0 b1 b2`` over ``1 a1 a2`` as one object."""
        return self._behind(source, f"biquad~ {' '.join(map(_number, (*(-a for a in poles), *zeros)))}")

    def _by_poles(self, source: int, section: FloatArray) -> int:
        form = by_poles(section)
        if form is None:
            return self.section(source, section[:3], section[3:])
        collected = self.add("+~")
        self.scaled(source, form.direct, collected)
        if isinstance(form, ComplexPole):
            pole = self._behind(source, f"cpole~ {_number(form.pole.real)} {_number(form.pole.imag)}")
            self.scaled(pole, form.residue.real, collected)
            self.scaled(pole, -form.residue.imag, collected, outlet=1)
            return collected
        for place, gain in ((form.pole_1, form.first), (form.pole_2, form.second)):
            source = self._behind(source, f"rpole~ {_number(place)}")
            self.scaled(source, gain, collected)
        return collected


def _writers(network: ExportNetwork) -> _Canvas:
    """Inputs on their way into delay lines; a canvas of its own, so that it runs before whoever reads them."""
    canvas = _Canvas()
    longest_ms = _milliseconds(network, network.longest_tap_samples + 2 * _LONGEST_BLOCK)
    for k in range(network.inputs):
        inlet, outlet = canvas.add("inlet~", k), canvas.add("outlet~", k)
        writer = canvas.add(f"delwrite~ $0-input{k} {longest_ms}")
        canvas.connect(inlet, writer)
        canvas.connect(inlet, outlet)
    return canvas


def _milliseconds(network: ExportNetwork, samples: int) -> str:
    return _number(1000.0 * samples / network.sample_rate_hz)


def _readers(network: ExportNetwork) -> _Canvas:
    """Everything that hears the inputs: the early part and the lines."""
    canvas = _Canvas()
    inlets = [canvas.add("inlet~", k) for k in range(network.inputs)]
    outlets = [canvas.add("outlet~", o) for o in range(network.outputs)]

    def delayed(k: int, samples: int) -> int:
        if samples == 0:
            return inlets[k]
        return canvas.add(f"delread~ $0-input{k} {_milliseconds(network, samples)}")

    n = network.lines
    line_outputs = [
        canvas.add(f"delread~ $0-line{i} {_milliseconds(network, int(m))}")
        for i, m in enumerate(network.delays_samples)
    ]
    late = [delayed(k, network.late_delay_samples) for k in range(network.inputs)]
    absorbed = [canvas.filtered(line_outputs[i], network.line_sections[i]) for i in range(n)]
    for i, m in enumerate(network.delays_samples):
        length_ms = _milliseconds(network, int(m) + 2 * _LONGEST_BLOCK)
        writer = canvas.add(f"delwrite~ $0-line{i} {length_ms}")
        for j in range(n):
            canvas.scaled(absorbed[j], network.feedback[i, j], writer)
        for k in range(network.inputs):
            canvas.scaled(late[k], network.input_gains[i, k], writer)
    sums = [canvas.add("+~") for _ in range(network.outputs)]
    for o in range(network.outputs):
        collected = canvas.add("+~")
        for i in range(n):
            canvas.scaled(line_outputs[i], network.output_gains[o, i], collected)
        canvas.connect(canvas.filtered(collected, network.tone), sums[o])
        canvas.connect(canvas.filtered(sums[o], network.lowpass), outlets[o])
    for piece in network.pieces(_RUN):
        source = delayed(piece.input, piece.delay_samples)
        if len(piece.gains) == 1:
            canvas.scaled(source, piece.gains[0], sums[piece.output])
        else:
            canvas.connect(canvas.section(source, (*piece.gains, 0.0)[:_RUN]), sums[piece.output])
    return canvas


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    block = network.block_samples(_LONGEST_BLOCK)
    room = _Canvas()
    inlets = [room.add("inlet~", k) for k in range(network.inputs)]
    outlets = [room.add("outlet~", o) for o in range(network.outputs)]
    writers, readers = room.nest(_writers(network), "inputs"), room.nest(_readers(network), "network")
    for k, inlet in enumerate(inlets):
        room.connect(inlet, writers, inlet=k)
        room.connect(writers, readers, outlet=k, inlet=k)
    for o, outlet in enumerate(outlets):
        room.connect(readers, outlet, outlet=o)
    room.add(f"block~ {block} 1 1")
    patch = _Canvas()
    outer = [patch.add("inlet~", k) for k in range(network.inputs)]
    ends = [patch.add("outlet~", o) for o in range(network.outputs)]
    inner = patch.nest(room, "room")
    for k, inlet in enumerate(outer):
        patch.connect(inlet, inner, inlet=k)
    for o, outlet in enumerate(ends):
        patch.connect(inner, outlet, outlet=o)
    remark = (
        f"#X text 200 10 {network.name}: a room \\, written by fdnlearn for {network.sample_rate_hz} Hz and no "
        "other. The room alone \\, its direct sound included.;"
    )
    patch.objects.append(remark)
    lines = ["#N canvas 0 0 800 400 12;", *patch.objects, *patch.connections]
    name = f"{network.name}~.pd"
    write_text(folder / name, "\n".join(lines) + "\n")
    return [name]


TARGET = ExportTarget(
    "puredata", "Pure Data abstraction (single precision throughout)", _write, _PROOF, _LIMITS
)
