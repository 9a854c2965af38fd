"""What the hosts of the player have in common: it has two channels in and two out, whatever a network has."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, shaped


def _driven_channels(job: HostJob) -> int:
    """Bit mask of the channels that get the impulse: a network of one input hears the mean of both."""
    return 3 if job.network.inputs == 1 else 1 << job.input_index


def arguments(job: HostJob) -> list[str]:
    """Rate, length and driven channels as the hosts take them."""
    return [str(job.network.sample_rate_hz), str(job.samples), str(_driven_channels(job))]


@shapes_checked
def stereo_frames(path: Path, job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """The network's outputs in a file of stereo float frames; a network of one output is heard in both channels."""
    frames = np.fromfile(path, dtype="<f4").reshape(-1, 2).T.astype(np.float64)
    return shaped(frames[: job.network.outputs], job)


def source(name: str) -> str:
    """The program text of a small host."""
    return files("fdnlearn.export").joinpath(f"hosts/{name}").read_text(encoding="utf-8")
