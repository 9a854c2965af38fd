"""``wav``: the impulse response itself as float32, for any convolution reverb."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fdnlearn.base.audio import write_audio
from fdnlearn.export.network import ExportNetwork
from fdnlearn.export.target import FLOAT32_DB, ExportTarget, Proof

_PROOF = Proof("libsndfile", FLOAT32_DB, "-148", "audio_file:render_wav")


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    """Channels in the order input 0 to every output, input 1 to every output: true stereo is LL, LR, RL, RR."""
    response = network.impulse_response()
    name = f"{network.name}.wav"
    write_audio(folder / name, np.concatenate(response.swapaxes(0, 1)), network.sample_rate_hz)
    return [name]


TARGET = ExportTarget("wav", "impulse response for convolution reverbs (float32)", _write, _PROOF)
