"""Absorption families: reverberation times that hold at their knots, at any rate, for any delay, and stay stable."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fdn_networks import network
from hypothesis import given, settings
from hypothesis import strategies as st

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import FAMILIES, prove, realise
from fdnlearn.fdn.families import peq_1
from fdnlearn.fdn.families.cap import LIMIT, crest, power_gain
from fdnlearn.fdn.families.equaliser import equaliser, reach, response
from fdnlearn.model.sections import equalised, most

KNOTS_HZ = np.array([62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0])
#: A hall: long in the middle, short at the top.
TIMES_S = np.array([1.6, 1.8, 1.9, 2.0, 1.9, 1.6, 1.2, 0.8, 0.5])


def realised_times(times_s: FloatArray, delays: FloatArray, rate: float) -> FloatArray:
    """Reverberation times (N, K) that the filters of a family give at the knots in reach."""
    knots = KNOTS_HZ[: reach(KNOTS_HZ, rate)]
    gains, sos = FAMILIES["peq-1"].design(KNOTS_HZ, np.tile(times_s, (delays.size, 1)), delays, rate)
    level_db = 20 * np.log10(gains[:, None] * np.abs(np.prod(response(sos, knots, rate), axis=1)))
    return -60 * delays[:, None] / (rate * level_db)


@pytest.mark.parametrize("rate", [44100.0, 48000.0, 96000.0])
def test_the_times_hold_at_the_knots_whatever_the_delay(rate: float) -> None:
    times = realised_times(TIMES_S, np.array([0.005, 0.02, 0.06]) * rate, rate)
    np.testing.assert_allclose(times, np.tile(TIMES_S, (3, 1)), rtol=0.02)


def test_equal_times_are_a_plain_gain() -> None:
    delays = np.array([200.0, 1500.0])
    gains, sos = FAMILIES["peq-1"].design(KNOTS_HZ, np.full((2, 9), 0.7), delays, 48000.0)
    np.testing.assert_allclose(gains, 10 ** (-3 * delays / (48000 * 0.7)), rtol=1e-12)
    grid = np.linspace(0, 24000, 50)
    np.testing.assert_allclose(np.prod(response(sos, grid, 48000.0), axis=1), np.ones((2, 50)), atol=1e-9)


def test_the_level_of_the_sections_goes_with_the_delay() -> None:
    """Half the delay, half the decibels, everywhere: what makes all lines agree on one decay."""
    grid = np.geomspace(40, 20000, 200)
    levels = []
    for delay in (400.0, 800.0):
        gains, sos = FAMILIES["peq-1"].design(KNOTS_HZ, TIMES_S[None], np.array([delay]), 48000.0)
        levels.append(20 * np.log10(gains[0] * np.abs(np.prod(response(sos, grid, 48000.0), axis=1)[0])))
    np.testing.assert_allclose(levels[1], 2 * levels[0], rtol=0.01)


def trained(times_s: torch.Tensor, delays: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gains and sections as a fit has them."""
    eq, gains, gains_db = peq_1.uncapped(torch, KNOTS_HZ, times_s, delays, 48000.0)
    return equalised(eq, gains, gains_db)


@pytest.mark.parametrize("learned", [False, True])
def test_what_trains_is_what_runs(learned: bool) -> None:
    delays = np.array([301.0, 999.0, 2500.0, 2000.0])
    times = np.vstack([np.tile(TIMES_S, (3, 1)), WILD_S])
    run = peq_1.sections(np, KNOTS_HZ, times, delays, 48000.0)
    found = trained(torch.from_numpy(times)[None].requires_grad_(learned), torch.from_numpy(delays)[None])
    for one, two in zip(run, found, strict=True):
        # The cap of a line is as good as its largest value, which its sections nearly cancel to.
        np.testing.assert_allclose(two[0].detach().numpy(), one, rtol=1e-11, atol=1e-15)


@pytest.mark.long
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(0.05, 1000.0), min_size=9, max_size=9),
    st.floats(1.0, 20000.0),
    st.sampled_from([8000.0, 16000.0, 44100.0, 48000.0, 192000.0]),
)
def test_any_times_give_a_stable_loop(times: list[float], delay: float, rate: float) -> None:
    """However the equaliser overshoots between knots."""
    gains, sos = FAMILIES["peq-1"].design(KNOTS_HZ, np.array([times]), np.array([delay]), rate)
    proof = prove(np.eye(1), gains, sos, rate)
    assert proof.stable
    assert np.all(np.isfinite(sos))


#: Times whose equaliser overshoots beyond one.
WILD_S = np.where(np.arange(9) == 0, 900.0, 0.3)


@pytest.mark.long
def test_the_gradient_goes_through_the_cap() -> None:
    delays = torch.tensor([[2000.0, 700.0]], dtype=torch.float64)
    times = torch.from_numpy(np.vstack([WILD_S, TIMES_S]))[None].requires_grad_()
    assert bool(
        (trained(times, delays)[0] < peq_1.uncapped(torch, KNOTS_HZ, times, delays, 48000.0)[1])[0, 0]
    )
    # Values are good to 1e-12: a smaller step would see their rounding.
    assert torch.autograd.gradcheck(lambda times: trained(times, delays), times, eps=1e-5, atol=1e-6)


