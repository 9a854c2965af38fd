"""Many rooms in one batch: each has the loss, the gradient and the fit that it has alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from brief_fits import BRIEF, BRIEF_BANDED, RATE_HZ, check_valid
from targets import target_of

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import FloatArray
from fdnlearn.fitting import FitConfig, Solution, Status, gradient, solve, solve_many, solving
from fdnlearn.fitting.batch import ProblemBatch, groups_of
from fdnlearn.fitting.descent import AdamState
from fdnlearn.fitting.problem import Problem, problem_for
from fdnlearn.fitting.stages import plan
from fdnlearn.losses.definitions import BANDED, HOMOGENEOUS
from fdnlearn.losses.energy_decay import energy_decay_term
from fdnlearn.losses.objective import objective_for
from fdnlearn.losses.placing import on_device
from fdnlearn.losses.terms import WeightedTerm
from fdnlearn.ops.decay import cpu as decay
from fdnlearn.ops.decay import reference as stock_decay
from fdnlearn.options import AUTO, Banded
from fdnlearn.rir import Target

pytestmark = pytest.mark.fit

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
def pairs(make_room: Make) -> list[Target]:
    """Rooms of two channels, of one kind but with early and late parts of different lengths."""
    return [
        target_of(
            make_room(
                sample_rate_hz=RATE_HZ, seconds=seconds, reverberation_time_s=time_s, seed=seed, channels=2
            ),
            RATE_HZ,
        )
        for seed, (seconds, time_s) in enumerate(((0.8, 0.5), (0.82, 0.52), (0.81, 0.51)))
    ]


@pytest.mark.parametrize("loss", [HOMOGENEOUS, BANDED])
def test_side_by_side_every_room_has_the_loss_and_the_gradient_it_has_alone(
    pairs: list[Target], loss: Sequence[WeightedTerm]
) -> None:
    first, *others = objectives = [objective_for(target, loss) for target in pairs]
    together = first.stack(others)
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(6, 2, together.length_samples + 100, generator=generator)
    h = h * torch.exp(-torch.arange(h.shape[-1]) / 500)
    h = (h + 0.05 * torch.sin(0.3 * torch.arange(h.shape[-1]))).requires_grad_()
    total, terms = together(h)
    (gradient,) = torch.autograd.grad(total.sum(), h)
    for room, objective in enumerate(objectives):
        alone = h.detach()[room::3].clone().requires_grad_()
        expected, expected_terms = objective(alone)
        (slope,) = torch.autograd.grad(expected.sum(), alone)
        torch.testing.assert_close(total[room::3], expected, rtol=1e-5, atol=1e-9)
        assert (gradient[room::3] - slope).norm() < 1e-5 * slope.norm()
        assert terms.keys() == expected_terms.keys()
        for name, value in expected_terms.items():
            assert float(value.detach().min()) > 0.0, name
            torch.testing.assert_close(terms[name][room::3], value, rtol=1e-4, atol=1e-9, msg=name)


def test_in_stock_operations_they_are_the_same(targets: list[Target]) -> None:
    first, *others = (energy_decay_term(target) for target in targets)
    together = first.stack(others)
    h = torch.randn(2, 3, together.length_samples, generator=torch.Generator().manual_seed(0))
    fused, stock = (form.distance(h, together.target, (1.0, 0.0, 0.0))[1] for form in (decay, stock_decay))
    torch.testing.assert_close(fused, stock, rtol=1e-4, atol=1e-6)


def test_what_does_not_fit_side_by_side_is_refused(targets: list[Target]) -> None:
    for loss in (HOMOGENEOUS, BANDED):
        one, other = objective_for(targets[0], loss), objective_for(targets[1], loss, {"edc": 1.0})
        with pytest.raises(ValueError, match="do not fit side by side"):
            one.stack([other])


@pytest.mark.parametrize(
    ("config", "rooms", "whole"),
    [
        (BRIEF, "targets", False),
        (BRIEF_BANDED, "targets", False),
        (BRIEF_BANDED, "pairs", False),
        (BRIEF_BANDED, "pairs", True),
    ],
)
def test_a_batch_draws_and_rates_every_room_as_alone(
    config: FitConfig, rooms: str, whole: bool, request: pytest.FixtureRequest
) -> None:
    problems = [problem_for(target, config) for target in request.getfixturevalue(rooms)]
    # The same length of response: what folds back depends on it.
    n_fft = max(problem.n_fft for problem in problems)
    batch = ProblemBatch(tuple(problems))
    free = batch.draw(3, seed=5)
    delays = problems[0].model.delays(free["delay"]).round() if whole else None
    for tensor in free.values():
        tensor.requires_grad_()
    loss, _ = batch.loss(free, delays)
    loss.sum().backward()
    for room, problem in enumerate(problems):
        alone = {name: t.requires_grad_() for name, t in problem.draw(3, seed=5).items()}
        expected, _ = dataclasses.replace(problem, n_fft=n_fft).loss(
            alone, None if delays is None else delays[room::3]
        )
        expected.sum().backward()
        torch.testing.assert_close(loss[room::3], expected, rtol=1e-5, atol=1e-7)
        for name, tensor in alone.items():
            width = tensor.shape[-1]
            torch.testing.assert_close(free[name].detach()[room::3, ..., :width], tensor.detach())
            found = free[name].grad
            if tensor.grad is None:
                assert found is None or not bool(found.any())
                continue
            assert found is not None
            assert not bool(found[room::3, ..., width:].any())
            miss = (found[room::3, ..., :width] - tensor.grad).norm() / tensor.grad.norm().clamp_min(1e-12)
            assert miss < 1e-4, name


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("config", "rooms"), [(BRIEF, "targets"), (BRIEF_BANDED, "targets"), (BRIEF_BANDED, "pairs")]
)
@pytest.mark.parametrize("count", [1, 3])
def test_everything_that_a_step_touches_is_on_the_device(
    count: int, config: FitConfig, rooms: str, whole: bool, request: pytest.FixtureRequest
) -> None:
    """On a device that holds no numbers: an operation that mixes devices fails there, and so does a copy to the CPU."""
    device = torch.device("meta")
    problems = [problem_for(target, config) for target in request.getfixturevalue(rooms)[:count]]
    free = ProblemBatch(tuple(problems)).draw(2, seed=0)
    there = [
        dataclasses.replace(
            problem,
            device=device,
            kernel="reference",
            objective=on_device(problem.objective, device),
        )
        for problem in problems
    ]
    leaves = {name: tensor.to(device).requires_grad_() for name, tensor in free.items()}
    delays = torch.empty(leaves["delay"].shape, device=device) if whole else None
    loss, terms = ProblemBatch(tuple(there)).loss(leaves, delays)
    slopes = torch.autograd.grad(loss.sum(), list(leaves.values()), allow_unused=True)
    found = [loss, *terms.values(), *(slope for slope in slopes if slope is not None)]
    assert {tensor.device for tensor in found} == {device}
    assert loss.shape == (2 * count,)


@pytest.fixture
def equally_long(targets: list[Target], monkeypatch: pytest.MonkeyPatch) -> list[Target]:
    """The rooms, their responses computed equally long whether they are alone or not."""

    def as_long(target: Target, config: FitConfig) -> Problem:
        return dataclasses.replace(
            problem_for(target, config), n_fft=4000 if isinstance(config.model, Banded) else 3000
        )

    monkeypatch.setattr(solving, "problem_for", as_long)
    return targets


@pytest.mark.last_bits
@pytest.mark.parametrize("config", [BRIEF, BRIEF_BANDED])
def test_rooms_whose_responses_are_equally_long_are_fitted_as_alone(
    equally_long: list[Target], config: FitConfig
) -> None:
    for room, together in zip(equally_long, solve_many(equally_long, config), strict=True):
        alone = solve(room, config)
        assert isinstance(together, Solution)
        assert together.fdn.delays_samples == alone.fdn.delays_samples
        assert [len(path.model_dump()["taps"]) for path in together.fdn.early] == [
            len(path.model_dump()["taps"]) for path in alone.fdn.early
        ]
        losses = ([p.loss for p in result.history] for result in (together, alone))
        np.testing.assert_allclose(*losses, rtol=1e-3)
        assert together.loss == pytest.approx(alone.loss, rel=1e-3)
        assert together.history[-1].evaluations == alone.history[-1].evaluations


def test_rooms_of_all_kinds_come_back_in_their_order(make_room: Make, targets: list[Target]) -> None:
    long = target_of(make_room(sample_rate_hz=RATE_HZ, seconds=0.8, reverberation_time_s=0.5), RATE_HZ)
    pair = target_of(make_room(sample_rate_hz=RATE_HZ, seconds=0.3, channels=2), RATE_HZ)
    rooms = [targets[0], long, targets[1], pair, targets[2]]
    groups = groups_of({index: problem_for(room, BRIEF) for index, room in enumerate(rooms)})
    assert sorted(map(sorted, groups)) == [[0, 2, 4], [1], [3]]
    for room, result in zip(rooms, solve_many(rooms, BRIEF), strict=True):
        assert isinstance(result, Solution)
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

    monkeypatch.setattr(solving, "problem_for", refused)
    first, second, third = solve_many(targets, BRIEF)
    assert isinstance(second, FdnlearnError)
    assert isinstance(first, Solution)
    assert isinstance(third, Solution)


def scripted(monkeypatch: pytest.MonkeyPatch, falls: dict[int, float]) -> None:
    """Steps of a fit whose told losses fall by so much a step in each stage, whatever the real ones do.

    `falls` is by the identity of a room's target. Which step a room leaves a stage after is then known: the losses of a
    real fit decide it by their last bits, which differ from processor to processor.
    """
    real = gradient.advance

    def advance(
        descent: AdamState, problem: ProblemBatch, *arguments: Any
    ) -> list[tuple[float, dict[str, float]]]:
        step = descent.step
        found = real(descent, problem, *arguments)
        return [
            (falls[id(one.recording)] ** step, terms)
            for one, (_, terms) in zip(problem.problems, found, strict=True)
        ]

    monkeypatch.setattr(gradient, "advance", advance)


@pytest.mark.last_bits
def test_every_room_leaves_a_stage_when_it_has_stalled(
    equally_long: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own losses decide, neither those of the others nor how many of them are left."""
    config = BRIEF.with_settings(iterations=60, patience=3)
    # Progress over three steps is measured against a thousandth: none, just too little, more than enough.
    falls = (1.0, 1 - 0.0003, 0.9)
    scripted(monkeypatch, {id(room): fall for room, fall in zip(equally_long, falls, strict=True)})
    stages = plan(config)
    assert all(stage.iterations > 6 for stage in stages)
    whole = sum(stage.iterations for stage in stages)
    for wanted, room, together in zip(
        (6 * len(stages), 6 * len(stages), whole),
        equally_long,
        solve_many(equally_long, config),
        strict=True,
    ):
        assert isinstance(together, Solution)
        assert together.iterations == solve(room, config).iterations == wanted
        assert [p.iteration for p in together.history] == list(range(1, wanted + 1))
        assert together.fdn.stability.stable


