"""Ringing and coherence of late responses: what is measured, and what is learned against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from targets import target_of

from fdnlearn.acoustics.coherence import coherence, coherence_json, late_part
from fdnlearn.acoustics.energy_decay import schroeder
from fdnlearn.acoustics.ringing import PROMINENT_DB, late_lines, prominence_db, ringing, windows_s
from fdnlearn.base.types import FloatArray
from fdnlearn.losses.coherence import coherence_distance, coherence_target
from fdnlearn.losses.ringing import ringing_distance, ringing_targets
from fdnlearn.ops.ringing import FREE_DB
from fdnlearn.rir import Target
from fdnlearn.rir.metrics import compare

RATE_HZ = 16000
WINDOW_S = (0.1, 0.6)


def noise(seed: int, seconds: float = 1.0, time_s: float = 0.8) -> FloatArray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.random.default_rng(seed).standard_normal(t.size) * 10.0 ** (-3.0 * t / time_s)


def tone(hz: float, level: float, time_s: float = 0.8) -> FloatArray:
    t = np.arange(RATE_HZ) / RATE_HZ
    return level * np.sin(2 * np.pi * hz * t) * 10.0 ** (-3.0 * t / time_s)


def spaced_pair(make_room: Callable[..., FloatArray], distance_m: float) -> FloatArray:
    """Two microphones in a diffuse field: coherence sin(kd)/kd."""
    one, two = make_room(channels=2, reverberation_time_s=0.4, noise_db=None, direct=0.0)
    hz = np.fft.rfftfreq(one.size, 1 / RATE_HZ)
    alike = np.sinc(2 * hz * distance_m / 343.0)
    other = np.fft.irfft(alike * np.fft.rfft(one) + np.sqrt(1 - alike**2) * np.fft.rfft(two), one.size)
    pair = np.stack([one, other])
    pair[:, 0] = 0.5
    return pair


def test_noise_does_not_ring() -> None:
    lines = late_lines(WINDOW_S, RATE_HZ)
    for seed in range(5):
        level = prominence_db(noise(seed), lines)
        assert level.max() < PROMINENT_DB
        # Exponentially distributed powers: a mean of the logarithm 2.5 dB below the logarithm of the mean.
        assert np.mean(level) == pytest.approx(-2.5, abs=0.3)


def test_a_tone_rings_at_its_frequency() -> None:
    found = ringing(noise(0), noise(0) + tone(1234.0, 0.5), RATE_HZ, (WINDOW_S,))
    assert len(found) == 1
    assert found[0].frequency_hz == pytest.approx(1234.0, abs=2.0)
    assert found[0].prominence_db > PROMINENT_DB


def test_a_tone_of_the_target_is_excused() -> None:
    target, fit = noise(0) + tone(1234.0, 0.5), noise(1) + tone(1234.5, 0.5)
    assert ringing(target, fit, RATE_HZ, (WINDOW_S,)) == ()
    assert len(ringing(target, fit + tone(2000.0, 0.5), RATE_HZ, (WINDOW_S,))) == 1


def test_the_windows_follow_the_decay() -> None:
    curve = 10.0 ** (-6.0 * np.arange(2 * RATE_HZ) / RATE_HZ)
    (first, second) = windows_s(curve, RATE_HZ, 0.05, 2.0)
    np.testing.assert_allclose([*first, *second], [0.05, 0.5, 0.5, 5 / 6], atol=1e-3)
    assert windows_s(curve, RATE_HZ, 0.05, 0.52) == (
        first,
    )  # what the noise leaves of the second is too short
    assert windows_s(curve, RATE_HZ, 0.49, 0.52) == ()


def test_the_term_sees_what_the_measurement_sees(make_room: Callable[..., FloatArray]) -> None:
    room = make_room(noise_db=None)
    target = target_of(room, RATE_HZ)
    parts = ringing_targets(target)
    windows = windows_s(
        target.energy_decay[0], RATE_HZ, target.mixing_time_s, target.length_samples / RATE_HZ
    )
    assert len(parts) == len(windows) == 2
    for seed, level in ((0, 0.0), (3, 0.05)):
        h = (make_room(noise_db=None, seed=seed + 2) + tone(900.0, level, 0.5))[:, : target.samples.shape[1]]
        excess = []
        for part, window in zip(parts, windows, strict=True):
            level_db = prominence_db(h[0], late_lines(window, RATE_HZ))
            above = np.maximum(level_db - FREE_DB, 0.0) * part.counts[0].numpy()
            excess.append((above**2).sum() / 200)
        term = ringing_distance(torch.from_numpy(h)[None], parts)
        assert float(term) == pytest.approx(np.mean(excess), rel=1e-3, abs=1e-6)
        assert bool(term > 0.02) == bool(level)


def test_descending_the_term_takes_the_ringing_away(make_room: Callable[..., FloatArray]) -> None:
    target = target_of(make_room(noise_db=None), RATE_HZ)
    parts = ringing_targets(target)
    level = torch.tensor(0.05, requires_grad=True)
    base, ring = torch.from_numpy(make_room(noise_db=None, seed=4)), torch.from_numpy(tone(900.0, 1.0, 0.5))
    start = float(ringing_distance((base + level.detach() * ring)[None], parts))
    for _ in range(30):
        (slope,) = torch.autograd.grad(ringing_distance((base + level * ring)[None], parts).sum(), level)
        level = (level - 0.002 * torch.sign(slope)).detach().requires_grad_()
    assert float(ringing_distance((base + level.detach() * ring)[None], parts)) < 0.1 * start


@pytest.mark.parametrize("distance_m", [0.02, 0.2])
def test_coherence_is_that_of_the_field(make_room: Callable[..., FloatArray], distance_m: float) -> None:
    pair = spaced_pair(make_room, distance_m)
    part = late_part(schroeder(pair[0]), RATE_HZ, 0.02, pair.shape[1], 2)
    assert part is not None
    (found,) = coherence(pair, part)
    hz = np.arange(part.power.shape[1]) * (RATE_HZ / part.n_fft)
    theory = part.power @ np.sinc(2 * hz * distance_m / 343.0) / part.power.sum(axis=1)
    np.testing.assert_allclose(found, theory, atol=0.1)
    assert coherence(pair[[0, 0]], part)[0] == pytest.approx(1.0)
    assert coherence(pair[[0, 0]] * np.array([[1.0], [-2.0]]), part)[0] == pytest.approx(-1.0)


def test_coherence_does_not_depend_on_the_decay(make_room: Callable[..., FloatArray]) -> None:
    """The first milliseconds do not outvote the rest."""
    pair = spaced_pair(make_room, 0.1)
    half = pair.shape[1] // 10
    pair[1, :half] = pair[0, :half]  # the loudest tenth is one and the same sound
    part = late_part(schroeder(pair[0]), RATE_HZ, 0.02, pair.shape[1], 2)
    assert part is not None
    assert coherence(pair, part)[0, -1] < 0.4


def test_one_channel_has_no_coherence(make_room: Callable[..., FloatArray]) -> None:
    target = target_of(make_room(), RATE_HZ)
    assert coherence_target(target) is None
    assert compare(target, make_room(noise_db=None), RATE_HZ).coherence is None


def test_the_coherence_term_is_the_measurement(make_room: Callable[..., FloatArray]) -> None:
    target = pair_target(make_room)
    likeness = coherence_target(target)
    assert likeness is not None
    assert likeness.pairs == ((0, 1),)
    fit = make_room(channels=2, seed=9, noise_db=None)
    h = torch.from_numpy(fit)[None].requires_grad_()
    term = coherence_distance(h, likeness)
    part = late_part(target.energy_decay[0], RATE_HZ, target.mixing_time_s, target.length_samples, 2)
    assert part is not None
    told = coherence_json(target.samples, fit, part)
    assert float(term.detach()) == pytest.approx(np.mean(np.square(told["error"]["0-1"])) / 0.1, rel=1e-3)
    (gradient,) = torch.autograd.grad(term.sum(), h)
    assert bool(gradient.isfinite().all())
    assert bool(gradient.any())
    measured = compare(target, fit, RATE_HZ).coherence
    assert measured is not None
    assert measured.model_dump(mode="json") == told


def pair_target(make_room: Callable[..., FloatArray]) -> Target:
    return target_of(spaced_pair(make_room, 0.2), RATE_HZ)


def test_the_gradient_of_both_terms(make_room: Callable[..., FloatArray]) -> None:
    target = target_of(make_room(channels=2, seconds=0.25, reverberation_time_s=0.15, noise_db=None), RATE_HZ)
    likeness, parts = coherence_target(target), ringing_targets(target)
    assert likeness is not None
    assert parts
    rng = np.random.default_rng(0)
    h = torch.from_numpy(np.stack([noise(seed, 0.25, 0.15) for seed in (1, 2)]))[None]
    h = h + 0.3 * torch.from_numpy(tone(700.0, 1.0, 0.15)[: h.shape[-1]])
    step = torch.from_numpy(rng.standard_normal(h.shape)) * h.abs()
    for term in (lambda x: ringing_distance(x, parts), lambda x: coherence_distance(x, likeness)):
        x = h.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(term(x).sum(), x)
        slope = float(term(h + 1e-5 * step) - term(h - 1e-5 * step)) / 2e-5
        assert float((gradient * step).sum()) == pytest.approx(slope, rel=2e-3)
