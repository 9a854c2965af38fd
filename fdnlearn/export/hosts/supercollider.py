"""The SuperCollider export, rendered by ``scsynth`` in non-real time."""

from __future__ import annotations

import struct

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, find, impulse_file, recorded, run
from fdnlearn.export.supercollider import block_size

#: A synth's filters see its first sample once more while they are made: the impulse comes a block later.
_START = 64


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _message(address: str, *arguments: int | str | bytes) -> bytes:
    """One OSC message."""
    tags, body = ",", b""
    for argument in arguments:
        if isinstance(argument, int):
            tags, body = tags + "i", body + struct.pack(">i", argument)
        elif isinstance(argument, str):
            tags, body = tags + "s", body + _padded(argument.encode() + b"\0")
        else:
            tags, body = tags + "b", body + struct.pack(">i", len(argument)) + _padded(argument)
    return _padded(address.encode() + b"\0") + _padded(tags.encode() + b"\0") + body


def _bundle(seconds: float, message: bytes) -> bytes:
    """A bundle of one message, its size in front, as the non-real-time mode reads it."""
    body = b"#bundle\0" + struct.pack(">Q", int(seconds * 2**32)) + struct.pack(">i", len(message)) + message
    return struct.pack(">i", len(body)) + body


@shapes_checked
def render(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """Play a score of one synth."""
    scsynth = find("scsynth", "apt-get install supercollider-server")
    network = job.network
    seconds = (job.samples + 256) / network.sample_rate_hz
    score = _bundle(0.0, _message("/d_recv", job.files[0].read_bytes()))
    score += _bundle(0.0, _message("/s_new", network.name, 1000, 0, 0))
    score += _bundle(seconds, _message("/c_set", 0, 0))
    (job.scratch / "score.osc").write_bytes(score)
    impulse = impulse_file(job, 512, at=_START)
    command = [scsynth, "-N", "score.osc", impulse.name, "response.wav", str(network.sample_rate_hz)]
    sizes = ["-o", str(network.outputs), "-i", str(network.inputs), "-m", "262144", "-w", "4096"]
    sizes += ["-z", str(block_size(network))]
    run([*command, "WAV", "float", *sizes], job.scratch)
    return recorded(job.scratch / "response.wav", job, start=_START)
