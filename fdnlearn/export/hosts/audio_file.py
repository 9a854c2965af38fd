"""Exports that are responses already: they are read back by the library that everybody reads them with."""

from __future__ import annotations

import warnings

import numpy as np
import soundfile

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, shaped


@shapes_checked
def render_wav(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """The channels that belong to one input."""
    samples, _ = soundfile.read(job.files[0], dtype="float64", always_2d=True)
    outputs = job.network.outputs
    return shaped(samples.T[job.input_index * outputs : (job.input_index + 1) * outputs], job)


@shapes_checked
def render_sofa(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """The measurement of one input, after the file was verified against its convention."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sofar

        sofa = sofar.read_sofa(str(job.files[0]), verify=True, verbose=False)
    return shaped(np.asarray(sofa.Data_IR, dtype=np.float64)[job.input_index], job)