@pytest.mark.last_bits
def test_a_room_that_has_left_a_stage_keeps_the_network_it_had_then(
    equally_long: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows may stay in the batch and move on, but what counts is written down."""
    config = BRIEF.with_settings(iterations=60, patience=3)
    falls = (0.9, 1.0, 0.9)
    scripted(monkeypatch, {id(room): fall for room, fall in zip(equally_long, falls, strict=True)})
    _, left, _ = solve_many(equally_long, config)
    assert isinstance(left, Solution)
    # `best_loss` is not scripted: it belongs to the parameters that are kept.
    assert left.loss == pytest.approx(left.history[-1].best_loss, rel=1e-6)
    for stage in plan(config):
        best = [p.best_loss for p in left.history if p.stage == stage.name]
        assert len(best) == 6
        assert best == sorted(best, reverse=True)


@pytest.mark.last_bits
def test_a_room_leaves_a_stage_after_the_step_that_its_losses_say(target: Target) -> None:
    """The rule itself, on the losses of a real fit, wherever these lead on this processor."""
    config = BRIEF.with_settings(iterations=60, patience=3)
    result = solve(target, config)
    for stage in plan(config):
        losses = [p.loss for p in result.history if p.stage == stage.name]
        assert len(losses) == stalled_after(losses, 3, stage.iterations)


def stalled_after(losses: list[float], patience: int, most: int) -> int:
    """Steps after which a stage with these losses ends."""
    for step in range(2 * patience, most, patience):
        if step > len(losses):
            break
        recent, before = losses[step - patience : step], losses[step - 2 * patience : step - patience]
        if np.mean(recent) >= 0.999 * np.mean(before):
            return step
    return most


@pytest.mark.last_bits
def test_rooms_together_take_as_many_steps_as_the_one_that_asks_for_most(
    pairs: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {id(target): number for target, number in zip(pairs, (4, 8, 6), strict=True)}

    def asked(config: FitConfig, target: Target) -> FitConfig:
        return config.with_settings(iterations=wanted[id(target)])

    monkeypatch.setattr(solving, "settled", asked)
    config = BRIEF_BANDED.with_settings(iterations=AUTO)
    assert len(groups_of({i: problem_for(target, config) for i, target in enumerate(pairs)})) == 1
    for result in solve_many(pairs, config):
        assert isinstance(result, Solution)
        assert result.iterations == sum(
            stage.iterations for stage in plan(config.with_settings(iterations=8), in_time=True)
        )
