"""The pyFDN export, loaded and rendered by pyFDN in an interpreter of its own."""

from __future__ import annotations

import importlib.util
import sys

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, HostMissing, raw_doubles, run

PROGRAM = """\
import sys
import numpy as np
import pyFDN
build = pyFDN.load_fdn_build(sys.argv[1])
x = np.zeros((int(sys.argv[2]), build.B.shape[1]))
x[0, int(sys.argv[3])] = 1.0
y = np.asarray(pyFDN.process_fdn(x, build)).reshape(len(x), -1)
np.ascontiguousarray(y).tofile("response.raw")
"""


@shapes_checked
def render(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """Process an impulse."""
    if importlib.util.find_spec("pyFDN") is None:
        raise HostMissing("pyFDN", "is not installed", "pip install pyFDN==0.5.0")
    run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, job.files[0], str(job.samples), str(job.input_index)],
        job.scratch,
    )
    return raw_doubles(job.scratch / "response.raw", job)
