"""The banded model: what it takes from a room, what it hands over, and how near its fits come."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from brief_fits import BRIEF_BANDED, check_valid
from fdn_networks import network
from report_data import make_document, typed
from targets import target_of

from fdnlearn.base.errors import UsageError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import FDN, FirEarly, ReverberationTime, SparseEarly
from fdnlearn.fitting import FitConfig, solve
from fdnlearn.fitting.problem import problem_for
from fdnlearn.fitting.rounding import coprime
from fdnlearn.model.banded import BandedModel
from fdnlearn.model.banded_map import TIME_SPAN, TONE_SPAN_DB
from fdnlearn.model.banded_start import banded_for, lines_for
from fdnlearn.model.early import EARLY, HEAD_S, early_part
from fdnlearn.model.learned import learned_response
from fdnlearn.options import Banded
from fdnlearn.render import impulse_response
from fdnlearn.report import ReportData
from fdnlearn.report.gallery import channel_figures
from fdnlearn.rir import Target, load_target
from fdnlearn.rir.metrics import compare

pytestmark = pytest.mark.fit

RATE_HZ = 16000
BRIEF = BRIEF_BANDED.with_settings(sample_rate_hz=RATE_HZ)


@pytest.fixture
def small(make_room: Callable[..., FloatArray]) -> Target:
    return target_of(make_room(seconds=0.5, reverberation_time_s=0.25), RATE_HZ)


def model_of(target: Target, early: str = "sparse") -> BandedModel:
    return banded_for(target, Banded(lines=4, early=early))


def test_the_start_has_the_decay_of_every_octave(small: Target) -> None:
    model = model_of(small)
    assert model.knots_hz.tolist() == [62.5, 125, 250, 500, 1000, 2000, 4000]
    np.testing.assert_allclose(model.times_s[0, 2:], 0.25, rtol=0.15)


def test_times_and_tone_stay_within_their_spans(small: Target) -> None:
    model = model_of(small)
    maps = model.stack((), torch.device("cpu"))
    for sign in (-1, 1):
        far = torch.full((1, 1, model.knots_hz.size), sign * 1e4)
        np.testing.assert_allclose(maps.band_times_s(far)[0].numpy(), model.times_s * TIME_SPAN**sign)
        assert float(maps.tone_db(far).abs().max()) <= TONE_SPAN_DB


def test_a_long_reverberation_gets_more_lines(small: Target) -> None:
    def lines(time_s: float, longest_s: float) -> int:
        room = dataclasses.replace(small, reverberation_time_s=time_s)
        return lines_for(room, (longest_s * RATE_HZ / 5, longest_s * RATE_HZ))

    assert lines(0.3, 0.04) == 16
    many = lines(8.0, 0.1)
    assert many > 16
    mean_s = 0.08 / math.log(5) * many
    assert mean_s >= 0.15 * 8.0


def test_too_few_lines_are_told(small: Target) -> None:
    result = solve(small, BRIEF.with_settings(iterations=1, restarts=1))
    assert any("4 lines are few" in warning and "asks for 16" in warning for warning in result.warnings)
    assert banded_for(small, Banded(lines=16)).warnings == banded_for(small).warnings == ()


def test_taps_are_the_strongest_and_apart(small: Target) -> None:
    early = early_part(small, EARLY["sparse"], 600)
    (positions,), (gains,), (reach,) = early.positions, early.gains, early.reach_samples
    head = small.direct_samples + round(HEAD_S * RATE_HZ) + 1
    assert early.head_samples == head
    np.testing.assert_array_equal(positions[:head], np.arange(head))
    assert not reach[:head].any()
    assert positions.max() < 600
    np.testing.assert_array_equal(gains, small.samples[0, positions])
    assert np.abs(gains[head:]).max() == np.abs(small.samples[0, head:600]).max()
    distance = np.diff(positions[head:])
    assert np.all(distance > 2)
    assert np.all((reach[head:-1] + reach[head + 1 :] + 1)[1:] <= distance[1:])  # never onto another


def test_the_head_is_the_recording_itself(make_room: Callable[..., FloatArray]) -> None:
    """From before the flank of the first direct sound to after the last one's peak, on every channel."""
    room = make_room(seconds=0.5, reverberation_time_s=0.25, channels=2, lead_s=0.02)
    room[0, 316:320] = 0.05, -0.1, 0.2, 0.3
    room[1] = np.roll(room[1], 32)
    target = target_of(room, RATE_HZ)
    fdn = solve(target, BRIEF).fdn
    assert target.direct_samples == fdn.direct_peak_samples == 4
    assert (fdn.version, fdn.pre_delay_s, set(fdn.direct_gains)) == (2, 0.0, {(0.0,)})
    length = 4 + 32 + round(HEAD_S * RATE_HZ) + 1
    for channel, path in enumerate(fdn.head):
        np.testing.assert_allclose(path.coefficients, target.samples[channel, :length], rtol=1e-6)
    # Nothing else sounds before the network does.
    heard = impulse_response(fdn, length_s=0.005) / (fdn.gain * fdn.polarity)
    np.testing.assert_allclose(heard, target.samples[:, : heard.shape[1]], atol=1e-7)


