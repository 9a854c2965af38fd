"""The LV2 preset in a small host, compiled against lilv."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, HostMissing, find, run
from fdnlearn.export.hosts.stereo_plugin import arguments, source, stereo_frames
from fdnlearn.export.lv2 import preset_uri
from fdnlearn.export.player import find_player

#: Where LV2's own vocabularies lie.
SPECIFICATIONS = "/usr/lib/lv2"


def compile_host(folder: Path) -> Path:
    """Compile the host into a folder.

    Raises
    ------
    HostMissing
        If compiler or lilv are not installed.
    """
    compiler = find("gcc", "install gcc or clang", "clang", "cc")
    flags = subprocess.run(
        [find("pkg-config", "apt-get install pkg-config"), "--cflags", "--libs", "lilv-0"],
        capture_output=True,
        text=True,
        check=False,
    )
    if flags.returncode:
        raise HostMissing("lilv", "is not installed", "apt-get install liblilv-dev lv2-dev")
    (folder / "lv2_host.c").write_text(source("lv2_host.c"), encoding="utf-8")
    run([compiler, "-std=gnu11", "-O1", "lv2_host.c", "-o", "lv2_host", *flags.stdout.split()], folder)
    return folder / "lv2_host"


@shapes_checked
def render(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """Restore the preset out of its bundle and process an impulse."""
    plugin = find_player("lv2").path
    host = compile_host(job.scratch)
    bundles = job.scratch / "lv2"  # these two and no others
    bundles.mkdir()
    for bundle in (plugin, job.files[0].parent):
        shutil.copytree(bundle, bundles / bundle.name)
    path = os.pathsep.join([str(bundles), SPECIFICATIONS])
    run([host, preset_uri(job.network), *arguments(job), "response.raw"], job.scratch, LV2_PATH=path)
    return stereo_frames(job.scratch / "response.raw", job)
