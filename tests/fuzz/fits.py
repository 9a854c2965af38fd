"""Stand-ins for what takes long: fits of one iteration, each made once; no processes, no pages."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from fdnlearn import registry
from fdnlearn.fitting import Solution, solve
from fdnlearn.rir import Target
from fdnlearn.runs.outputs import Evaluation, evaluate
from fdnlearn.runs.pipeline import Job

_MOST_LINES = 4


@contextlib.contextmanager
def brief_fits() -> Iterator[None]:
    """Within, every command fits as briefly as it can, in this process, and a report is a word."""
    solutions: dict[Any, Solution] = {}
    evaluations: dict[Any, Evaluation] = {}

    def solved(job: Job, target: Target, callback: Any = None, checkpointing: Any = None) -> Solution:
        config = _brief(job)
        key = (target.sha256, job.channel, repr(config.settings()))
        return _once(solutions, key, functools.partial(solve, target, config))

    def evaluated(job: Job, solution: Solution, *, more: Any = {}) -> Evaluation:  # noqa: B006
        key = (id(solution), job.channel, job.stereo, repr(more))
        measure = functools.partial(evaluate, solution, channel=job.channel, stereo=job.stereo, more=more)
        return _once(evaluations, key, measure)

    here = dict.fromkeys(registry.ENGINES, "batch_rooms:outcomes")
    with (
        mock.patch.dict(registry.ENGINES, here),
        mock.patch.object(Job, "solve", solved),
        mock.patch.object(Job, "evaluate", evaluated),
        mock.patch("fdnlearn.runs.outputs.write_report", lambda path, data: path.write_text("page")),
        mock.patch("fdnlearn.runs.study.runner.warm_up", return_value=None),
        mock.patch("fdnlearn_audition.server.serve", _open_and_close),
    ):
        yield


def _brief(job: Job) -> Any:
    """The same but for its length. The searches take a closed form's place: theirs is tested where they are."""
    config = job.config
    lines = min(config.model.lines or _MOST_LINES, _MOST_LINES)
    if config.method.name != "gradient":
        return type(config).for_model(
            config.model.name,
            method="analytic",
            lines=lines,
            sample_rate_hz=config.sample_rate_hz,
            seed=config.seed,
        )
    return config.with_settings(iterations=1, restarts=1, lines=lines)


def _once(made: dict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:
    if key not in made:
        made[key] = make()
    return made[key]


def _open_and_close(host: str, port: int, opened: Any, password: str | None, announce: Any) -> None:
    from fdnlearn_audition import security, server

    security.admit(host, password)
    server._listen(host, port).close()
