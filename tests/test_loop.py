"""The loop of every fit, with solvers that do nothing: stages, time, interruption and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from brief_fits import BRIEF, stop_after
from torch import Tensor

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fdn import FDN
from fdnlearn.fitting import Checkpointing, Progress, Solution, Status, loop, solve
from fdnlearn.fitting.loop import CannotResumeError, Run, Step
from fdnlearn.fitting.owner import Owner
from fdnlearn.rir import Target


class Counting:
    """Two stages of three steps; the second room leaves the first stage after two of them."""

    rooms, total_iterations = 2, 6

    def __init__(self, budget_s: float = float("inf")) -> None:
        self.index, self.steps, self.budget_s = 0, 0, budget_s

    @property
    def stage(self) -> str:
        return ("one", "two")[self.index]

    def stage_over(self, run: Run) -> Status | None:
        if run.seconds > self.budget_s:
            return Status.BUDGET
        return Status.COMPLETED if self.steps == 3 * (self.index + 1) else None

    def next_stage(self) -> bool:
        self.index += 1
        return self.index < 2

    def step(self, run: Run) -> Sequence[Step | None]:
        self.steps += 1
        one = Step(1.0 / self.steps, 1.0 / self.steps, {"edc": 1.0}, 4)
        return [one, None if self.steps == 3 else one]

    def network(self) -> FDN:
        raise NotImplementedError

    def state(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        return {"steps": torch.tensor([self.steps])}, {"index": self.index}

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        if state["index"] > 0:
            raise CannotResumeError("cannot be counted")
        self.index, self.steps = state["index"], int(tensors["steps"])

    def solution(self, room: int, run: Run) -> Solution:
        raise NotImplementedError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second for each look at it."""
    seconds = iter(range(10**6))
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))


def test_every_room_has_a_line_for_each_step_that_it_takes_part_in() -> None:
    run = loop.run(Counting())
    assert run.status is Status.COMPLETED
    first, second = run.histories
    assert [p.stage for p in first] == ["one"] * 3 + ["two"] * 3
    assert [p.iteration for p in second] == [1, 2, 3, 4, 5]
    assert [p.evaluations for p in first] == [4, 8, 12, 16, 20, 24]
    assert {p.total_iterations for p in first} == {6}


@pytest.mark.usefixtures("clock")
def test_a_stage_that_runs_out_of_time_makes_a_fit_one_of_its_budget() -> None:
    run = loop.run(Counting(budget_s=5.0))
    assert run.status is Status.BUDGET
    assert 0 < len(run.histories[0]) < 6


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_interrupted_and_resumed_it_ends_as_if_it_had_not_been(stop: int, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    part = loop.run(Counting(), stop_after(stop), Checkpointing(path), Owner({"name": "mine"}))
    assert (part.status, len(part.histories[0])) == (Status.INTERRUPTED, stop)
    # A checkpoint is of one room.
    solver = Counting()
    solver.rooms = 1
    solver.step = lambda run: Counting.step(solver, run)[:1]  # type: ignore[method-assign]
    whole = loop.run(solver, None, Checkpointing(path, resume=True), Owner({"name": "mine"}))
    assert whole.status is Status.COMPLETED
    assert [p.loss for p in whole.histories[0]] == [p.loss for p in loop.run(Counting()).histories[0]]
    assert whole.seconds >= part.histories[0][-1].seconds


def test_the_time_left_is_that_of_the_work_left() -> None:
    def progress(**more: float) -> Progress:
        return Progress(2, 10, "one", 6.0, 1.0, 1.0, {}, **more)  # type: ignore[arg-type]

    assert progress().left_s == pytest.approx(24.0)
    assert progress(share_done=0.6).left_s == pytest.approx(4.0)
    assert progress(share_done=1.0).left_s == 0.0


def test_what_a_solver_cannot_take_up_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    loop.run(Counting(), stop_after(5), Checkpointing(path), Owner({"name": "mine"}))
    with pytest.raises(FdnlearnError, match=r"safetensors: cannot be counted; start again with --force"):
        loop.run(Counting(), None, Checkpointing(path, resume=True), Owner({"name": "mine"}))


@pytest.mark.usefixtures("clock")
def test_a_checkpoint_is_written_when_its_time_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    monkeypatch.setattr(loop.checkpoint, "save", lambda *given: written.append(len(given[3])))
    loop.run(Counting(), None, Checkpointing(tmp_path / "x", every_s=1e6), Owner({"name": "mine"}))
    assert written == []
    loop.run(Counting(), None, Checkpointing(tmp_path / "x", every_s=0.0), Owner({"name": "mine"}))
    assert written == [1, 2, 3, 4, 5, 6]


def test_a_design_that_was_interrupted_is_taken_up(target: Target, tmp_path: Path) -> None:
    """It has one step, and is through when it is stopped."""
    config = BRIEF.with_settings(method="analytic")
    path = tmp_path / "checkpoint.safetensors"
    seen: list[Progress] = []
    part = solve(target, config, lambda progress: seen.append(progress) is None, Checkpointing(path))
    assert part.status is Status.INTERRUPTED
    whole = solve(target, config, None, Checkpointing(path, resume=True))
    assert (whole.status, whole.fdn, whole.loss) == (Status.COMPLETED, part.fdn, part.loss)
    assert whole.history == part.history == tuple(seen)