@pytest.mark.long
def test_equalisers_after_the_lines_have_no_cap() -> None:
    eq = equaliser(tuple(KNOTS_HZ.tolist()), 48000.0)
    gains_db = 8.0 * torch.randn(2, 3, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gains = torch.full((2, 2), 0.1, dtype=torch.float64)
    np.testing.assert_allclose(
        equalised(eq, gains, gains_db)[1].numpy(), eq.sections(np, gains_db.numpy()), rtol=1e-13, atol=1e-15
    )
    for leaf in (gains, gains_db):
        leaf.requires_grad_()
    assert torch.autograd.gradcheck(lambda g, db: equalised(eq, g, db), (gains, gains_db))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-60.0, 60.0), min_size=9, max_size=9), st.sampled_from([44100.0, 48000.0, 192000.0])
)
def test_sections_in_series_reach_no_more_than_all_that_boost(gains_db: list[float], rate: float) -> None:
    """What lets a fit do without looking for the crest."""
    eq = equaliser(tuple(KNOTS_HZ.tolist()), rate)
    db = torch.tensor([[gains_db]], dtype=torch.float64)
    highest, _ = crest(np, eq.sections(np, db[0].numpy()), rate)
    assert highest[0] / 2.0 <= float(torch.log(most(db))) + 1e-6


def test_the_crest_lies_between_the_points_of_the_grid() -> None:
    eq = equaliser(tuple(KNOTS_HZ.tolist()), 48000.0)
    sos = eq.sections(np, np.array([0.0, 0.0, 0.0, 12.0, 30.0, -60.0, 0.0, 0.0, 0.0]))
    fine = np.geomspace(500.0, 1500.0, 200001)
    highest = float(np.square(np.abs(np.prod(response(sos, fine, 48000.0), axis=0)).max()))
    log_power, place = crest(np, sos[None], 48000.0)
    on_the_grid = float(np.prod(power_gain(np, sos, place)))
    assert on_the_grid < highest * (1 - 1e-6)
    assert highest < float(np.exp(log_power[0])) < highest + 3.0 * (highest - on_the_grid)


def test_an_overshoot_is_taken_off_the_gain() -> None:
    delays = np.array([2000.0])
    free = 10 ** ((-60 * delays / 48000 / WILD_S).mean() / 20)
    gains, sos = FAMILIES["peq-1"].design(KNOTS_HZ, WILD_S[None], delays, 48000.0)
    grid = np.concatenate(([0.0], np.geomspace(10, 24000, 5000)))
    over = free * np.abs(np.prod(response(sos, grid, 48000.0), axis=1)).max()
    assert over > 1
    assert gains < free
    assert gains * np.abs(np.prod(response(sos, grid, 48000.0), axis=1)).max() == pytest.approx(
        LIMIT, abs=1e-5
    )


@pytest.mark.parametrize(("rate", "sections"), [(48000, 9), (16000, 7), (4000, 5), (1000, 3)])
def test_knots_above_the_rate_have_no_section(rate: int, sections: int) -> None:
    fdn = network(4, absorption=banded())
    assert realise(fdn, rate).line_sos.shape == (4, sections, 6)


def test_a_rate_that_reaches_too_few_knots_still_decays() -> None:
    high = banded() | {"frequencies_hz": [400.0, 800.0, 1600.0], "times_s": [[0.5, 0.4, 0.3]]}
    r = realise(network(4, absorption=high), 1000)
    assert r.line_sos.shape == (4, 0, 6)
    assert -3 * r.delays_samples[0] / (1000 * np.log10(r.line_gains[0])) == pytest.approx(0.5)


def banded() -> dict[str, object]:
    return {
        "kind": "reverberation_time",
        "family": "peq-1",
        "frequencies_hz": KNOTS_HZ.tolist(),
        "times_s": [TIMES_S.tolist()],
        "line_groups": [0, 0, 0, 0],
    }


def test_too_few_knots_are_refused() -> None:
    few = banded() | {"frequencies_hz": [500.0, 1000.0], "times_s": [[1.0, 1.0]]}
    with pytest.raises(FdnlearnError, match="at least 3"):
        network(4, absorption=few)


def test_an_equaliser_meets_wanted_levels() -> None:
    eq = equaliser(tuple(KNOTS_HZ.tolist()), 48000.0)
    wanted = np.array([-2.0, 1.0, 0.5, -1.0, 2.0, 1.0, -3.0, -1.0, 0.0])
    sos = eq.sections(np, eq.commands @ wanted)
    level = 20 * np.log10(np.abs(np.prod(response(sos, KNOTS_HZ, 48000.0), axis=0)))
    np.testing.assert_allclose(level, wanted, atol=0.15)
