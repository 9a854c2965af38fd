"""The gradient fit as a whole: what it returns, how it repeats, how near it comes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from brief_fits import BRIEF, RATE_HZ, check_valid, stop_after, whole
from conftest import NO_GPU
from targets import target_of

from fdnlearn.base.errors import UsageError
from fdnlearn.base.types import FloatArray
from fdnlearn.examples import example_path
from fdnlearn.fdn import FDN, dumps_fdn
from fdnlearn.fitting import FitConfig, Progress, Status, solve
from fdnlearn.fitting.columns import split
from fdnlearn.fitting.descent import AdamState, advance, column_rates, cosine
from fdnlearn.fitting.problem import Free, problem_for
from fdnlearn.fitting.stages import plan
from fdnlearn.losses.definitions import HOMOGENEOUS
from fdnlearn.losses.objective import objective_for
from fdnlearn.model import HomogeneousModel
from fdnlearn.model.homogeneous import DECAY_SPAN
from fdnlearn.model.learned import learned_response
from fdnlearn.render import impulse_response
from fdnlearn.rir import Target, load_target
from fdnlearn.rir.metrics import compare, edc_rms_db

pytestmark = pytest.mark.fit


def test_a_fit_comes_near_its_target_and_ends_on_whole_delays(target: Target) -> None:
    config = BRIEF.with_settings(iterations=60, restarts=8)
    result = solve(target, config)
    assert result.status is Status.COMPLETED
    assert result.loss < 0.3 * result.history[0].loss
    assert result.warnings == ()
    check_valid(result, lines=4)
    assert result.unsnapped is not None
    assert not whole(result.unsnapped.delays_samples)
    # The loss is that of the network returned, not of one that the optimiser passed on its way.
    problem = problem_for(target, config)
    fdn = result.fdn
    heard = learned_response(fdn, problem.n_fft)[:, 0] / (fdn.gain * fdn.polarity)
    again, _ = problem.objective(torch.from_numpy(heard)[None])
    assert float(again) == pytest.approx(result.loss, rel=1e-3)


def test_history_tells_every_iteration(target: Target) -> None:
    told: list[Progress] = []

    def listen(progress: Progress) -> bool:
        told.append(progress)
        return False

    result = solve(target, BRIEF, listen)
    stages = plan(BRIEF)
    assert tuple(told) == result.history
    assert [p.iteration for p in told] == list(range(1, result.iterations + 1))
    assert {p.total_iterations for p in told} == {result.iterations} == {sum(s.iterations for s in stages)}
    assert [p.stage for p in told] == [s.name for s in stages for _ in range(s.iterations)]
    assert all(set(p.terms) == set(told[0].terms) for p in told)
    assert all(a.seconds <= b.seconds for a, b in pairwise(told))
    for a, b in pairwise(told):
        assert b.stage != a.stage or b.best_loss <= a.best_loss


@pytest.mark.last_bits
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(target: Target) -> None:
    first, again = (dumps_fdn(solve(target, BRIEF).fdn) for _ in range(2))
    assert first == again
    assert first != dumps_fdn(solve(target, BRIEF.with_settings(seed=1)).fdn)


@pytest.mark.last_bits
def test_a_fit_does_not_depend_on_where_its_arrays_lie() -> None:
    """Every loss to the last bit, over fits in a row that find the process's memory in different states."""
    target = load_target(example_path("small_room"), sample_rate_hz=16000)
    config = FitConfig.for_model("homogeneous", iterations=40, restarts=2, lines=4)
    histories = [[p.loss for p in solve(target, config).history] for _ in range(4)]
    assert all(history == histories[0] for history in histories)


def test_a_fit_leaves_torch_as_it_was(target: Target) -> None:
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    solve(target, BRIEF, stop_after(1))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_budget_ends_the_fit_with_every_stage_done(target: Target) -> None:
    config = BRIEF.with_settings(iterations=1_000_000, budget_s=0.4)
    result = solve(target, config)
    assert result.status is Status.BUDGET
    assert 0.2 < result.seconds < 4
    check_valid(result, lines=4)
    assert [p.stage for p in result.history][-1] == plan(config)[-1].name


def test_a_budget_of_nothing_still_gives_a_network(target: Target) -> None:
    result = solve(target, BRIEF.with_settings(budget_s=1e-9))
    assert result.status is Status.BUDGET
    check_valid(result, lines=4)


def test_fractional_delays_stay_fractional(target: Target) -> None:
    result = solve(target, BRIEF.with_settings(delays="fractional"))
    assert not whole(result.fdn.delays_samples)
    assert result.unsnapped is None


@pytest.mark.parametrize(
    "change",
    [
        {"lines": 1},
        {"lines": 2},
        {"lines": 9},
        {"restarts": 1},
        {"iterations": 1},
        {"iterations": 1, "restarts": 1},
    ],
)
def test_the_smallest_fits_work(target: Target, change: dict[str, int]) -> None:
    config = BRIEF.with_settings(**change)
    result = solve(target, config)
    assert result.status is Status.COMPLETED
    check_valid(result, lines=config.model.lines)


def test_a_fit_with_the_reference_kernel_takes_the_same_way(target: Target) -> None:
    fast, slow = (solve(target, BRIEF.with_settings(kernel=name)) for name in ("cpu", "reference"))
    losses = [[p.loss for p in result.history] for result in (fast, slow)]
    np.testing.assert_allclose(losses[0][:3], losses[1][:3], rtol=1e-3)
    check_valid(slow, lines=4)


