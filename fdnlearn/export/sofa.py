"""``sofa``: the impulse responses as AES69 (SOFA), convention GeneralFIR, in double precision."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from fdnlearn.export.network import ExportNetwork
from fdnlearn.export.target import DOUBLE_DB, ExportTarget, Proof

_PROOF = Proof("sofar", DOUBLE_DB, "-400 (exact)", "audio_file:render_sofa")


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    """One measurement per input, one receiver per output."""
    rate = network.sample_rate_hz
    responses = np.ascontiguousarray(network.impulse_response().swapaxes(0, 1))
    name = f"{network.name}.sofa"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks of the library about its own conventions
        import sofar

        sofa = sofar.Sofa("GeneralFIR")
        sofa.Data_IR = responses
        sofa.Data_SamplingRate = float(rate)
        sofa.Data_Delay = np.zeros((1, network.outputs))
        sofa.ListenerPosition = np.zeros((1, 3))
        sofa.ReceiverPosition = np.zeros((network.outputs, 3))
        sofa.SourcePosition = np.zeros((network.inputs, 3))
        sofa.GLOBAL_Title = network.name
        sofa.GLOBAL_ApplicationName = "fdnlearn"
        sofa.GLOBAL_Comment = "measurements are inputs, receivers are outputs"
        sofar.write_sofa(str(folder / name), sofa)
    return [name]


TARGET = ExportTarget("sofa", "impulse response as AES69, for acoustics software (double)", _write, _PROOF)
