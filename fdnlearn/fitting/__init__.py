"""Ways to fit a network to a target: one file each, one call, one result."""

from __future__ import annotations

from collections.abc import Sequence

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.config import FitConfig
from fdnlearn.fitting.effort import settled
from fdnlearn.fitting.progress import Callback, Checkpointing, Progress
from fdnlearn.fitting.solution import Solution, Status
from fdnlearn.registry import METHODS, load
from fdnlearn.rir.target import Target

__all__ = ["Callback", "Checkpointing", "FitConfig", "Solution", "Progress", "Status", "solve", "solve_many"]


def solve(
    target: Target,
    config: FitConfig,
    callback: Callback | None = None,
    checkpointing: Checkpointing | None = None,
) -> Solution:
    """Fit a network to `target` by the method that `config` names.

    See `fdnlearn.fitting.gradient.solve` for the parameters.

    Raises
    ------
    UsageError
        If the configuration asks for what is not there.
    """
    method = load(METHODS[config.method.name].solve)
    result: Solution = method(target, settled(config, target), callback, checkpointing)
    return result


def solve_many(targets: Sequence[Target], config: FitConfig) -> list[Solution | FdnlearnError]:
    """Fit a network to each of many targets, side by side where the method and the model can.

    See `fdnlearn.fitting.gradient.solve_many`.

    Raises
    ------
    UsageError
        As `solve` does.
    """
    if METHODS[config.method.name].side_by_side:
        from fdnlearn.fitting import gradient

        return gradient.solve_many(targets, config)
    results: list[Solution | FdnlearnError] = []
    for target in targets:
        try:
            results.append(solve(target, config))
        except UsageError:
            raise
        except FdnlearnError as error:
            results.append(error)
    return results
