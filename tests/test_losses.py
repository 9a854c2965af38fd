"""The losses: known signals have known losses, whatever is silent, short or inaudible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from targets import target_of
from torch import Tensor

from fdnlearn.acoustics.echo_density import echo_density
from fdnlearn.acoustics.energy_decay import schroeder
from fdnlearn.base.types import FloatArray
from fdnlearn.losses.definitions import HOMOGENEOUS
from fdnlearn.losses.echo_density import echo_target, settings
from fdnlearn.losses.energy_decay import decay_target, energy_decay_loss
from fdnlearn.losses.objective import objective_for, weights_of
from fdnlearn.ops.decay import TERMS, DecayTarget
from fdnlearn.ops.echo import distance, profile

WEIGHTS = weights_of(HOMOGENEOUS)

RATE_HZ = 16000
ALL_TERMS = {"edc": 0.7, "edc_db": 1.3, "attributes": 0.4}


def decaying_noise(*shape: int, time_s: float = 0.3, rate_hz: int = RATE_HZ, seed: int = 0) -> FloatArray:
    """Exponentially decaying Gaussian noise of unit energy along the last axis."""
    h = np.random.default_rng(seed).standard_normal(shape)
    h *= 10 ** (-3 * np.arange(shape[-1]) / rate_hz / time_s)
    h /= np.linalg.norm(h, axis=-1, keepdims=True)
    return h


def exponential(length: int, time_s: float) -> FloatArray:
    """A smooth exponential of unit energy with a known reverberation time, one channel."""
    h = 10 ** (-3 * np.arange(length) / RATE_HZ / time_s)
    return (h / np.linalg.norm(h))[None]


def target_at(h: FloatArray, *, hop: int = 8, range_db: float = 50.0) -> DecayTarget:
    return decay_target(schroeder(h), RATE_HZ, hop=hop, range_db=range_db)


def with_gradient(loss: Callable[[Tensor], Tensor], h: Tensor) -> tuple[Tensor, Tensor]:
    """A loss and its gradient under unequal weights for its entries."""
    free = h.clone().requires_grad_()
    value = loss(free)
    (value * torch.arange(1, value.numel() + 1).reshape(value.shape)).sum().backward()
    assert free.grad is not None
    return value.detach(), free.grad


def test_equal_signals_have_no_loss() -> None:
    h = decaying_noise(2, 4000)
    x = torch.from_numpy(h)[None]
    total, terms = energy_decay_loss(x, target_at(h), ALL_TERMS)
    assert float(total.abs().max()) < 1e-6
    assert set(terms) == set(TERMS)
    how = settings(4000, RATE_HZ)
    square = distance(x, echo_target(profile(x[0], how), how))
    assert float(square.abs().max()) < 1e-20


@pytest.mark.parametrize("percent", [-5.0, 5.0])
def test_five_percent_of_reverberation_time_is_one_noticeable_difference(percent: float) -> None:
    length, time_s = 16000, 0.5
    target = target_at(exponential(length, time_s), range_db=60.0)
    longer = schroeder(exponential(length, time_s * (1 + percent / 100)))[0, : length : target.hop]
    error_db = 10 * np.log10(longer) - target.level_db[0]
    # The regressed quantities (EDT, T20, T30) see the slope: -60 dB / T.
    expected = (1 / (1 + percent / 100) - 1) / 0.05
    np.testing.assert_allclose(target.regressions[0] @ error_db, -expected, rtol=2e-3)
    assert abs(expected) == pytest.approx(1, abs=0.06)


def test_the_attributes_of_an_exponential_are_those_of_its_closed_form() -> None:
    """Slopes and early-to-late ratios of a decay twice as fast as the target's, counted in JND."""
    length, times = 16000, (0.8, 0.4)
    target = target_at(exponential(length, times[0]), range_db=60.0)
    assert target.heard.all()
    _, terms = energy_decay_loss(torch.from_numpy(exponential(length, times[1]))[None], target, ALL_TERMS)
    boundary_s = target.boundaries * target.hop / RATE_HZ
    late = 10 ** (-6 * boundary_s / np.array(times)[:, None])
    ratios_db = np.abs(np.diff(10 * np.log10((1 - late) / late), axis=0))
    slopes = 3 * (times[0] / times[1] - 1) / 0.05
    expected = (slopes + ratios_db.sum()) / (3 + ratios_db.size)
    assert float(terms["attributes"]) == pytest.approx(expected, rel=5e-3)


def test_ratios_that_nobody_hears_do_not_count() -> None:
    assert target_at(exponential(8000, 0.5)).heard.all()
    dry = target_at(exponential(8000, 0.1))
    late = 10 ** (-6 * dry.boundaries * dry.hop / RATE_HZ / 0.1)
    ratios_db = np.abs(10 * np.log10((1 - late) / late))
    np.testing.assert_array_equal(dry.heard[0], ratios_db < 25)
    assert not dry.heard.all()


def test_a_regression_beyond_the_usable_range_is_left_out() -> None:
    target = target_at(exponential(8000, 0.5), range_db=30.0)
    used = target.regressions.any(axis=2)[0].tolist()
    assert used == [True, True, False]  # EDT, T20, T30
    assert target.weight[target.level_db < -30.0].max() == 0
    assert target.weight.sum() == pytest.approx(1)


