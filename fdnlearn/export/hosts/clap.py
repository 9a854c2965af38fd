"""The CLAP state in a small host, compiled against the CLAP headers that come with DPF."""

from __future__ import annotations

import os
from pathlib import Path

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, HostMissing, find, run
from fdnlearn.export.hosts.stereo_plugin import arguments, source, stereo_frames
from fdnlearn.export.player import find_player

#: Debian's place of DPF; the environment variable DPF_PATH names another.
DPF = "/usr/share/dpf"


def compile_host(folder: Path, *objects: Path) -> Path:
    """Compile the host into a folder, `objects` linked in.

    Raises
    ------
    HostMissing
        If compiler or headers are not installed.
    """
    compiler = find("g++", "install g++ or clang++", "clang++", "c++")
    headers = Path(os.environ.get("DPF_PATH", DPF)) / "distrho" / "src"
    if not (headers / "clap").is_dir():
        raise HostMissing(
            "the CLAP headers", "are not installed", "apt-get install dpf-source, or set DPF_PATH"
        )
    (folder / "clap_host.cpp").write_text(source("clap_host.cpp"), encoding="utf-8")
    flags = ("-std=c++17", "-O1", "-rdynamic", "-I", str(headers))
    run([compiler, *flags, "clap_host.cpp", *objects, "-o", "clap_host", "-ldl"], folder)
    return folder / "clap_host"


@shapes_checked
def render(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """Load the state and process an impulse."""
    plugin = find_player("clap").path
    host = compile_host(job.scratch)
    run([host, plugin, job.files[0], *arguments(job), "response.raw"], job.scratch)
    return stereo_frames(job.scratch / "response.raw", job)
