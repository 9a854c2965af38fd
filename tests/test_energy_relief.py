"""Mel energy-decay relief as a loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from targets import target_of

from fdnlearn.base.types import FloatArray
from fdnlearn.losses.energy_relief import BANDS, FLOOR_DB, mel_filters, relief_target
from fdnlearn.ops.relief import distance

RATE_HZ = 16000


def test_filters_cover_the_spectrum_once() -> None:
    filters = mel_filters(960, 48000)
    assert filters.shape == (481, BANDS)
    assert np.all(filters.sum(axis=0) > 0)
    centre = filters.argmax(axis=0)
    assert np.all(np.diff(centre) >= 0)
    # between the first centre and the last, where bands are wider than a bin, triangles add up to one
    np.testing.assert_allclose(filters[40:440].sum(axis=1), 1.0, atol=1e-9)


def test_a_response_is_at_no_distance_from_itself(make_room: Callable[..., FloatArray]) -> None:
    room = make_room(noise_db=None)
    target = target_of(room, RATE_HZ)
    h = torch.from_numpy(target.samples).float()[None]
    relief = relief_target(target)
    assert float(distance(h, relief)) == pytest.approx(0.0, abs=2e-4)


def test_a_level_costs_its_decibels(make_room: Callable[..., FloatArray]) -> None:
    """6 dB too loud everywhere: 6 dB over the mean height of the relief above its floor."""
    target = target_of(make_room(noise_db=None), RATE_HZ)
    relief = relief_target(target)
    h = torch.from_numpy(target.samples).float()[None]
    heard = relief.weight > 0
    above = relief.relief_db - relief.relief_db.max() + FLOOR_DB
    expected = 20 * np.log10(2.0) / float(above[heard].mean())
    assert float(distance(2.0 * h, relief)) == pytest.approx(expected, rel=0.01)


def test_noise_of_the_recording_does_not_pull(make_room: Callable[..., FloatArray]) -> None:
    """Against the same room without its noise the distance is small, and all of it lies before the knee."""
    noisy = target_of(make_room(noise_db=-40.0), RATE_HZ)
    clean = torch.from_numpy(target_of(make_room(noise_db=None), RATE_HZ).samples).float()[None]
    relief = relief_target(noisy)
    assert float(distance(clean, relief)) < 0.03
    assert not relief.weight[0, -1].any()
    longer = clean * (1 + 9 * (torch.arange(clean.shape[-1]) > relief.length))
    assert float(distance(longer, relief)) == pytest.approx(float(distance(clean, relief)), rel=1e-6)


def test_the_gradient(make_room: Callable[..., FloatArray]) -> None:
    target = target_of(make_room(seconds=0.3, reverberation_time_s=0.2, channels=2), RATE_HZ)
    relief = relief_target(target)
    h = torch.from_numpy(make_room(seconds=0.3, reverberation_time_s=0.15, channels=2, seed=5))[None]
    step = 0.01 * torch.from_numpy(np.random.default_rng(0).standard_normal(h.shape)) * h.abs()
    x = h.float().requires_grad_()
    (gradient,) = torch.autograd.grad(distance(x, relief).sum(), x)
    ends = [float(distance((h + sign * step).float(), relief).sum()) for sign in (-1, 1)]
    assert float((gradient * step).sum()) == pytest.approx((ends[1] - ends[0]) / 2, rel=0.03)
