"""One call for every method: what is asked for is settled, a solver is made, and the loop runs it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.config import FitConfig
from fdnlearn.fitting import loop
from fdnlearn.fitting.batch import groups_of
from fdnlearn.fitting.effort import longest, settled
from fdnlearn.fitting.owner import NOBODY, Owner
from fdnlearn.fitting.problem import Problem, problem_for
from fdnlearn.fitting.progress import Callback, Checkpointing
from fdnlearn.fitting.solution import Solution
from fdnlearn.fitting.threads import one_torch_thread
from fdnlearn.registry import METHODS, load
from fdnlearn.rir.target import Target


def solve(
    target: Target,
    config: FitConfig,
    callback: Callback | None = None,
    checkpointing: Checkpointing | None = None,
) -> Solution:
    """Fit a network to `target` by the method that `config` names.

    Parameters
    ----------
    target : Target
    config : FitConfig
    callback : callable, optional
        Called after every iteration; returning True ends the fit and keeps the best so far.
    checkpointing : Checkpointing, optional
        Where to keep the state, and whether to take up what is there.

    Returns
    -------
    Solution
        Same seed, machine, versions and number of threads: same network, interrupted and resumed or not.

    Raises
    ------
    UsageError
        If the configuration asks for what is not there.
    FdnlearnError
        If there is a checkpoint to resume that belongs to another fit, or every start diverged.
    """
    config = settled(config, target)
    problem = problem_for(target, config)
    with one_torch_thread(problem.device):
        solver = _solver(problem)
        owner = Owner.of(target, config, checkpointing.more) if checkpointing else NOBODY
        run = loop.run(solver, callback, checkpointing, owner)
        return solver.solution(0, run)


def solve_many(targets: Sequence[Target], config: FitConfig) -> list[Solution | FdnlearnError]:
    """Fit a network to each of many targets, side by side in one batch where the method and the rooms allow it.

    What a GPU is for: the starts of all rooms go through the stages of `solve` in the same launches. Side by side go
    rooms of about one length that agree in what shapes a network and its loss: lines, channels, slopes.

    Parameters
    ----------
    targets : sequence of Target
    config : FitConfig
        `budget_s` is the time of each batch. Where the iterations are `options.AUTO`, all rooms of a batch take as
        many as the one that asks for most.

    Returns
    -------
    list of Solution or FdnlearnError
        In the order of `targets`: the fit as `solve` would have made it but for rounding, its `seconds` being its
        share of the time; or what it ended with instead.

    Raises
    ------
    UsageError
        If the configuration asks for what is not there.
    """
    results: dict[int, Solution | FdnlearnError] = {}
    problems: dict[int, Problem] = {}
    side_by_side = METHODS[config.method.name].side_by_side
    for index, target in enumerate(targets):
        try:
            if side_by_side:
                problems[index] = problem_for(target, config)
            else:
                results[index] = solve(target, config)
        except UsageError:
            raise
        except FdnlearnError as error:
            results[index] = error
    for members in groups_of(problems):
        decided = longest([settled(config, targets[index]) for index in members])
        with one_torch_thread(problems[members[0]].device):
            solver = _solver(*(dataclasses.replace(problems[index], config=decided) for index in members))
            run = loop.run(solver)
            for room, index in enumerate(members):
                try:
                    results[index] = solver.solution(room, run)
                except FdnlearnError as error:
                    results[index] = error
    return [results[index] for index in range(len(targets))]


def _solver(*problems: Problem) -> loop.Solver:
    """The method at work on a room, or on several side by side."""
    solver: loop.Solver = load(METHODS[problems[0].config.method.name].solver)(*problems)
    return solver