@pytest.mark.parametrize("early", ["none", "sparse", "measured"])
def test_what_is_learned_is_what_is_handed_over(small: Target, early: str) -> None:
    """Parameters away from their start, as a network's own response and as the renderer's."""
    problem = problem_for(small, BRIEF.with_settings(early=early))
    generator = torch.Generator().manual_seed(3)
    free = {
        n: x.double() + 0.2 * torch.randn(x.shape, generator=generator) for n, x in problem.draw(1, 0).items()
    }
    delays = torch.tensor([[211.0, 307.0, 401.0, 509.0]], dtype=torch.float64)
    n_fft = 2 * problem.n_fft
    own = problem.model.network(free, delays).impulse_response(n_fft, "cpu")[0, 0, 0].numpy()
    fdn = problem.network_to_fdn(free, delays)
    heard = learned_response(fdn, n_fft)[0, 0] / (fdn.gain * fdn.polarity)
    assert np.abs(own - heard).max() < 2e-4 * np.abs(heard).max()  # the grid that training interpolates on
    rendered = impulse_response(fdn, length_s=n_fft / RATE_HZ)[0] / (fdn.gain * fdn.polarity)
    assert 20 * np.log10(np.abs(rendered - heard).max() / np.abs(heard).max()) <= -140
    kinds = {"none": (), "sparse": (SparseEarly,), "measured": (FirEarly,)}[early]
    assert tuple(type(path) for path in fdn.early) == kinds


def test_every_parameter_is_learned(small: Target) -> None:
    problem = problem_for(small, BRIEF)
    free = {name: x.requires_grad_() for name, x in problem.draw(2, 0).items()}
    problem.loss(free, None)[0].sum().backward()
    assert set(free) == set(problem.model.rates)
    for name, x in free.items():
        assert x.grad is not None, name
        assert bool(x.grad.isfinite().all()), name
        assert bool(x.grad.any()), name


def test_delays_end_pairwise_co_prime(small: Target) -> None:
    result = solve(small, BRIEF)
    check_valid(result, lines=4)
    for one, two in combinations(result.fdn.delays_samples, 2):
        assert math.gcd(int(one), int(two)) == 1
    assert coprime([6.0, 6.0, 6.0, 9.2]) == [6.0, 5.0, 7.0, 11.0]


def test_a_fit_learns_and_repeats_itself(small: Target) -> None:
    first, again = (solve(small, BRIEF.with_settings(iterations=40)) for _ in range(2))
    assert first.loss < 0.7 * first.history[0].loss
    assert first.fdn == again.fdn
    assert isinstance(first.fdn.absorption, ReverberationTime)


def test_the_measured_early_part_stays_as_it_was(small: Target) -> None:
    fdn = solve(small, BRIEF.with_settings(early="measured")).fdn
    (path,), (head,) = fdn.early, fdn.head
    assert isinstance(path, FirEarly)
    begin = len(head.coefficients) - fdn.direct_peak_samples
    kept = len(path.coefficients) // 2
    assert not any(path.coefficients[:begin])
    measured = small.samples[0, small.direct_samples :]
    np.testing.assert_allclose(path.coefficients[begin:kept], measured[begin:kept], rtol=1e-6)


