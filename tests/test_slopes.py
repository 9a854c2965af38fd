"""Decays with two slopes: found in a recording, learned by two groups of lines."""

from __future__ import annotations

import numpy as np
import pytest
from targets import target_of

from fdnlearn.acoustics.energy_decay import schroeder
from fdnlearn.acoustics.slopes import two_slopes
from fdnlearn.base.errors import UsageError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import ReverberationTime
from fdnlearn.fitting import FitConfig, solve
from fdnlearn.model.banded_start import banded_for
from fdnlearn.options import Banded
from fdnlearn.render import impulse_response
from fdnlearn.rir import Target

RATE_HZ = 16000
FAST_S, SLOW_S = 0.2, 0.9


def coupled(level_db: float = -18.0, seed: int = 3) -> FloatArray:
    """A room that is coupled to a livelier one, (1, samples)."""
    rng = np.random.default_rng(seed)
    t = np.arange(RATE_HZ) / RATE_HZ
    fast, slow = rng.standard_normal((2, t.size))
    h = 0.1 * (fast * 10 ** (-3 * t / FAST_S) + 10 ** (level_db / 20) * slow * 10 ** (-3 * t / SLOW_S))
    h[0] = 0.5
    return h[None]


def curve(level_db: float) -> FloatArray:
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    decay: FloatArray = 10 ** (-6 * t / FAST_S) + 10 ** (level_db / 10) * 10 ** (-6 * t / SLOW_S)
    return decay


@pytest.fixture(scope="module")
def room() -> Target:
    return target_of(coupled(), RATE_HZ)


@pytest.mark.parametrize("level_db", [-10.0, -20.0, -30.0])
def test_two_exponentials_are_found_again(level_db: float) -> None:
    found = two_slopes(curve(level_db), RATE_HZ, 60.0)
    assert found is not None
    assert found.bent
    np.testing.assert_allclose(found.times_s, [FAST_S, SLOW_S], rtol=0.02)
    # the level holds where the fit begins, 3 dB down the fast slope
    assert found.level_db == pytest.approx(level_db + 3 * (1 - FAST_S / SLOW_S), abs=0.6)


def test_one_exponential_is_not_bent() -> None:
    straight = 10.0 ** (-6.0 * np.arange(RATE_HZ) / RATE_HZ / 0.5)
    found = two_slopes(straight, RATE_HZ, 60.0)
    assert found is not None
    assert not found.bent
    assert found.straight_rms_db < 0.1


def test_a_short_range_shows_no_second_slope() -> None:
    assert two_slopes(curve(-20.0), RATE_HZ, 25.0) is None
    assert two_slopes(np.zeros(100), RATE_HZ, 60.0) is None


def test_noise_alone_decides_nothing() -> None:
    """The curve of a plain room's noise is straight enough, whatever the seed."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        t = np.arange(RATE_HZ) / RATE_HZ
        found = two_slopes(schroeder(rng.standard_normal(t.size) * 10 ** (-3 * t / 0.5)), RATE_HZ, 50.0)
        assert found is not None
        assert not found.bent


def test_the_recording_decides(room: Target) -> None:
    model = banded_for(room)
    assert model.times_s.shape[0] == 2
    assert np.all(model.times_s[1] > 1.4 * model.times_s[0])
    assert "two groups of lines" in model.warnings[0]
    assert set(model.groups.tolist()) == {0, 1}
    plain = banded_for(room, Banded(slopes="1"))
    assert plain.times_s.shape[0] == 1
    assert plain.warnings == ()


def test_two_slopes_can_be_asked_for() -> None:
    t = np.arange(RATE_HZ) / RATE_HZ
    rng = np.random.default_rng(0)
    h = 0.1 * rng.standard_normal(t.size) * 10 ** (-3 * t / 0.4)
    h[0] = 0.5
    straight = target_of(h[None], RATE_HZ)
    assert banded_for(straight).times_s.shape[0] == 1
    assert banded_for(straight, Banded(slopes="2")).times_s.shape[0] == 2


def test_the_homogeneous_model_has_no_slopes(room: Target) -> None:
    with pytest.raises(UsageError, match="--slopes 2"):
        solve(room, FitConfig.for_model("homogeneous", slopes="2"))
    with pytest.raises(UsageError, match="--knots third-octave"):
        solve(room, FitConfig.for_model("homogeneous", knots="third-octave"))


@pytest.mark.fit
def test_both_slopes_are_learned(room: Target) -> None:
    """The late decay of a coupled room, which one time per band misses."""
    config = FitConfig.for_model("banded", iterations=80, sample_rate_hz=RATE_HZ)
    errors = {}
    for slopes in ("1", "2"):
        fdn = solve(room, config.with_settings(slopes=slopes)).fdn
        h = impulse_response(fdn, length_s=2.0)[0]
        level = 10 * np.log10(schroeder(h) / schroeder(h)[0])
        goal = 10 * np.log10(room.energy_decay[0] / room.energy_decay[0][0])
        heard = goal > -45
        errors[slopes] = float(np.sqrt(np.mean((level[: goal.size] - goal)[heard] ** 2)))
        assert isinstance(fdn.absorption, ReverberationTime)
        assert len(fdn.absorption.times_s) == int(slopes)
    fast, slow = np.median(np.array(fdn.absorption.times_s), axis=1)
    assert slow > 2 * fast
    assert errors["2"] < 0.8
    assert errors["2"] < 0.7 * errors["1"], errors


@pytest.mark.fit
def test_third_octaves_are_finer_knots(room: Target) -> None:
    model = banded_for(room, Banded(knots="third-octave", slopes="1"))
    assert model.knots_hz.size == 3 * 6 + 3
    np.testing.assert_allclose(model.knots_hz[1:] / model.knots_hz[:-1], 2 ** (1 / 3))
    config = FitConfig.for_model(
        "banded", iterations=4, restarts=1, lines=4, sample_rate_hz=RATE_HZ, knots="third-octave"
    )
    fdn = solve(room, config).fdn
    assert isinstance(fdn.absorption, ReverberationTime)
    assert len(fdn.absorption.frequencies_hz) == model.knots_hz.size
