"""``webaudio``: an AudioWorklet module, for web pages."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from fdnlearn.base.files import write_text
from fdnlearn.export.network import ExportNetwork
from fdnlearn.export.target import FLOAT32_DB, ExportTarget, Proof
from fdnlearn.export.text import filled

_PROOF = Proof("headless Chromium", FLOAT32_DB, "-148", "chromium:render")


def network_loop() -> str:
    """JavaScript of ``class Network``, the loop itself: made from `network_data`, it needs no audio context."""
    return files("fdnlearn.export").joinpath("webaudio_network.js").read_text(encoding="utf-8")


def network_data(network: ExportNetwork) -> dict[str, Any]:
    """Everything that the loop needs to know of a network, plain JSON values."""
    return {
        "name": network.name,
        "sampleRate": network.sample_rate_hz,
        "delays": network.delays_samples.tolist(),
        "feedback": network.feedback.tolist(),
        "inputGains": network.input_gains.tolist(),
        "outputGains": network.output_gains.tolist(),
        "sections": network.line_sections.tolist(),
        "tone": network.tone.tolist(),
        "lowpass": network.lowpass.tolist(),
        "runs": [
            {"output": r.output, "input": r.input, "delay": r.delay_samples, "gains": list(r.gains)}
            for r in network.runs
        ],
        "lateDelay": network.late_delay_samples,
    }


def _data(network: ExportNetwork) -> str:
    """The same as a JavaScript object, one entry a line."""
    entries = network_data(network)
    lines = (f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in entries.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    template = files("fdnlearn.export").joinpath("webaudio.js").read_text(encoding="utf-8")
    values = {
        "NAME": network.name,
        "RATE": network.sample_rate_hz,
        "INPUTS": network.inputs,
        "OUTPUTS": network.outputs,
        "DATA": _data(network),
        "LOOP": network_loop().rstrip("\n"),
    }
    name = f"{network.name}.js"
    write_text(folder / name, filled(template, values))
    return [name]


TARGET = ExportTarget("webaudio", "AudioWorklet module, for web pages", _write, _PROOF)
