"""Colour as a loss: what it sees of a response, and what it does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from targets import target_of

from fdnlearn.acoustics.third_octaves import third_octaves
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn.biquads import tone_sos
from fdnlearn.fdn.parts import ToneSection
from fdnlearn.losses.colour import colour_target, stack
from fdnlearn.ops.colour import distance
from fdnlearn.ops.colour.reference import energies

RATE_HZ = 16000


def heard(samples: FloatArray) -> torch.Tensor:
    return torch.from_numpy(samples).float()[None]


def filtered(samples: FloatArray, hz: float, gain_db: float) -> FloatArray:
    from scipy.signal import sosfilt

    section = ToneSection(type="peaking", frequency_hz=hz, gain_db=gain_db, q=4.3)
    out: FloatArray = sosfilt(tone_sos((section,), RATE_HZ), samples)
    return out


def test_a_response_is_at_no_distance_from_itself(make_room: Callable[..., FloatArray]) -> None:
    target = target_of(make_room(noise_db=None, channels=2), RATE_HZ)
    assert float(distance(heard(target.samples), colour_target(target)).max()) < 1e-6


def test_a_level_costs_its_decibels_in_every_band(make_room: Callable[..., FloatArray]) -> None:
    target = target_of(make_room(noise_db=None), RATE_HZ)
    louder = float(distance(2.0 * heard(target.samples), colour_target(target)))
    assert louder == pytest.approx(np.sqrt(1 + (20 * np.log10(2.0)) ** 2) - 1, rel=1e-3)


def test_every_window_is_its_own(make_room: Callable[..., FloatArray]) -> None:
    """A band that is louder from 50 ms on alone is missed as much as one that is louder as a whole."""
    target = target_of(make_room(noise_db=None), RATE_HZ)
    colour = colour_target(target)
    late = target.samples.copy()
    late[:, 800:] = filtered(target.samples, 1000.0, 6.0)[:, 800:]
    level = 10 * np.log10(energies(heard(late).double(), colour)[0, 0].numpy()) - colour.goal_db[0]
    band = [round(one.nominal_hz) for one in third_octaves(RATE_HZ)].index(1000)
    assert len(level) >= 3
    assert np.all(level[1:, band] > 4.0)
    assert abs(level[0, band]) < level[1, band]
    assert np.abs(level[:, band - 6]).max() < 0.3


def test_noise_of_the_recording_does_not_pull(make_room: Callable[..., FloatArray]) -> None:
    noisy, clean = (target_of(make_room(noise_db=db), RATE_HZ) for db in (-45.0, None))
    scale = clean.gain / noisy.gain
    goal = colour_target(noisy)
    level = (
        10 * np.log10(energies(heard(scale * clean.samples).double(), goal)[0, 0].numpy()) - goal.goal_db[0]
    )
    assert np.abs(level[goal.weight[0] > 0]).max() < 0.8
    # Where only noise is left nothing is compared.
    assert not colour_target(target_of(make_room(noise_db=-25.0), RATE_HZ)).weight[0, -1].all()


def test_rooms_side_by_side_are_compared_as_alone(make_room: Callable[..., FloatArray]) -> None:
    targets = [
        target_of(make_room(noise_db=None, reverberation_time_s=time_s, seconds=3 * time_s), RATE_HZ)
        for time_s in (0.15, 0.5)
    ]
    h = [np.pad(filtered(target.samples, 500.0, 4.0), ((0, 0), (0, 24000)))[:, :24000] for target in targets]
    alone = [float(distance(heard(x), colour_target(target))) for x, target in zip(h, targets, strict=True)]
    together = distance(heard(np.concatenate(h)), stack([colour_target(target) for target in targets]))
    assert together[0].tolist() == pytest.approx(alone, rel=0.02)
