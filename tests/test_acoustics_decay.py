"""Energy decay and its noise floor, against decays of which everything is known."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdnlearn.acoustics.energy_decay import energy_decay, schroeder
from fdnlearn.acoustics.lundeby import lundeby
from fdnlearn.acoustics.noise_floor import find_noise_floor
from fdnlearn.base.types import FloatArray

FS = 16000


def decaying_noise(rt_s: float, seconds: float, noise_db: float | None = None, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * FS)) / FS
    h = rng.standard_normal(t.size) * 10.0 ** (-3.0 * t / rt_s)
    return h if noise_db is None else h + rng.standard_normal(t.size) * 10.0 ** (noise_db / 20.0)


def test_schroeder_of_an_exponential_in_closed_form() -> None:
    ratio = 0.999
    n = np.arange(40000)
    np.testing.assert_allclose(
        schroeder(ratio**n)[:2000], ratio ** (2 * n[:2000]) / (1 - ratio**2), rtol=1e-9
    )


def test_schroeder_keeps_leading_axes() -> None:
    h = np.random.default_rng(0).standard_normal((2, 3, 50))
    np.testing.assert_allclose(schroeder(h)[1, 2], np.cumsum(h[1, 2, ::-1] ** 2)[::-1])


@pytest.mark.parametrize("noise_db", [-70.0, -60.0, -50.0, -40.0, -30.0])
@pytest.mark.parametrize("rt_s", [0.3, 1.0, 2.5])
def test_lundeby_finds_knee_and_noise(rt_s: float, noise_db: float) -> None:
    floor = find_noise_floor(decaying_noise(rt_s, 2.0 * rt_s, noise_db), FS)
    assert floor.method == "lundeby"
    assert 10 * np.log10(floor.power) == pytest.approx(noise_db, abs=0.6)
    assert floor.knee_samples / FS == pytest.approx(-noise_db / 60.0 * rt_s, rel=0.07)
    assert floor.late_reverberation_time_s == pytest.approx(rt_s, rel=0.12)


@pytest.mark.long
@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rt_s=st.floats(0.02, 3.0),
    seconds=st.floats(0.01, 2.0),
    noise_db=st.one_of(st.none(), st.floats(-90.0, -10.0)),
    steps=st.sampled_from([None, 2**5, 2**10]),
    centre_hz=st.sampled_from([None, 125, 1000.0]),
)
def test_lundeby_is_pyratos_bit_by_bit(
    seed: int, rt_s: float, seconds: float, noise_db: float | None, steps: int | None, centre_hz: float | None
) -> None:
    import pyfar
    from pyrato.edc import intersection_time_lundeby

    h = decaying_noise(rt_s, seconds, noise_db, seed)
    if steps is not None:  # as of few bits: much of it is digital silence
        h = np.round(h * steps) / steps
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = intersection_time_lundeby(
                pyfar.Signal(h, FS), smoothing_parameter="broadband" if centre_hz is None else centre_hz
            )
        except (ValueError, IndexError):  # whatever NumPy raises where there is too little of a decay
            found = None
    theirs = None if found is None else tuple(float(value[0]) for value in found)
    assert lundeby(np.square(h), FS, 0.03 if centre_hz is None else (800 / centre_hz + 10) / 1000) == theirs


@pytest.mark.parametrize("noise_db", [-70.0, -50.0, -35.0])
def test_compensated_decay_is_the_clean_one(noise_db: float) -> None:
    decay = energy_decay(decaying_noise(1.0, 2.0, noise_db), FS)
    clean = schroeder(decaying_noise(1.0, 2.0))
    shown = decay.db > noise_db + 8.0
    error_db = 10 * np.log10(decay.curve / clean[: decay.curve.size])
    assert np.abs(error_db[shown]).max() < 0.5


@pytest.mark.parametrize("seconds", [0.3, 0.7, 1.5, 4.0])
def test_a_decay_without_floor_is_not_given_one(seconds: float) -> None:
    floor = find_noise_floor(decaying_noise(1.0, seconds), FS)
    assert floor.method == "none"
    assert floor.power == 0.0
    assert floor.late_reverberation_time_s == pytest.approx(1.0, rel=0.1)


def test_the_tail_beyond_a_cut_is_added() -> None:
    """Cut at -30 dB, the curve still reads what the whole decay would."""
    h = decaying_noise(1.0, 3.0)
    whole, cut = schroeder(h), energy_decay(h[: FS // 2], FS)
    assert 10 * np.log10(cut.curve[-1] / whole[cut.curve.size - 1]) == pytest.approx(0.0, abs=1.0)


def test_trailing_silence_is_not_part_of_the_decay() -> None:
    h = np.concatenate((decaying_noise(0.5, 0.4), np.zeros(9000)))
    assert find_noise_floor(h, FS).knee_samples == round(0.4 * FS)


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(["decay", "noise", "click", "rise", "steps", "constant"]),
    size=st.integers(2, 6000),
    level_db=st.floats(-300.0, 100.0),
    seed=st.integers(0, 9),
)
def test_whatever_comes_the_curve_is_finite_positive_and_falling(
    kind: str, size: int, level_db: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    n = np.arange(size)
    h = {
        "decay": rng.standard_normal(size) * 0.99**n,
        "noise": rng.standard_normal(size),
        "click": np.where(n == 0, 1.0, 0.0),
        "rise": rng.standard_normal(size) * n,
        "steps": np.where(n < size // 2, 1.0, 0.01) * rng.standard_normal(size),
        "constant": np.ones(size),
    }[kind]
    h = h * 10.0 ** (level_db / 20.0)
    h[0] = h[0] or 1e-20
    for centre_hz in (None, 125.0):
        decay = energy_decay(h, FS, centre_hz=centre_hz)
        assert np.isfinite(decay.curve).all()
        assert (decay.curve > 0.0).all()
        assert (np.diff(decay.curve) <= 0.0).all()
        assert not np.isnan([decay.range_db, decay.inr_db, decay.noise_power, decay.knee_s]).any()
