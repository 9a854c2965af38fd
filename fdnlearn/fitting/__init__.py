"""Ways to fit a network to a target: one file each, one call, one result."""

from __future__ import annotations

from collections.abc import Sequence

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.fitting.effort import settled
from fdnlearn.fitting.result import Callback, Checkpointing, FitConfig, Progress, Solution, Status
from fdnlearn.registry import METHODS, MODELS, load
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
        If there is no such method, or an ablation of the gradient fit is asked of another.
    """
    _check(config)
    method = load(METHODS[config.method])
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
    _check(config)
    if config.method == "gradient":
        from fdnlearn.fitting import gradient

        return gradient.solve_many(targets, config)
    found: list[Solution | FdnlearnError] = []
    for target in targets:
        try:
            found.append(solve(target, config))
        except UsageError:
            raise
        except FdnlearnError as error:
            found.append(error)
    return found


def _check(config: FitConfig) -> None:
    if config.method not in METHODS:
        raise UsageError(f"--method {config.method}", "unknown method", f"choose one of {', '.join(METHODS)}")
    if config.model in MODELS and config.method not in (methods := MODELS[config.model].methods):
        raise UsageError(
            f"--model {config.model}",
            f"is not fitted by {config.method}",
            f"use --method {', '.join(methods[:-1])} or {methods[-1]}, or --model homogeneous",
        )
    if not config.learn_delays and config.method != "gradient":
        raise UsageError(
            f"--method {config.method}", "always searches delays", "freeze them with gradient only"
        )
    if config.patience is not None and config.method != "gradient":
        raise UsageError("--patience", f"means nothing to {config.method}", "leave it out or use gradient")
