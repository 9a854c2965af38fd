"""The loss per octave is the measurement per octave: nothing at the target, and what it says elsewhere is right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from targets import target_of
from torch import Tensor

from fdnlearn.acoustics.bands import Octave, octave_magnitude, octaves
from fdnlearn.acoustics.parameters import RoomParameters, room_parameters
from fdnlearn.base.types import FloatArray
from fdnlearn.losses.definitions import BANDED
from fdnlearn.losses.objective import objective_for, weights_of
from fdnlearn.losses.octave_decay import octave_decay_loss, octave_decay_term, octave_target
from fdnlearn.ops import decay
from fdnlearn.ops.octaves import LARGEST_DECIMATION, OctaveTarget, decimation_of

WEIGHTS = weights_of(BANDED)

RATE_HZ = 16000


@pytest.fixture
def room(make_room: Callable[..., FloatArray]) -> FloatArray:
    """Two channels without noise, decayed to nothing."""
    return make_room(seconds=1.2, reverberation_time_s=0.3, noise_db=None, channels=2)


def measured(room: FloatArray) -> list[RoomParameters]:
    return [room_parameters(h, RATE_HZ, "none") for h in room]


def octave_target_of(room: FloatArray) -> OctaveTarget:
    return octave_target(measured(room), RATE_HZ)


def padded(room: FloatArray, target: OctaveTarget) -> Tensor:
    size = target.length + 4000
    return torch.from_numpy(np.pad(room, ((0, 0), (0, max(0, size - room.shape[1]))))[:, :size])[None].float()


def test_the_target_itself_has_next_to_no_loss(room: FloatArray) -> None:
    target = octave_target_of(room)
    total, terms = octave_decay_loss(
        padded(room, target), target, {"edc": 1.0, "edc_db": 1.0, "attributes": 1.0}
    )
    assert float(total) < 0.02
    assert float(terms["edc_db"]) < 0.002  # 0.02 dB


def test_a_louder_octave_is_missed_by_as_many_decibels(room: FloatArray) -> None:
    """The whole response 2 dB louder: every band and the whole spectrum miss by 2 dB at every point."""
    target = octave_target_of(room)
    _, terms = octave_decay_loss(padded(room * 10 ** (2 / 20), target), target, {"edc_db": 1.0})
    assert float(terms["edc_db"]) == pytest.approx(0.2, abs=0.003)


def test_attributes_are_the_errors_of_the_measurement(make_room: Callable[..., FloatArray]) -> None:
    """In just-noticeable differences, the mean over quantities and bands, against the parameters themselves."""
    kind = {"seconds": 1.6, "noise_db": None}
    one = make_room(reverberation_time_s=0.30, **kind)
    two = make_room(reverberation_time_s=0.306, direct=0.52, **kind)
    target = octave_target_of(one)
    _, terms = octave_decay_loss(padded(two, target), target, {"attributes": 1.0})
    total, rooms = 0.0, (measured(one)[0], measured(two)[0])
    shares: dict[Octave | None, float] = {None: target.whole.share[0, 0]}
    for bands in target.octaves:
        shares |= dict(zip(bands.octaves, bands.share[0], strict=True))
    for band, weight in shares.items():
        a, b = (room.broadband if band is None else room.octave[band.nominal_hz] for room in rooms)
        jnd = sum(abs(getattr(b, n) / getattr(a, n) - 1) / 0.05 for n in ("edt_s", "t20_s", "t30_s"))
        jnd += abs(b.c50_db - a.c50_db) * (abs(a.c50_db) < 25) + abs(b.c80_db - a.c80_db) * (
            abs(a.c80_db) < 25
        )
        if band is None:
            jnd += abs(b.drr_db - a.drr_db)
        total += weight * jnd / 6
    # A linear functional of the curve's error stands for each quantity: right to first order.
    assert float(terms["attributes"]) == pytest.approx(total, rel=0.12)


def test_the_way_back_is_right(room: FloatArray) -> None:
    target = octave_target_of(room)
    # It decays faster than the target: where a decay is met, the distance of T30 and its like turns, and has no slope.
    faster = torch.exp(-torch.arange(padded(room, target).shape[-1]) / (0.5 * RATE_HZ))
    h = (padded(room, target) * faster).clone()
    h.requires_grad_()
    direction = torch.randn(h.shape, generator=torch.Generator().manual_seed(1)) * h.detach().abs()
    weights = {"edc": 1.0, "edc_db": 1.0, "attributes": 0.3}
    (slope,) = torch.autograd.grad(octave_decay_loss(h, target, weights)[0].sum(), h)
    step = 1e-3
    with torch.no_grad():
        ahead, behind = (
            octave_decay_loss(h + sign * step * direction, target, weights)[0] for sign in (1, -1)
        )
    assert float((slope * direction).sum()) == pytest.approx(float(ahead - behind) / (2 * step), rel=0.02)


def test_lower_rates_are_the_whole_rate(room: FloatArray) -> None:
    """Every octave filtered at the rate of the response, on the same grid: the energies are those of its own rate."""
    target = octave_target_of(room)
    assert {bands.decimation for bands in target.octaves} == {1, 2, 4, LARGEST_DECIMATION}
    h = padded(room[:, ::-1] * np.exp(-np.arange(room.shape[1]) / 700), target)
    h = h / h.norm()
    spectrum = np.fft.rfft(h[0].double().numpy())
    frequency_hz = np.arange(spectrum.shape[-1]) * (RATE_HZ / h.shape[-1])
    delay = np.exp(-2j * np.pi * frequency_hz / RATE_HZ * target.lead)
    for name, value in octave_decay_loss(h, target, WEIGHTS)[1].items():
        expected = 0.0
        for bands in target.bands:
            grid = dataclasses.replace(
                bands.decay,
                hop=bands.decay.hop * bands.decimation,
                length=bands.decay.length * bands.decimation,
            )
            shapes = np.stack([octave_magnitude(o, frequency_hz) for o in bands.octaves] or [delay.real**0])
            signals = np.fft.irfft(spectrum[:, None] * bands.scale[..., None] * shapes * delay, h.shape[-1])
            _, terms = decay.distance(torch.from_numpy(signals).flatten(0, 1)[None], grid, (0.0, 0.0, 0.0))
            expected += float(terms[0, :, decay.TERMS.index(name)].numpy() @ bands.share.ravel())
        assert float(value) == pytest.approx(expected, rel=2e-3), name


def test_no_octave_is_cut_where_its_square_has_no_place() -> None:
    for rate_hz in (8000, 16000, 22050, 32000, 44100, 48000, 96000):
        rates = {octave: rate_hz / decimation_of(octave, rate_hz) for octave in octaves(rate_hz)}
        assert all(rate == rate_hz or rate > 3.8 * octave.edges_hz[1] for octave, rate in rates.items())


def test_several_rooms_are_each_as_alone(make_room: Callable[..., FloatArray]) -> None:
    rooms = [
        target_of(make_room(seconds=seconds, reverberation_time_s=0.3, seed=seed), RATE_HZ)
        for seed, seconds in enumerate((0.6, 0.7))
    ]
    one, other = terms = [octave_decay_term(room) for room in rooms]
    together = one.stack([other])
    h = torch.randn(3, 2, together.length_samples, generator=torch.Generator().manual_seed(0))
    total, _ = together.compare(h, WEIGHTS)
    for room, term in enumerate(terms):
        alone, _ = term.compare(h[:, room : room + 1], WEIGHTS)
        torch.testing.assert_close(total[:, room : room + 1], alone, rtol=1e-6, atol=0.0)


def test_responses_that_are_too_short_are_refused(room: FloatArray) -> None:
    target = octave_target_of(room)
    with pytest.raises(ValueError, match="shorter than"):
        octave_decay_loss(torch.zeros(1, 2, 100), target, {"edc": 1.0})


def test_the_whole_loss_knows_its_terms(make_room: Callable[..., FloatArray]) -> None:
    target = target_of(make_room(seconds=0.6, reverberation_time_s=0.3, channels=2), RATE_HZ)
    objective = objective_for(target, BANDED)
    h = torch.from_numpy(target.samples).float()[None]
    h = torch.nn.functional.pad(h, (0, max(0, objective.length_samples - h.shape[-1])))
    total, terms = objective(h)
    assert set(terms) == set(WEIGHTS)
    assert float(total) == pytest.approx(
        sum(WEIGHTS[name] * float(value) for name, value in terms.items()), rel=1e-4
    )
    assert float(terms["edp"]) < 1e-6
