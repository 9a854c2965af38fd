"""The example recordings: found, as described, and made by the script beside them."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import fdnlearn.examples as examples
from fdnlearn.base.errors import UsageError
from fdnlearn.rir import load_target, read_recording

ROOMS = {"small_room": 0.36, "lecture_room": 0.67, "hall": 1.8}


@pytest.mark.parametrize("name", examples.EXAMPLES)
def test_every_example_is_there_and_small(name: str) -> None:
    path = examples.example_path(name)
    assert path.stat().st_size < 500_000
    recording = read_recording(path)
    assert (recording.sample_rate_hz, recording.encoding) == (48000, "WAV PCM_24")


@pytest.mark.parametrize(("name", "rt_s"), ROOMS.items())
def test_example_rooms_are_good_targets(name: str, rt_s: float) -> None:
    target = load_target(examples.example_path(name), sample_rate_hz=16000)
    assert target.warnings == ()
    assert target.noise_power[0] > 0.0
    assert target.range_db > 45.0
    assert target.reverberation_time_s == pytest.approx(rt_s, rel=0.05)


def test_the_script_makes_the_same_files(tmp_path: Path) -> None:
    folder = examples.example_path("dry").parent
    runpy.run_path(str(folder / "generate.py"))["main"](tmp_path)
    for name in examples.EXAMPLES:
        made, kept = read_recording(tmp_path / name).samples, read_recording(folder / name).samples
        np.testing.assert_allclose(made, kept, atol=2.5 / 2**23)


def test_unknown_examples_are_refused() -> None:
    for name in ("nothing", "../dry.wav"):
        with pytest.raises(UsageError, match="no example"):
            examples.example_path(name)