def test_every_channel_has_its_own_early_part(make_room: Callable[..., FloatArray]) -> None:
    target = target_of(make_room(seconds=0.5, reverberation_time_s=0.25, channels=2), RATE_HZ)
    fdn = solve(target, BRIEF).fdn
    assert (fdn.outputs, fdn.inputs) == (2, 1)
    assert [path.output for path in fdn.early] == [0, 1]


def test_a_rate_of_8_khz_is_enough(make_room: Callable[..., FloatArray]) -> None:
    fdn = solve(
        target_of(make_room(sample_rate_hz=8000, seconds=0.4, reverberation_time_s=0.2), 8000), BRIEF
    ).fdn
    assert fdn.reverberation_times_s.shape == (4, 6)


def test_a_method_with_a_network_of_its_own_is_refused(small: Target) -> None:
    with pytest.raises(UsageError, match="is not fitted by classic"):
        solve(small, BRIEF.with_settings(method="classic"))


@pytest.mark.parametrize("method", ["genetic", "cmaes"])
def test_other_methods_search_every_parameter(small: Target, method: str) -> None:
    config = BRIEF.with_settings(method=method, iterations=20)
    result, again = solve(small, config), solve(small, config)
    check_valid(result, lines=4)
    assert min(step.best_loss for step in result.history) < 0.99 * result.history[0].best_loss
    assert result.fdn == again.fdn
    (path,) = result.fdn.early
    assert isinstance(path, SparseEarly)
    start = banded_for(small, Banded(lines=4)).early
    learned = start.gains[0, start.head_samples :].tolist()
    assert [tap.gain for tap in path.taps] != pytest.approx(learned, rel=1e-3)
    # A population begins with a flat equaliser, which only mutation changes.
    assert method == "genetic" or any(section.gain_db for section in result.fdn.tone)


def test_the_closed_form_design_has_decay_level_and_colour(small: Target) -> None:
    fdn = solve(small, BRIEF.with_settings(method="analytic")).fdn
    found = compare(small, impulse_response(fdn) / (fdn.gain * fdn.polarity), RATE_HZ)
    for hz in (500, 1000, 2000, 4000):
        error = found.error.octave[hz]
        assert error.t30_percent is not None
        assert error.t30_percent < 15
        assert error.c80_db is not None
        assert error.c80_db < 3
    assert solve(small, BRIEF.with_settings(method="analytic")).fdn == fdn


def test_the_homogeneous_model_has_no_early_part(small: Target) -> None:
    with pytest.raises(UsageError, match="--early sparse"):
        solve(small, FitConfig.for_model("homogeneous", early="sparse"))


@pytest.mark.parametrize("rate", [44100, 96000])
def test_octave_times_survive_a_change_of_rate(rate: int) -> None:
    """Of the network itself: what it has of each octave is measured on its own response at both rates."""
    fdn = FDN.model_validate(network_of_a_hall())
    times = []
    for at in (48000, rate):
        h = impulse_response(fdn, at, length_s=2.0)[0]
        octave = measured_times(h, at)
        times.append([octave[hz] for hz in (250, 500, 1000, 2000, 4000, 8000)])
    np.testing.assert_allclose(times[1], times[0], rtol=0.03)


def measured_times(h: FloatArray, rate: int) -> dict[int, float]:
    from fdnlearn.acoustics.parameters import room_parameters

    found = {hz: band.t30_s for hz, band in room_parameters(h, rate, "none").octave.items()}
    return {hz: time for hz, time in found.items() if time is not None}


def network_of_a_hall() -> dict[str, object]:
    rng = np.random.default_rng(7)
    n = 16
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    return {
        "sample_rate_hz": 48000,
        "delays_samples": coprime(np.geomspace(700, 2900, n).tolist()),
        "feedback_matrix": q.tolist(),
        "input_gains": rng.choice([-1.0, 1.0], (n, 1)).tolist(),
        "output_gains": rng.choice([-1.0, 1.0], (1, n)).tolist(),
        "direct_gains": [[1.0]],
        "absorption": {
            "kind": "reverberation_time",
            "family": "peq-1",
            "frequencies_hz": [62.5, 125, 250, 500, 1000, 2000, 4000, 8000, 16000],
            "times_s": [[0.9, 0.9, 0.85, 0.8, 0.8, 0.7, 0.6, 0.45, 0.3]],
            "line_groups": [0] * n,
        },
    }


