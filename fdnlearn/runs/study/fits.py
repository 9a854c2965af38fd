"""One fit of a comparison, timed, measured and described; and the one before the first that is not timed."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import FloatArray
from fdnlearn.runs.ends import FAILED, FINISHED
from fdnlearn.runs.pipeline import Job
from fdnlearn.runs.study.cells import Cell, Place
from fdnlearn.runs.study.curves import curve_of
from fdnlearn.runs.study.machine import describe_machine
from fdnlearn.runs.study.methods import Method
from fdnlearn.runs.study.plan import Plan
from fdnlearn.runs.study.rooms import StudyRoom

if TYPE_CHECKING:
    from fdnlearn.fitting.progress import Progress
    from fdnlearn.rir.target import Target
    from fdnlearn.runs.outputs import Evaluation


_WARM_UP_BUDGET_S = 0.5


def fit_cell(
    plan: Plan,
    room: StudyRoom,
    method: Method,
    place: Place,
    settings: Mapping[str, Any],
    stop: Callable[[Progress], bool],
) -> Cell | None:
    """Fit and measure one cell.

    Parameters
    ----------
    plan : Plan
    room : StudyRoom
        A prepared one.
    method : Method
    place : Place
    settings : mapping
        `Plan.settings` of the fit.
    stop : callable
        The fit's callback.

    Returns
    -------
    Cell or None
        Failed if the fit failed, None if it was stopped.
    """
    from fdnlearn.fitting import Status

    if room.target is None:
        raise ValueError(f"{room.name} has not been prepared")
    try:
        job = Job(plan.config(method, place.seed))
        started = time.perf_counter()
        solution = job.solve(room.target, stop)
        seconds = time.perf_counter() - started
        if solution.status is Status.INTERRUPTED:
            return None
        evaluation = job.evaluate(solution, more={name: settings[name] for name in ("program", "threads")})
        return Cell(place, FINISHED, settings, _body(room.name, evaluation, seconds))
    # One fit that goes wrong, in whatever way, must not cost the others.
    except Exception as error:
        reason = str(error) if isinstance(error, FdnlearnError) else f"{type(error).__name__}: {error}"
        return Cell(place, FAILED, settings, {"room": room.name, "reason": " ".join(reason.split())})


def warm_up(plan: Plan, method: Method) -> None:
    """Let a method compile what it needs on a short synthetic room, so that no fit pays for it.

    Raises
    ------
    UsageError
        If the method needs what is not installed.
    """
    config = dataclasses.replace(plan.config(method, 0), budget_s=_WARM_UP_BUDGET_S)
    Job(config).solve(_tiny_target(plan.sample_rate_hz))


def _tiny_target(sample_rate_hz: int) -> Target:
    """A quarter of a second of exponentially decaying noise behind a direct sound."""
    from fdnlearn.rir import Recording, prepare_target

    n = round(0.25 * sample_rate_hz)
    envelope = 10.0 ** (-3.0 * np.arange(n) / (0.2 * sample_rate_hz))
    noise = np.random.default_rng(0).standard_normal((2, n))
    samples = 0.1 * noise[:1] * envelope + 1e-5 * noise[1:]
    samples[:, 0] = 0.5
    recording = Recording("warm-up", "", sample_rate_hz, samples, "synthetic")
    return prepare_target(recording, sample_rate_hz=sample_rate_hz)


def _body(name: str, evaluation: Evaluation, seconds: float) -> dict[str, Any]:
    from fdnlearn.fdn import dumps_fdn
    from fdnlearn.runs.outputs import on_target_scale

    solution, target = evaluation.solution, evaluation.solution.target
    curve = curve_of(solution)
    return {
        "room": name,
        "reverberation_time_s": target.reverberation_time_s,
        "seconds": seconds,
        "evaluations": curve["evaluations"][-1],
        "iterations": solution.iterations,
        "loss": _common_loss(target, on_target_scale(target, evaluation.response)),
        "curve": curve,
        "metrics": evaluation.metrics.to_json(),
        "fdn": json.loads(dumps_fdn(evaluation.fdn)),
        "warnings": list(evaluation.warnings),
        "machine": describe_machine(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _common_loss(target: Target, response: FloatArray) -> float:
    """Loss of what is rendered, all terms, whatever the method itself has minimised, both folded for that loss."""
    import torch

    from fdnlearn.losses.definitions import HOMOGENEOUS
    from fdnlearn.losses.objective import objective_for
    from fdnlearn.rir.folding import fold, folded

    response = fold(response, target.direct_samples)[0] * target.gain
    target = folded(target)
    response /= target.gain
    heard = math.ceil(target.reverberation_time_s * target.sample_rate_hz)
    missing = max(0, max(target.length_samples, heard) - response.shape[1])
    h = np.pad(response, ((0, 0), (0, missing))).astype(np.float32)
    with torch.no_grad():
        loss, _ = objective_for(target, HOMOGENEOUS)(torch.from_numpy(h)[None])
    return float(loss[0])