def test_every_channel_of_a_recording_becomes_an_output(make_room: Callable[..., FloatArray]) -> None:
    room = make_room(sample_rate_hz=RATE_HZ, seconds=0.3, reverberation_time_s=0.2, channels=3)
    fdn = solve(target_of(room, RATE_HZ), BRIEF).fdn
    assert (fdn.outputs, fdn.inputs) == (3, 1)
    assert impulse_response(fdn).shape[0] == 3


@pytest.mark.parametrize("change", [{"model": "nonsense"}, {"method": "nonsense"}, {"kernel": "nonsense"}])
def test_what_does_not_exist_is_wrong_usage(target: Target, change: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"nonsense.*choose one of"):
        solve(target, BRIEF.with_settings(**change))


def test_cuda_without_a_gpu_is_wrong_usage(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="--device cuda"):
        solve(target, BRIEF.with_settings(device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason=f"{NO_GPU}: torch sees no CUDA device")
@pytest.mark.parametrize("channels", [1, 2])
def test_a_fit_trains_on_a_gpu(make_room: Callable[..., FloatArray], channels: int) -> None:
    room = make_room(sample_rate_hz=RATE_HZ, seconds=0.3, reverberation_time_s=0.2, channels=channels)
    config = BRIEF.with_settings(iterations=12, device="cuda")
    result = solve(target_of(room, RATE_HZ), config)
    assert result.loss < result.history[0].loss
    check_valid(result, lines=4)
    on_cpu = solve(target_of(room, RATE_HZ), config.with_settings(device="cpu"))
    assert result.history[0].loss == pytest.approx(on_cpu.history[0].loss, rel=1e-3)


@pytest.mark.last_bits
@pytest.mark.parametrize("seed", [1, 3])
def test_the_decay_of_a_known_network_is_recovered_from_delays_three_samples_off(seed: int) -> None:
    """The target is a network's own response; the descent starts from its parameters, the delays moved."""
    rate_hz, time_s = 16000, 1.0
    model = HomogeneousModel(rate_hz, time_s, 6)
    generator = torch.Generator().manual_seed(seed)
    truth = model.draw(generator, torch.full((1, 1), 0.7), 1)
    network = model.network(truth)
    response = network.impulse_response(50000, "cpu")[0, 0].double().numpy()
    target = target_of(response[:, :26000], rate_hz)

    problem = problem_for(target, FitConfig.for_model("homogeneous"))
    problem = dataclasses.replace(
        problem, objective=objective_for(target, HOMOGENEOUS, {"edc": 1.0, "edc_db": 1.0})
    )
    scaled = problem.model
    assert isinstance(scaled, HomogeneousModel)
    moved = 3.0 * (2 * torch.randint(0, 2, (1, 6), generator=generator) - 1)
    span = math.log(DECAY_SPAN)
    start = truth | {
        "delay": scaled.free_delays(network.delays_samples + moved),
        "decay": torch.full((1, 6), span * math.atanh(math.log(time_s / target.reverberation_time_s) / span)),
        "output": truth["output"] / target.gain,
        "direct": truth["direct"] / target.gain,
    }

    def error_db(free: Free) -> float:
        with torch.no_grad():
            response = problem.responses(free, None)[0, 0].double().numpy()
        error = edc_rms_db(target.energy_decay[0], response)
        assert error is not None
        return error

    before = error_db(start)
    descent, iterations = AdamState.start(start), 200
    rates = column_rates(problem, start)
    for iteration in range(iterations):
        advance(descent, problem, start, None, 0.01 * cosine(iteration / iterations) * rates)
    after = error_db(split(descent.best_values, start))
    assert after < 0.1 < before


@pytest.mark.parametrize("room", ["surrey_room_a_16k", "frl_example_room"])
def test_a_default_fit_of_a_measured_room_is_hardly_told_from_it(rooms: dict[str, Path], room: str) -> None:
    target = load_target(rooms[room], sample_rate_hz=16000)
    fdn = solve(target, FitConfig.for_model("homogeneous")).fdn
    heard = impulse_response(fdn) / (fdn.gain * fdn.polarity)
    error = compare(target, heard, fdn.sample_rate_hz).error.broadband
    for name, bar in {"t30_percent": 2.0, "c80_db": 0.4, "edp_rms": 0.15}.items():
        value = getattr(error, name)
        assert value is not None
        assert value <= bar, (name, value)


@pytest.mark.parametrize("method", ["gradient", "genetic", "cmaes", "analytic", "classic"])
def test_a_callback_sees_the_best_network_so_far(target: Target, method: str) -> None:
    """At the end it is the result; a line of the history keeps none."""
    seen: list[FDN] = []

    def look(progress: Progress) -> bool:
        assert progress.best is not None
        seen.append(progress.best())
        return False

    result = solve(target, BRIEF.with_settings(method=method), look)
    assert seen
    assert all(fdn.lines == result.fdn.lines and fdn.stability.stable for fdn in seen)
    assert seen[-1].delays_samples == result.fdn.delays_samples
    assert seen[-1].feedback_matrix == result.fdn.feedback_matrix
    assert all(progress.best is None for progress in result.history)
