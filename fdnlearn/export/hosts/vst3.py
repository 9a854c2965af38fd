"""The VST3 preset in pedalboard (JUCE's host), which runs as a program of its own: it is no part of fdnlearn."""

from __future__ import annotations

import importlib.util
import sys

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, HostMissing, run
from fdnlearn.export.hosts.stereo_plugin import arguments, stereo_frames
from fdnlearn.export.player import find_player

PROGRAM = """\
import sys
import numpy as np
import pedalboard
plugin_path, preset_path, rate, frames, channels = sys.argv[1:]
plugin = pedalboard.load_plugin(plugin_path)
plugin.load_preset(preset_path)
x = np.zeros((2, int(frames)), dtype=np.float32)
for channel in (0, 1):
    x[channel, 0] = int(channels) >> channel & 1
y = plugin.process(x, float(rate), buffer_size=441)
np.ascontiguousarray(y.T.astype("<f4")).tofile("response.raw")
"""


@shapes_checked
def render(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """Load the preset and process an impulse."""
    plugin = find_player("vst3").path
    if importlib.util.find_spec("pedalboard") is None:
        raise HostMissing("pedalboard", "is not installed", "pip install pedalboard")
    paths = [str(plugin), str(job.files[0])]
    run([sys.executable, "-W", "ignore", "-c", PROGRAM, *paths, *arguments(job)], job.scratch)
    return stereo_frames(job.scratch / "response.raw", job)
