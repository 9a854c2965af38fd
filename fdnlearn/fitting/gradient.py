"""Fitting by gradient descent with learnable delays (Mezza et al., EURASIP JASMP 2024:51)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fdnlearn.errors import FdnlearnError
from fdnlearn.fdn import FDN
from fdnlearn.fitting import checkpoint
from fdnlearn.fitting.columns import split
from fdnlearn.fitting.descent import Descent, advance, column_rates, cosine
from fdnlearn.fitting.problem import Free, Problem, problem_for
from fdnlearn.fitting.result import Callback, Checkpointing, FitConfig, FitResult, Progress, Status
from fdnlearn.fitting.rounding import UNADAPTED, roundings
from fdnlearn.fitting.stages import Stage, plan
from fdnlearn.fitting.threads import one_torch_thread
from fdnlearn.rir.target import Target


@dataclass
class _Run:
    """Everything that changes while a fit runs."""

    problem: Problem
    stages: tuple[Stage, ...]
    like: Free
    descent: Descent
    delays_samples: Tensor | None = None
    stage: int = 0
    iteration: int = 0
    seconds_before: float = 0.0
    unsnapped: Free | None = None
    history: list[Progress] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def evaluations(self) -> int:
        return self.history[-1].evaluations or 0 if self.history else 0

    @property
    def total_iterations(self) -> int:
        return sum(stage.iterations for stage in self.stages)


def solve(
    target: Target,
    config: FitConfig,
    callback: Callback | None = None,
    checkpointing: Checkpointing | None = None,
) -> FitResult:
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
    FitResult
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
        run = _begin(problem)
        if checkpointing is not None and checkpointing.to_resume:
            _resume(run, checkpointing, owner)
        status = _carry_on(run, config, callback, checkpointing, owner)
        return _finish(run, status)


def _begin(problem: Problem) -> _Run:
    stages = plan(problem.config)
    free = problem.draw(stages[0].rows, problem.config.seed)
    return _Run(problem, stages, free, Descent.start(free))


def _carry_on(
    run: _Run, config: FitConfig, callback: Callback | None, checkpointing: Checkpointing | None, owner: str
) -> Status:
    """Go through the stages; what is left in `run` is the best so far."""
    saved = time.perf_counter()
    out_of_time = False
    rates = column_rates(run.problem, run.like)
    while True:
        stage = run.stages[run.stage]
        entered = run.seconds
        deadline = math.inf if config.budget_s is None else config.budget_s * stage.budget_share
        while run.descent.step < stage.iterations:
            progress = run.descent.step / stage.iterations
            if config.budget_s is not None:
                # The learning rate reaches zero when the time is up, however many steps that was.
                progress = max(progress, (run.seconds - entered) / max(deadline - entered, 1e-9))
                if progress >= 1 and run.descent.step:
                    out_of_time = True
                    break
            now = stage.rate * cosine(progress) * rates
            loss, terms = advance(run.descent, run.problem, run.like, run.delays_samples, now)
            run.iteration += 1
            done = Progress(
                iteration=run.iteration,
                total_iterations=run.total_iterations,
                stage=stage.name,
                seconds=run.seconds,
                loss=loss,
                best_loss=float(run.descent.best_loss.min()),
                terms=terms,
                evaluations=run.evaluations + run.descent.values.shape[0],
            )
            run.history.append(done)
            if checkpointing is not None and time.perf_counter() - saved > checkpointing.every_s:
                _save(run, checkpointing, owner)
                saved = time.perf_counter()
            if callback is not None and callback(done.with_best(lambda: _best(run))):
                if checkpointing is not None:
                    _save(run, checkpointing, owner)
                return Status.INTERRUPTED
        if run.stage + 1 == len(run.stages):
            return Status.BUDGET if out_of_time else Status.COMPLETED
        _next_stage(run)


def _next_stage(run: _Run) -> None:
    """Hand the best networks of a finished stage to the next one."""
    stage, coming = run.stages[run.stage], run.stages[run.stage + 1]
    order = run.descent.best_loss.argsort(stable=True)
    keep = order[: min(coming.rows, order.shape[0])]
    free = split(run.descent.best_values[keep.to(run.descent.values.device)], run.like)
    if coming.snapped and not stage.snapped:
        free = {name: tensor[:1] for name, tensor in free.items()}
        run.unsnapped = free
        run.delays_samples = roundings(run.problem, free, coming.rows, to_adapt=True)
        free = {name: t.expand(coming.rows, *t.shape[1:]).clone() for name, t in free.items()}
    elif coming.snapped and run.delays_samples is not None:
        run.delays_samples = run.delays_samples[keep.to(run.delays_samples.device)]
    run.stage += 1
    run.descent = Descent.start(free)


def _best(run: _Run) -> FDN:
    """The best network of the present stage so far."""
    lead = int(run.descent.best_loss.argmin())
    free = split(run.descent.best_values[lead : lead + 1], run.like)
    delays = None if run.delays_samples is None else run.delays_samples[lead : lead + 1]
    return run.problem.network_to_fdn(free, delays)


def _finish(run: _Run, status: Status) -> FitResult:
    """Turn the best network into the contract, its delays rounded if the fit ends on integers."""
    lead = int(run.descent.best_loss.argmin())
    loss = float(run.descent.best_loss[lead])
    problem = run.problem
    warnings = list(problem.model.warnings)
    if not math.isfinite(loss):
        raise FdnlearnError(
            problem.target.name, "every start of the fit diverged", "try another --seed or --lines"
        )
    free = split(run.descent.best_values[lead : lead + 1], run.like)
    delays = None if run.delays_samples is None else run.delays_samples[lead : lead + 1]
    unsnapped = problem.network_to_fdn(run.unsnapped, None) if run.unsnapped is not None else None
    if delays is None and problem.config.delays == "integer":
        unsnapped = problem.network_to_fdn(free, None)
        delays = roundings(problem, free, 1)
        warnings.append(UNADAPTED)
        with torch.no_grad():
            loss = float(problem.loss(free, delays)[0])
    return FitResult(
        fdn=problem.network_to_fdn(free, delays),
        unsnapped=unsnapped,
        status=status,
        loss=loss,
        iterations=run.iteration,
        seconds=run.seconds,
        history=tuple(run.history),
        warnings=tuple(warnings),
    )


def _save(run: _Run, checkpointing: Checkpointing, owner: str) -> None:
    d = run.descent
    tensors = {
        "values": d.values,
        "first": d.first,
        "second": d.second,
        "best_values": d.best_values,
        "best_loss": d.best_loss,
    }
    if run.delays_samples is not None:
        tensors["delays_samples"] = run.delays_samples
    if run.unsnapped is not None:
        tensors |= {f"unsnapped.{name}": tensor for name, tensor in run.unsnapped.items()}
    state = {
        "stage": run.stage,
        "step": d.step,
        "iteration": run.iteration,
        "seconds": run.seconds,
    }
    checkpoint.save(checkpointing.path, tensors, state, run.history, owner)


def _resume(run: _Run, checkpointing: Checkpointing, owner: str) -> None:
    """Take up in a run that has just begun what an earlier one has saved."""
    tensors, state, run.history = checkpoint.load(checkpointing.path, owner)
    device = run.problem.device
    run.descent = Descent(
        values=tensors["values"].to(device),
        first=tensors["first"].to(device),
        second=tensors["second"].to(device),
        best_values=tensors["best_values"].to(device),
        best_loss=tensors["best_loss"],
        step=state["step"],
    )
    if "delays_samples" in tensors:
        run.delays_samples = tensors["delays_samples"].to(device)
        run.unsnapped = {name: tensors[f"unsnapped.{name}"].to(device) for name in run.like}
    run.stage, run.iteration, run.seconds_before = state["stage"], state["iteration"], state["seconds"]