def test_responses_that_are_too_short_are_refused() -> None:
    h = torch.from_numpy(decaying_noise(1, 3999))
    with pytest.raises(ValueError, match="3999 samples are shorter than the target's 4000"):
        energy_decay_loss(h, target_at(decaying_noise(1, 4000)), ALL_TERMS)
    how = settings(4000, RATE_HZ, hop=1)
    with pytest.raises(ValueError, match="shorter than the 4000 of the profile"):
        distance(h, echo_target(torch.ones(1, how.steepness.size), how))


VARIANTS = ["invariant", "published"]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_stationary_gaussian_noise_has_an_echo_density_of_one(rate_hz: int, variant: str) -> None:
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(4 * rate_hz))
    density = profile(noise, settings(noise.numel(), rate_hz, variant=variant))
    assert float(density.mean()) == pytest.approx(1, abs=0.02)


def test_a_single_echo_has_hardly_any_echo_density() -> None:
    pulse = torch.zeros(1000)
    pulse[500] = 1.0
    density = profile(pulse, settings(1000, RATE_HZ, hop=1))
    assert float(density[500 - 160]) < 0.05


def test_the_invariant_profile_does_not_depend_on_the_level() -> None:
    how = settings(4000, RATE_HZ)
    h = torch.from_numpy(decaying_noise(4000))
    for level in (0.01, 100.0):
        torch.testing.assert_close(profile(level * h, how), profile(h, how), rtol=1e-6, atol=0)


@pytest.mark.parametrize("density", [0.01, 0.1, 1.0])
def test_the_soft_profile_follows_the_hard_one(density: float) -> None:
    length = 2 * RATE_HZ
    echoes = np.random.default_rng(4).random(length) < density
    h = decaying_noise(length, time_s=1.0) * echoes
    soft = profile(torch.from_numpy(h), settings(length, RATE_HZ, hop=16)).numpy()
    hard = echo_density(h, RATE_HZ, hop=16)
    frames = min(soft.size, hard.size)
    assert np.sqrt(np.mean((soft[:frames] - hard[:frames]) ** 2)) < 0.02


@pytest.mark.parametrize("length", [1, 2, 100, 321, 322])
def test_responses_shorter_than_a_window_have_a_profile_too(length: int) -> None:
    how = settings(length, RATE_HZ)
    assert how.window.size % 2 == 1
    assert how.window.size <= length
    assert how.window.sum() == pytest.approx(1)
    h = torch.from_numpy(decaying_noise(1, length))
    assert float(distance(h, echo_target(profile(h, how), how))) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_silent_response_has_a_finite_loss_and_gradient(dtype: torch.dtype) -> None:
    h = torch.zeros(1, 1, 4000, dtype=dtype)
    how = settings(4000, RATE_HZ)
    target = target_at(decaying_noise(1, 4000))
    for loss in (
        lambda x: distance(x, echo_target(torch.ones(1, how.steepness.size), how)),
        lambda x: energy_decay_loss(x, target, ALL_TERMS)[0],
    ):
        value, gradient = with_gradient(loss, h)
        assert bool(torch.isfinite(value).all())
        assert bool(torch.isfinite(gradient).all())


def test_the_objective_ranks_responses_of_a_measured_room(make_room: Callable[..., FloatArray]) -> None:
    room = {"seconds": 0.6, "reverberation_time_s": 0.3, "channels": 2}
    target = target_of(make_room(**room, seed=1), RATE_HZ)
    objective = objective_for(target, HOMOGENEOUS)
    length = target.length_samples
    similar, slower = (
        target_of(
            make_room(**room | {"reverberation_time_s": time_s, "noise_db": None}, seed=2), RATE_HZ
        ).samples
        for time_s in (0.3, 0.45)
    )
    rows = np.stack([target.samples[:, :length], similar[:, :length], slower[:, :length]])
    h = torch.from_numpy(rows.astype(np.float32)).requires_grad_()
    loss, terms = objective(h)
    assert loss.shape == (3,)
    assert set(terms) == {*TERMS, "edp"}
    exact, close, wrong = loss.tolist()
    assert exact < close < wrong
    weighted = sum(WEIGHTS[name] * terms[name] for name in terms)
    assert isinstance(weighted, Tensor)
    torch.testing.assert_close(weighted.double(), loss.detach().double(), rtol=1e-5, atol=1e-7)
    loss.sum().backward()
    assert h.grad is not None
    assert bool(torch.isfinite(h.grad).all())


def test_a_term_without_weight_is_not_computed(make_room: Callable[..., FloatArray]) -> None:
    target = target_of(make_room(seconds=0.3, reverberation_time_s=0.2), RATE_HZ)
    objective = objective_for(target, HOMOGENEOUS, {"edc": 1.0})
    h = torch.from_numpy(target.samples[None, :, : target.length_samples].astype(np.float32))
    loss, terms = objective(h)
    assert "edp" not in terms
    torch.testing.assert_close(loss, terms["edc"])
