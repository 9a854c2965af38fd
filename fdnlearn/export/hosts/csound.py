"""The Csound export, rendered offline by ``csound``."""

from __future__ import annotations

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, find, impulse_file, recorded, run


@shapes_checked
def render(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """Render a file to a file in double precision."""
    csound = find("csound", "apt-get install csound")
    impulse = impulse_file(job, 256)
    seconds = (job.samples + 128) / job.network.sample_rate_hz
    run(
        [
            csound,
            "-d",
            "-m0",
            "-W",
            "--format=double",
            "-i",
            impulse.name,
            "-o",
            "response.wav",
            f"--smacro:SECONDS={seconds!r}",
            job.files[0],
        ],
        job.scratch,
    )
    return recorded(job.scratch / "response.wav", job)
