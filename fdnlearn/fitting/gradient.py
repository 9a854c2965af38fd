"""Fitting by gradient descent with learnable delays (Mezza et al., EURASIP JASMP 2024:51), one room or many at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.config import FitConfig
from fdnlearn.fitting import checkpoint
from fdnlearn.fitting.batch import ProblemBatch, groups_of
from fdnlearn.fitting.course import FitState, begin, carry_on, resume
from fdnlearn.fitting.effort import longest, settled
from fdnlearn.fitting.problem import Problem, problem_for
from fdnlearn.fitting.progress import Callback, Checkpointing
from fdnlearn.fitting.rounding import UNADAPTED, roundings
from fdnlearn.fitting.solution import Solution, Status
from fdnlearn.fitting.threads import one_torch_thread
from fdnlearn.rir.target import Target


def solve(
    target: Target,
    config: FitConfig,
    callback: Callback | None = None,
    checkpointing: Checkpointing | None = None,
) -> Solution:
    """Fit a network to `target`.

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
    problem = problem_for(target, config)
    owner = checkpoint.fingerprint(target, config)
    with one_torch_thread(problem.device):
        course = begin(ProblemBatch((problem,)))
        if checkpointing is not None and checkpointing.to_resume:
            resume(course, checkpointing, owner)
        status = carry_on(course, callback, checkpointing, owner)
        return _result(course, 0, status)


def solve_many(targets: Sequence[Target], config: FitConfig) -> list[Solution | FdnlearnError]:
    """Fit a network to each of many targets, those of about the same length side by side in one batch.

    What a GPU is for: the starts of all rooms go through the stages of `solve` in the same launches. Side by side go
    rooms of about one length that agree in what shapes a network and its loss: lines, channels, slopes.

    Parameters
    ----------
    targets : sequence of Target
    config : FitConfig
        `budget_s` is the time of each batch. Where `iterations` is `options.AUTO`, all rooms of a batch take as many
        as the one that asks for most.

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
    found: dict[int, Solution | FdnlearnError] = {}
    problems: dict[int, Problem] = {}
    for index, target in enumerate(targets):
        try:
            problems[index] = problem_for(target, config)
        except UsageError:
            raise
        except FdnlearnError as error:
            found[index] = error
    for members in groups_of(problems):
        decided = longest([settled(config, targets[index]) for index in members])
        with one_torch_thread(problems[members[0]].device):
            group = (dataclasses.replace(problems[index], config=decided) for index in members)
            course = begin(ProblemBatch(tuple(group)))
            status = carry_on(course)
            for room, index in enumerate(members):
                try:
                    found[index] = _result(course, room, status)
                except FdnlearnError as error:
                    found[index] = error
    return [found[index] for index in range(len(targets))]


def _result(course: FitState, room: int, status: Status) -> Solution:
    """Turn the best network of a room into the contract, its delays rounded if the fit ends on integers."""
    leader = course.leader(room)
    loss, free, delays = leader.loss, leader.free, leader.delays_samples
    problem = course.crowd.problems[room]
    warnings = list(problem.model.warnings)
    if not math.isfinite(loss):
        raise FdnlearnError(
            problem.target.name, "every start of the fit diverged", "try another --seed or --lines"
        )
    unsnapped = problem.network_to_fdn(course.unsnapped[room], None) if course.unsnapped else None
    if delays is None and problem.config.delays == "integer":
        unsnapped = problem.network_to_fdn(free, None)
        delays = roundings(problem, free, 1)
        warnings.append(UNADAPTED)
        with torch.no_grad():
            loss = float(problem.loss(free, delays)[0])
    history = tuple(course.histories[room])
    return problem.solution(
        fdn=problem.network_to_fdn(free, delays),
        unsnapped=unsnapped,
        status=status,
        loss=loss,
        iterations=len(history),
        seconds=course.seconds / course.crowd.rooms,
        history=history,
        warnings=tuple(warnings),
    )
