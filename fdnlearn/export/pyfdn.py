"""``pyfdn``: a JSON build for pyFDN (``pyfdn-fdn-build``, version 2).

pyFDN filters what a line gives before it is heard, and knows neither early taps nor a late delay. All of that is said
with more lines, which nothing feeds back into themselves:

* a line that has a loop filter is doubled; both copies are fed alike, one is filtered and only recirculates, the other
  is only heard;
* a tap is a line of its own from an input to the outputs that hear it; where lines have S sections anyway, 2 S + 1 taps
  at successive delays are one line, whose sections have their zeros and no poles;
* a late delay is a line from an input to the network.

It goes on by the shortest of all lines at once, a sample at a time where there are taps, and so takes its time.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.signal import zpk2sos

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import write_text
from fdnlearn.base.types import FloatArray
from fdnlearn.export.network import ExportNetwork
from fdnlearn.export.target import DOUBLE_DB, ExportTarget, Proof, TargetLimits

_PROOF = Proof("pyFDN 0.5", DOUBLE_DB, "-279", "pyfdn:render", tapped_longest_s=0.05)
_LIMITS = TargetLimits(lines=256)
#: pyFDN multiplies by a matrix of all lines.
_TAP_LINES = 512
#: Sections among which the zeros of a run of taps are shared out: those of polynomials of a higher degree lose digits.
_RUN_SECTIONS = 9

FORMAT, VERSION = "pyfdn-fdn-build", 2


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    name = f"{network.name}.pyfdn.json"
    write_text(folder / name, json.dumps(build(network), indent=1, allow_nan=False) + "\n")
    return [name]


def tap_lines(network: ExportNetwork) -> dict[tuple[int, int, tuple[float, ...]], dict[int, float]]:
    """Lines for taps: input, delay and gains of its sections, each with its gain in every output that hears it."""
    lines: dict[tuple[int, int, tuple[float, ...]], dict[int, float]] = {}
    sections = min(max(network.line_sections.shape[1], len(network.tone)), _RUN_SECTIONS)
    for run in network.pieces(2 * sections + 1):
        # a line delays by one sample at least
        piece = replace(run, delay_samples=1, gains=run.gains[1:]) if run.delay_samples == 0 else run
        if len(piece.gains) == 1:
            lines.setdefault((piece.input, piece.delay_samples, (1.0,)), {})[piece.output] = piece.gains[0]
        elif piece.gains:
            lines.setdefault((piece.input, piece.delay_samples, piece.gains), {})[piece.output] = 1.0
    return lines


def _refuse(network: ExportNetwork) -> None:
    if (count := len(tap_lines(network))) > _TAP_LINES:
        raise FdnlearnError(
            "pyfdn", f"carries at most {_TAP_LINES} lines of early taps, not {count}", "choose another target"
        )


def build(network: ExportNetwork) -> dict[str, object]:
    """The build as plain data.

    Raises
    ------
    FdnlearnError
        If a direct sound without delay would have to pass the low-pass above the fit's rate.
    """
    n, inputs, outputs = network.lines, network.inputs, network.outputs
    direct = [tap for tap in network.taps if tap.delay_samples == 0]
    delayed = tap_lines(network)
    if direct and len(network.lowpass):
        raise FdnlearnError(
            "pyfdn",
            f"cannot low-pass a direct sound at {network.sample_rate_hz} Hz, above the rate of the fit",
            f"export it at {network.fdn.sample_rate_hz} Hz or choose another target",
        )
    doubled = network.line_sections.shape[1] > 0 or (len(network.tone) > 0 and bool(delayed))
    copies = 2 * n if doubled else n
    late = network.late_delay_samples
    total = copies + (inputs if late else 0) + len(delayed)
    a, b, c = np.zeros((total, total)), np.zeros((total, inputs)), np.zeros((outputs, total))
    d = np.zeros((outputs, inputs))
    delays = np.ones(total, dtype=np.int64)
    sections = max(network.line_sections.shape[1], len(network.tone) if doubled else 0)
    post_delay = np.tile([1.0, 0.0, 0.0, 1.0, 0.0, 0.0], (sections, total, 1)).transpose(0, 2, 1)

    for copy in range(copies // n):
        rows = slice(copy * n, (copy + 1) * n)
        a[rows, :n] = network.feedback
        delays[rows] = network.delays_samples
        if late:
            a[rows, copies : copies + inputs] = network.input_gains
        else:
            b[rows] = network.input_gains
    c[:, copies - n : copies] = network.output_gains
    if doubled:
        for i in range(n):
            post_delay[: network.line_sections.shape[1], :, i] = _six(network.line_sections[i])
            post_delay[: len(network.tone), :, n + i] = _six(network.tone)
    if late:
        b[copies : copies + inputs] = np.eye(inputs)
        delays[copies : copies + inputs] = late
    for line, ((input_, delay, gains), heard) in enumerate(delayed.items(), total - len(delayed)):
        b[line, input_] = 1.0
        delays[line] = delay
        if len(gains) > 1:
            zeros = np.roots(gains)
            cascade = zpk2sos(zeros, np.zeros(len(zeros)), gains[0])  # type: ignore[arg-type]  # complex ones too
            post_delay[: len(cascade), :, line] = cascade
        for output, gain in heard.items():
            c[output, line] = gain
    for tap in direct:
        d[tap.output, tap.input] = tap.gain
    outside = network.lowpass if doubled else np.concatenate((network.tone, network.lowpass))
    post_output = np.repeat(_six(outside)[:, :, None], outputs, axis=2)
    return {
        "format": FORMAT,
        "version": VERSION,
        "feedback_matrix": a.tolist(),
        "input_matrix": b.tolist(),
        "output_matrix": c.tolist(),
        "direct_matrix": d.tolist(),
        "delays": delays.tolist(),
        "sample_rate": float(network.sample_rate_hz),
        "post_delay": post_delay.tolist() if sections else None,
        "post_matrix": None,
        "post_output": post_output.tolist() if len(outside) else None,
        "metadata": {"name": network.name, "source": "fdnlearn"},
    }


def _six(sections: FloatArray) -> FloatArray:
    """Sections with their a0 = 1."""
    return np.insert(sections, 3, 1.0, axis=-1)


TARGET = ExportTarget("pyfdn", "JSON build for pyFDN", _write, _PROOF, _LIMITS, refuse=_refuse)
