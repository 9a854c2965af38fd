"""Fitting by gradient descent with learnable delays (Mezza et al., EURASIP JASMP 2024:51), one room or many at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fdnlearn.errors import FdnlearnError, UsageError
from fdnlearn.fdn import FDN
from fdnlearn.fitting import checkpoint
from fdnlearn.fitting.columns import split
from fdnlearn.fitting.crowd import Crowd, kind_of
from fdnlearn.fitting.descent import Descent, advance, column_rates, cosine
from fdnlearn.fitting.effort import settled
from fdnlearn.fitting.problem import Free, Problem, problem_for
from fdnlearn.fitting.result import Callback, Checkpointing, FitConfig, FitResult, Progress, Status
from fdnlearn.fitting.rounding import UNADAPTED, roundings
from fdnlearn.fitting.stages import Stage, plan
from fdnlearn.fitting.threads import one_torch_thread
from fdnlearn.rir.target import Target


@dataclass
class _Run:
    """Everything that changes while a fit runs."""

    crowd: Crowd
    stages: tuple[Stage, ...]
    like: Free
    descent: Descent
    delays_samples: Tensor | None = None
    stage: int = 0
    iteration: int = 0
    seconds_before: float = 0.0
    unsnapped: Free | None = None
    histories: tuple[list[Progress], ...] = ()
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def evaluations(self) -> int:
        """Of each room."""
        return self.histories[0][-1].evaluations or 0 if self.histories[0] else 0

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
        run = _begin(Crowd((problem,)))
        if checkpointing is not None and checkpointing.to_resume:
            _resume(run, checkpointing, owner)
        status = _carry_on(run, callback, checkpointing, owner)
        return _result(run, 0, status)


def solve_many(
    targets: Sequence[Target], config: FitConfig, stopping: Callable[[], bool] | None = None
) -> list[FitResult | FdnlearnError | None]:
    """Fit a network to each of many targets, those of about the same length side by side in one batch.

    What a GPU is for: the starts of all rooms go through the stages of `solve` in the same launches. Only rooms of the
    homogeneous model are put side by side; others are fitted one after the other.

    Parameters
    ----------
    targets : sequence of Target
    config : FitConfig
        `budget_s` is the time of each batch.
    stopping : callable, optional
        Asked after every iteration; True gives up what is under way.

    Returns
    -------
    list of FitResult, FdnlearnError or None
        In the order of `targets`: the fit as `solve` would have made it but for rounding, its `seconds` being its
        share of the time; what it ended with instead; None if it was given up.

    Raises
    ------
    UsageError
        If the configuration asks for what is not there.
    """
    found: list[FitResult | FdnlearnError | None] = [None] * len(targets)
    problems: dict[int, Problem] = {}
    groups: dict[Hashable, list[int]] = {}
    for index, target in enumerate(targets):
        try:
            problems[index] = problem_for(target, settled(config, target))
        except UsageError:
            raise
        except FdnlearnError as error:
            found[index] = error
        else:
            groups.setdefault(kind_of(problems[index]) or index, []).append(index)
    for members in groups.values():
        with one_torch_thread(problems[members[0]].device):
            run = _begin(Crowd(tuple(problems[index] for index in members)))
            status = _carry_on(run, None if stopping is None else lambda _: stopping())
            if status is Status.INTERRUPTED:
                break
            for room, index in enumerate(members):
                try:
                    found[index] = _result(run, room, status)
                except FdnlearnError as error:
                    found[index] = error
    return found


def _begin(crowd: Crowd) -> _Run:
    stages = plan(crowd.config)
    free = crowd.draw(stages[0].rows, crowd.config.seed)
    return _Run(crowd, stages, free, Descent.start(free), histories=tuple([] for _ in crowd.problems))


def _carry_on(
    run: _Run, callback: Callback | None, checkpointing: Checkpointing | None = None, owner: str = ""
) -> Status:
    """Go through the stages; what is left in `run` is the best so far."""
    saved = time.perf_counter()
    out_of_time = False
    config, rooms = run.crowd.config, run.crowd.rooms
    rates = column_rates(run.crowd, run.like)
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
            found = advance(run.descent, run.crowd, run.like, run.delays_samples, now, rooms)
            run.iteration += 1
            best = _by_room(run.descent.best_loss, rooms).amin(0).tolist()
            evaluations = run.evaluations + run.descent.values.shape[0] // rooms
            for history, (loss, terms), best_loss in zip(run.histories, found, best, strict=True):
                done = Progress(
                    iteration=run.iteration,
                    total_iterations=run.total_iterations,
                    stage=stage.name,
                    seconds=run.seconds / rooms,
                    loss=loss,
                    best_loss=best_loss,
                    terms=terms,
                    evaluations=evaluations,
                )
                history.append(done)
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


def _by_room(rows: Tensor, rooms: int) -> Tensor:
    """What belongs to the rows of a batch, (B, ...), as (B / rooms, rooms, ...)."""
    return rows.reshape(-1, rooms, *rows.shape[1:])


def _next_stage(run: _Run) -> None:
    """Hand the best networks of a finished stage to the next one, room by room."""
    stage, coming, rooms = run.stages[run.stage], run.stages[run.stage + 1], run.crowd.rooms
    snapping = coming.snapped and not stage.snapped
    order = _by_room(run.descent.best_loss, rooms).argsort(dim=0, stable=True)
    order = order[: 1 if snapping else coming.rows]
    keep = (order * rooms + torch.arange(rooms)).flatten().to(run.descent.values.device)
    free = split(run.descent.best_values[keep], run.like)
    if snapping:
        run.unsnapped = free
        candidates = [
            roundings(problem, _row(free, room), coming.rows, to_adapt=True)
            for room, problem in enumerate(run.crowd.problems)
        ]
        run.delays_samples = torch.stack(candidates, dim=1).flatten(0, 1)
        free = {name: t.repeat(coming.rows, *[1] * (t.ndim - 1)) for name, t in free.items()}
    elif run.delays_samples is not None:
        run.delays_samples = run.delays_samples[keep]
    run.stage += 1
    run.descent = Descent.start(free)


def _row(free: Free, row: int) -> Free:
    return {name: tensor[row : row + 1] for name, tensor in free.items()}


def _leader(run: _Run, room: int) -> tuple[float, Free, Tensor | None]:
    """The best network of a room in the present stage so far: loss, free parameters, whole delays if it has them."""
    rooms = run.crowd.rooms
    losses = run.descent.best_loss[room::rooms]
    lead = int(losses.argmin()) * rooms + room
    free = split(run.descent.best_values[lead : lead + 1], run.like)
    delays = None if run.delays_samples is None else run.delays_samples[lead : lead + 1]
    return float(run.descent.best_loss[lead]), free, delays


def _best(run: _Run) -> FDN:
    """The best network of a single room so far."""
    _, free, delays = _leader(run, 0)
    return run.crowd.problems[0].network_to_fdn(free, delays)


def _result(run: _Run, room: int, status: Status) -> FitResult:
    """Turn the best network of a room into the contract, its delays rounded if the fit ends on integers."""
    loss, free, delays = _leader(run, room)
    problem = run.crowd.problems[room]
    warnings = list(problem.model.warnings)
    if not math.isfinite(loss):
        raise FdnlearnError(
            problem.target.name, "every start of the fit diverged", "try another --seed or --lines"
        )
    unsnapped = None if run.unsnapped is None else problem.network_to_fdn(_row(run.unsnapped, room), None)
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
        seconds=run.seconds / run.crowd.rooms,
        history=tuple(run.histories[room]),
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
    checkpoint.save(checkpointing.path, tensors, state, run.histories[0], owner)


def _resume(run: _Run, checkpointing: Checkpointing, owner: str) -> None:
    """Take up in a run that has just begun what an earlier one has saved."""
    tensors, state, history = checkpoint.load(checkpointing.path, owner)
    run.histories = (history,)
    device = run.crowd.device
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
