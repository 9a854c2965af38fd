"""The descent inside a gradient fit: its plan, its learning rate, and starts that diverge."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch
from brief_fits import BRIEF, BRIEF_BANDED, check_valid

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fitting import FitConfig, Status, solve
from fdnlearn.fitting.batch import ProblemBatch
from fdnlearn.fitting.columns import split
from fdnlearn.fitting.descent import AdamState, advance, column_rates, cosine
from fdnlearn.fitting.problem import Free, Problem, problem_for
from fdnlearn.fitting.stages import plan
from fdnlearn.rir import Target


@pytest.mark.parametrize("delays", ["integer", "fractional"])
@pytest.mark.parametrize("restarts", [1, 2, 16])
@pytest.mark.parametrize("iterations", [1, 7, 400])
def test_a_plan_narrows_down_and_ends_as_asked(iterations: int, restarts: int, delays: str) -> None:
    stages = plan(FitConfig.for_model("homogeneous", iterations=iterations, restarts=restarts, delays=delays))
    assert stages[0].rows == restarts
    assert stages[-1].rows == 1
    assert [s.snapped for s in stages] == sorted(s.snapped for s in stages)
    assert stages[-1].snapped == (delays == "integer")
    assert all(s.iterations >= 1 and s.rate > 0 for s in stages)
    assert stages[-1].budget_share == 1
    assert all(a.budget_share < b.budget_share for a, b in pairwise(stages))
    free = [s.rows for s in stages if not s.snapped]
    assert free == sorted(free, reverse=True)


def test_groups_survive_being_laid_side_by_side(target: Target) -> None:
    free = problem_for(target, BRIEF).draw(3, seed=0)
    again = split(AdamState.start(free).values, free)
    assert all(torch.equal(again[name], free[name]) for name in free)


def test_the_learning_rate_falls_along_a_cosine() -> None:
    assert [cosine(x) for x in (0.0, 0.5, 1.0, 7.0)] == pytest.approx([1.0, 0.5, 0.0, 0.0])
    assert cosine(1.0, floor=0.2) == pytest.approx(0.2)


def test_a_diverged_start_stays_put_and_does_not_end_the_others(target: Target) -> None:
    problem = problem_for(target, BRIEF)
    free = problem.draw(3, seed=0)
    free["output"][1] = float("nan")
    descent = AdamState.start(free)
    before = descent.values.clone()
    rates = 0.05 * column_rates(problem, free)
    losses = [advance(descent, problem, free, None, rates)[0][0] for _ in range(8)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert torch.equal(descent.values[1].isnan(), before[1].isnan())
    assert not torch.equal(descent.values[0], before[0])
    assert not torch.equal(descent.values[2], before[2])
    assert descent.best_loss.isfinite().tolist() == [True, False, True]
    assert bool(descent.best_values[[0, 2]].isfinite().all())


def test_a_row_that_has_run_away_begins_again_where_it_was_best(target: Target) -> None:
    problem = problem_for(target, BRIEF)
    free = problem.draw(3, seed=0)
    state = AdamState.start(free)
    rates = torch.zeros_like(column_rates(problem, free))
    advance(state, problem, free, None, rates)
    state.first += 1.0
    state.second += 1.0
    state.best_values = state.best_values + 0.25
    before, best = state.values.clone(), state.best_values.clone()
    state.best_loss[1] /= 1000.0
    advance(state, problem, free, None, rates)
    torch.testing.assert_close(state.values[1], best[1])
    torch.testing.assert_close(state.values[[0, 2]], before[[0, 2]])
    assert not state.first[1].any()
    assert not state.second[1].any()
    assert state.first[0].any()


@pytest.mark.parametrize("rooms", [1, 2])
def test_rows_that_take_turns_for_memory_take_the_same_steps(
    target: Target, rooms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = problem_for(target, BRIEF_BANDED)
    batch = ProblemBatch((problem,) * rooms)
    free = batch.draw(5, 0)
    rates = 0.05 * column_rates(batch, free)

    def stepped() -> AdamState:
        descent = AdamState.start(free)
        for _ in range(2):
            advance(descent, batch, free, None, rates, rooms)
        return descent

    together = stepped()
    monkeypatch.setattr(Problem, "rows_at_once", 2)
    assert batch.rows_at_once == 2
    apart = stepped()
    torch.testing.assert_close(apart.values, together.values, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(apart.best_loss, together.best_loss, rtol=1e-5, atol=0.0)


def test_a_long_room_takes_turns_and_a_short_one_does_not(target: Target) -> None:
    problem = problem_for(target, FitConfig.for_model("banded"))
    assert problem.rows_at_once >= 16
    assert dataclasses.replace(problem, n_fft=60 * 48000).rows_at_once == 1


def test_a_fit_whose_starts_all_diverge_is_told_in_one_line(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = Problem.draw

    def broken(self: Problem, starts: int, seed: int) -> dict[str, torch.Tensor]:
        free = draw(self, starts, seed)
        free["output"][:] = float("nan")
        return free

    monkeypatch.setattr(Problem, "draw", broken)
    with pytest.raises(FdnlearnError, match="diverged"):
        solve(target, FitConfig.for_model("homogeneous", lines=2, iterations=2, restarts=2))


def test_a_fit_survives_a_diverged_start(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Problem.draw

    def poisoned(self: Problem, starts: int, seed: int) -> Free:
        free = draw(self, starts, seed)
        free["input"][0] = float("inf")
        return free

    monkeypatch.setattr(Problem, "draw", poisoned)
    result = solve(target, BRIEF)
    assert result.status is Status.COMPLETED
    assert np.isfinite(result.loss)
    check_valid(result, lines=4)
