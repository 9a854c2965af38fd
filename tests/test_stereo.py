"""The second channel of a mono fit: the sum stays the fit, and the channels have nothing else in common."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import QUICK, run
from fdn_networks import head_of, network

from fdnlearn.base.errors import UsageError
from fdnlearn.fdn import FDN, load_fdn
from fdnlearn.render import impulse_response
from fdnlearn.render.stereo import gram_matrices, widened, widening_effect

TAPS = [{"kind": "sparse", "output": 0, "input": 0, "taps": [{"samples": 40, "gain": 0.5}]}]


def mono(lines: int = 16) -> FDN:
    rng = np.random.default_rng(lines)
    delays = [float(m) for m in rng.choice(np.arange(150, 900), lines, replace=False)]
    return network(lines, reverberation_time_s=0.5, delays_samples=delays, early=TAPS, direct_gains=[[1.0]])


@pytest.mark.parametrize("lines", [2, 6, 16])
def test_the_sum_is_twice_the_fit(lines: int) -> None:
    fdn = mono(lines)
    left, right = impulse_response(widened(fdn, 0))
    middle = impulse_response(fdn)[0]
    np.testing.assert_allclose(left + right, 2 * middle, atol=1e-12 * np.abs(middle).max())
    assert np.abs(left - right).max() > 0.01 * np.abs(middle[1:]).max()


def test_the_side_is_uncorrelated_with_the_middle_in_every_octave() -> None:
    """Against the responses themselves, not the matrices that the gains were made from."""
    fdn = mono()
    stereo = widened(fdn, 1)
    gains = stereo.arrays.output_gains
    middle, side = (gains[0] + gains[1]) / 2, (gains[0] - gains[1]) / 2
    for gram in gram_matrices(fdn):
        assert abs(middle @ gram @ side) < 1e-9 * (middle @ gram @ middle)
        assert abs(10 * np.log10((side @ gram @ side) / (middle @ gram @ middle))) < 3
    left, right = impulse_response(stereo)[:, 41:]
    assert abs(left @ right) < 0.1 * np.sqrt((left @ left) * (right @ right))


def test_direct_sound_and_taps_stay_in_the_middle() -> None:
    left, right = impulse_response(widened(mono(), 0))
    assert left[0] == right[0] != 0
    assert left[40] == right[40] != 0


def test_a_head_is_heard_in_the_middle_of_both_channels() -> None:
    fields = {**mono(6).model_dump(), **head_of(60, 20), "direct_gains": [[0.0]]}
    fdn = FDN.model_validate(fields)
    left, right = impulse_response(widened(fdn, 0))
    middle = impulse_response(fdn)[0]
    np.testing.assert_array_equal(left[:60], right[:60])
    np.testing.assert_allclose(left[:60], fdn.head[0].coefficients, atol=1e-15)
    np.testing.assert_allclose(left + right, 2 * middle, atol=1e-12 * np.abs(middle).max())


def test_the_shift_of_the_channels_is_measured() -> None:
    fdn = mono()
    effect = widening_effect(fdn, widened(fdn, 0))
    assert all(-4 < shift < -1.5 for shift in effect["drr_shift_db"])  # about twice the late energy
    assert all(abs(value) < 0.3 for value in effect["correlation"].values())


def test_several_channels_are_refused() -> None:
    with pytest.raises(UsageError, match="--stereo"):
        widened(network(4, 1, 2), 0)


@pytest.mark.fit
def test_the_command_writes_two_channels(room: Path, tmp_path: Path) -> None:
    outcome = run("fit", room, "-o", tmp_path / "fit", *QUICK, "--stereo")
    assert outcome.code == 0, outcome.stderr
    assert "stereo" in outcome.stdout
    assert load_fdn(tmp_path / "fit" / "fdn.json").outputs == 2
    assert soundfile.info(tmp_path / "fit" / "ir.wav").channels == 2
    metrics = json.loads((tmp_path / "fit" / "metrics.json").read_text())
    assert len(metrics["stereo"]["drr_shift_db"]) == 2


def test_stereo_of_all_channels_is_wrong_usage(room: Path, tmp_path: Path) -> None:
    outcome = run("fit", room, "-o", tmp_path / "fit", "--stereo", "--channel", "all")
    assert outcome.code == 2
    assert "contradict" in outcome.complaint
    assert not (tmp_path / "fit" / "fdn.json").exists()