def test_the_report_shows_every_octave(small: Target) -> None:
    times = solve(small, BRIEF.with_settings(iterations=1, restarts=1)).fdn
    data = ReportData(target=small, fdn=times, fitted=small.samples, metrics=typed(make_document()))
    (view,) = [view for view in channel_figures(data, 0) if view.title == "Energy decay per octave"]
    assert view.svg.count("Hz") >= 5
    plain = dataclasses.replace(data, fdn=network(4))
    assert all(view.title != "Energy decay per octave" for view in channel_figures(plain, 0))


def test_a_measured_room_is_met_in_its_octaves(rooms: dict[str, Path]) -> None:
    target = load_target(rooms["surrey_room_a_16k"], sample_rate_hz=48000)
    fdn = solve(target, FitConfig.for_model("banded", iterations=240)).fdn
    heard = impulse_response(fdn) / (fdn.gain * fdn.polarity)
    found = compare(target, heard, fdn.sample_rate_hz)
    errors, measurable = found.error.octave, found.measurable.octave
    t30 = [band.t30_percent for hz, band in errors.items() if measurable[hz].t30.counts]
    assert len(t30) >= 5
    assert all(error is not None and error < 6 for error in t30), t30
    c80 = [band.c80_db for hz, band in errors.items() if measurable[hz].c80.counts]
    assert sum(error is not None and error < 1 for error in c80) >= len(c80) - 2, c80
    drr = found.error.broadband.drr_db
    assert drr is not None
    assert drr < 0.5


@pytest.mark.parametrize("kind", ["anechoic", "no direct sound", "short", "noisy", "4 kHz", "192 kHz"])
def test_odd_recordings_are_fitted_all_the_same(make_room: Callable[..., FloatArray], kind: str) -> None:
    rate = {"4 kHz": 4000, "192 kHz": 192_000}.get(kind, 48000)
    room = make_room(
        sample_rate_hz=rate,
        seconds=0.1 if kind == "short" else 0.3,
        reverberation_time_s=0.04 if kind == "short" else 0.2,
        direct=0.0 if kind == "no direct sound" else 0.5,
        noise_db=-25.0 if kind == "noisy" else -70.0,
    )
    if kind == "anechoic":
        room = 1e-4 * room
        room[0, 0], room[0, 2000] = 1.0, 0.3
    config = BRIEF.with_settings(iterations=2, restarts=1, sample_rate_hz=rate)
    check_valid(solve(target_of(room, rate), config), lines=4)


def test_channels_keep_their_coherence(make_room: Callable[..., FloatArray]) -> None:
    """Low octaves alike, high ones not, as two microphones hear a room: output gains alone could not."""
    one, two = make_room(seconds=0.5, reverberation_time_s=0.3, noise_db=None, channels=2)
    hz = np.fft.rfftfreq(one.size, 1 / RATE_HZ)
    alike = 0.8 / (1 + (hz / 700.0) ** 4)
    pair = np.stack(
        [one, np.fft.irfft(alike * np.fft.rfft(one) + np.sqrt(1 - alike**2) * np.fft.rfft(two), one.size)]
    )
    pair[:, 0] = 0.5, 0.4
    target = target_of(pair, RATE_HZ)
    config = FitConfig.for_model("banded", iterations=250, restarts=1, lines=12, sample_rate_hz=RATE_HZ)
    fdn = solve(target, config).fdn
    found = compare(target, impulse_response(fdn) / (fdn.gain * fdn.polarity), RATE_HZ).coherence
    assert found is not None
    assert found.target["0-1"][0] > 0.6
    assert abs(found.target["0-1"][-1]) < 0.15
    assert max(found.error["0-1"]) < 0.1, found
