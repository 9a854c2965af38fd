"""Many rooms in one batch: each has the loss, the gradient and the fit that it has alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from brief_fits import BRIEF, RATE_HZ, check_valid
from targets import target_of

from fdnlearn.errors import FdnlearnError
from fdnlearn.fitting import FitConfig, FitResult, Status, gradient, solve
from fdnlearn.fitting.crowd import Crowd, kind_of
from fdnlearn.fitting.gradient import solve_many
from fdnlearn.fitting.problem import Problem, problem_for
from fdnlearn.fitting.stages import plan
from fdnlearn.losses.energy_decay import energy_decay_terms
from fdnlearn.losses.objective import objective_for, side_by_side
from fdnlearn.rir import Target

FloatArray = npt.NDArray[np.float64]
Make = Callable[..., FloatArray]

#: Seconds and reverberation times: one kind, but three lengths.
SIZES = ((0.3, 0.22), (0.31, 0.23), (0.305, 0.225))


@pytest.fixture
def targets(make_room: Make) -> list[Target]:
    return [
        target_of(
            make_room(sample_rate_hz=RATE_HZ, seconds=seconds, reverberation_time_s=time_s, seed=seed),
            RATE_HZ,
        )
        for seed, (seconds, time_s) in enumerate(SIZES)
    ]


@pytest.fixture
def problems(targets: list[Target]) -> list[Problem]:
    return [problem_for(target, BRIEF) for target in targets]


def test_side_by_side_every_channel_has_the_loss_and_the_gradient_it_has_alone(targets: list[Target]) -> None:
    objectives = [objective_for(target) for target in targets]
    together = side_by_side(objectives)
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(4, 3, together.length_samples + 100, generator=generator)
    h = (h * torch.exp(-torch.arange(h.shape[-1]) / 500)).requires_grad_()
    total, terms = together.by_channel(h)
    (gradient,) = torch.autograd.grad(total.sum(), h)
    for room, objective in enumerate(objectives):
        alone = h.detach()[:, room : room + 1].clone().requires_grad_()
        expected, expected_terms = objective(alone)
        (slope,) = torch.autograd.grad(expected.sum(), alone)
        torch.testing.assert_close(total[:, room], expected, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(gradient[:, room : room + 1], slope, rtol=1e-5, atol=1e-9)
        for name, value in expected_terms.items():
            torch.testing.assert_close(terms[name][:, room], value, rtol=1e-5, atol=1e-9)


def test_in_stock_operations_they_are_the_same(targets: list[Target]) -> None:
    together = side_by_side([objective_for(target) for target in targets])
    h = torch.randn(2, 3, together.length_samples, generator=torch.Generator().manual_seed(0))
    fused = together.by_channel(h)[1]
    for name, value in energy_decay_terms(h, together.decay).items():
        torch.testing.assert_close(fused[name], value, rtol=1e-4, atol=1e-6)


def test_what_does_not_fit_side_by_side_is_refused(targets: list[Target]) -> None:
    one, other = objective_for(targets[0]), objective_for(targets[1], {"edc": 1.0})
    with pytest.raises(ValueError, match="do not fit side by side"):
        side_by_side([one, other])


def test_a_crowd_draws_and_rates_every_room_as_alone(problems: list[Problem]) -> None:
    crowd = Crowd(tuple(problems))
    free = crowd.draw(3, seed=5)
    for tensor in free.values():
        tensor.requires_grad_()
    loss, _ = crowd.loss(free, None)
    loss.sum().backward()
    for room, problem in enumerate(problems):
        alone = {name: t.requires_grad_() for name, t in problem.draw(3, seed=5).items()}
        # The same length of response: what folds back depends on it.
        alone_problem = dataclasses.replace(problem, n_fft=max(p.n_fft for p in problems))
        expected, _ = alone_problem.loss(alone, None)
        expected.sum().backward()
        torch.testing.assert_close(loss[room::3], expected, rtol=1e-5, atol=1e-7)
        for name, tensor in alone.items():
            torch.testing.assert_close(free[name].detach()[room::3], tensor.detach())
            found = free[name].grad
            assert found is not None
            assert tensor.grad is not None
            miss = (found[room::3] - tensor.grad).norm() / tensor.grad.norm().clamp_min(1e-12)
            assert miss < 1e-4, name


@pytest.fixture
def equally_long(targets: list[Target], monkeypatch: pytest.MonkeyPatch) -> list[Target]:
    """The rooms, their responses computed equally long whether they are alone or not."""

    def as_long(target: Target, config: FitConfig) -> Problem:
        return dataclasses.replace(problem_for(target, config), n_fft=3000)

    monkeypatch.setattr(gradient, "problem_for", as_long)
    return targets


def test_rooms_whose_responses_are_equally_long_are_fitted_as_alone(equally_long: list[Target]) -> None:
    for room, together in zip(equally_long, solve_many(equally_long, BRIEF), strict=True):
        alone = solve(room, BRIEF)
        assert isinstance(together, FitResult)
        assert together.fdn.delays_samples == alone.fdn.delays_samples
        losses = ([p.loss for p in result.history] for result in (together, alone))
        np.testing.assert_allclose(*losses, rtol=1e-3)
        assert together.loss == pytest.approx(alone.loss, rel=1e-3)
        assert together.history[-1].evaluations == alone.history[-1].evaluations


def test_rooms_of_all_kinds_come_back_in_their_order(make_room: Make, targets: list[Target]) -> None:
    long = target_of(make_room(sample_rate_hz=RATE_HZ, seconds=0.8, reverberation_time_s=0.5), RATE_HZ)
    pair = target_of(make_room(sample_rate_hz=RATE_HZ, seconds=0.3, channels=2), RATE_HZ)
    rooms = [targets[0], long, targets[1], pair, targets[2]]
    kinds = [kind_of(problem_for(room, BRIEF)) for room in rooms]
    assert kinds[0] == kinds[2] == kinds[4]
    assert len(set(kinds)) == 3
    for room, result in zip(rooms, solve_many(rooms, BRIEF), strict=True):
        assert isinstance(result, FitResult)
        assert result.status is Status.COMPLETED
        check_valid(result, lines=4)
        assert result.fdn.outputs == room.samples.shape[0]
        assert result.loss < result.history[0].loss


def test_a_room_that_cannot_be_fitted_costs_the_others_nothing(
    targets: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(target: Target, config: FitConfig) -> Problem:
        if target is targets[1]:
            raise FdnlearnError("room.wav", "has too few bands", "use another")
        return problem_for(target, config)

    monkeypatch.setattr(gradient, "problem_for", refused)
    first, second, third = solve_many(targets, BRIEF)
    assert isinstance(second, FdnlearnError)
    assert isinstance(first, FitResult)
    assert isinstance(third, FitResult)


def test_every_room_leaves_a_stage_when_it_has_stalled(equally_long: list[Target]) -> None:
    config = dataclasses.replace(BRIEF, iterations=60, patience=3)
    lengths = set()
    for room, together in zip(equally_long, solve_many(equally_long, config), strict=True):
        assert isinstance(together, FitResult)
        assert [p.iteration for p in together.history] == list(range(1, together.iterations + 1))
        lengths.add(together.iterations)
        alone = solve(room, config)
        for result in (together, alone):
            for stage in plan(config):
                steps = [p for p in result.history if p.stage == stage.name]
                assert len(steps) == stalled_after([p.loss for p in steps], 3, stage.iterations)
                best = [p.best_loss for p in steps]
                assert best == sorted(best, reverse=True)
        first = [[p.loss for p in result.history[:3]] for result in (together, alone)]
        np.testing.assert_allclose(*first, rtol=1e-3)
        assert together.loss == pytest.approx(alone.loss, rel=0.2)
    assert len(lengths) > 1


def stalled_after(losses: list[float], patience: int, most: int) -> int:
    """Steps after which a stage with these losses ends."""
    for step in range(2 * patience, most, patience):
        if step > len(losses):
            break
        recent, before = losses[step - patience : step], losses[step - 2 * patience : step - patience]
        if np.mean(recent) >= 0.999 * np.mean(before):
            return step
    return most


def test_models_that_are_fitted_alone_still_are(make_room: Make) -> None:
    room = target_of(make_room(sample_rate_hz=RATE_HZ, seconds=0.3, reverberation_time_s=0.2), RATE_HZ)
    config = FitConfig.for_model("banded", lines=4, iterations=4, restarts=1, sample_rate_hz=RATE_HZ)
    assert kind_of(problem_for(room, config)) is None
    (found,) = solve_many([room], config)
    assert isinstance(found, FitResult)
    assert found.fdn == solve(room, config).fdn
