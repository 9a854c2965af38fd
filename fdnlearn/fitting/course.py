"""The course of a gradient fit: the stages that a crowd of rooms goes through, every room leaving when it stalls."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fdnlearn.fdn import FDN
from fdnlearn.fitting import checkpoint
from fdnlearn.fitting.batch import ProblemBatch, interleaved
from fdnlearn.fitting.columns import split
from fdnlearn.fitting.descent import Descent, advance, column_rates, cosine
from fdnlearn.fitting.problem import Free
from fdnlearn.fitting.progress import Callback, Checkpointing, Progress
from fdnlearn.fitting.rounding import roundings
from fdnlearn.fitting.solution import Status
from fdnlearn.fitting.stages import Stage, plan
from fdnlearn.options import Gradient

#: Relative fall of a room's mean loss that counts as progress. The mean, for with a learning rate that begins high the
#: loss first rises above that of the start, and the best says nothing for a long while.
_PROGRESS = 1e-3
#: Share of a batch that may belong to rooms that have left before it is made smaller.
_IDLE = 1 / 8
#: What of a `Descent` is written down.
_TENSORS = ("values", "first", "second", "best_values", "best_loss")


@dataclass(frozen=True)
class Leader:
    """The best network of a room in a stage: loss, free parameters, and whole delays where it has them."""

    loss: float
    free: Free
    delays_samples: Tensor | None


@dataclass
class FitState:
    """Everything that changes while a fit runs.

    Attributes
    ----------
    crowd : ProblemBatch
        All rooms.
    histories : tuple of list of Progress
        One for each.
    delays_samples : Tensor or None, shape (S, rooms, N)
        Whole delays of the S rows of every room, in stages that have them.
    batch : list of int
        Rooms that the batch holds: row ``start * len(batch) + place`` of `descent` belongs to ``batch[place]``.
    left : dict of int to Descent
        Rooms that have left the stage, as they were then. Their rows may stay in the batch for a while.
    """

    crowd: ProblemBatch
    stages: tuple[Stage, ...]
    like: Free
    descent: Descent
    histories: tuple[list[Progress], ...]
    delays_samples: Tensor | None = None
    stage: int = 0
    seconds_before: float = 0.0
    unsnapped: tuple[Free, ...] = ()
    batch: list[int] = field(init=False)
    left: dict[int, Descent] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self.batch = list(range(self.crowd.rooms))

    @property
    def seconds(self) -> float:
        """Since the fit began, earlier runs of it included."""
        return self.seconds_before + time.perf_counter() - self.started

    def of_room(self, room: int) -> Descent:
        """A copy of the rows of a room in the present stage, or of those it left with."""
        if room in self.left:
            return self.left[room]
        return self.descent.rows(
            torch.arange(self.batch.index(room), len(self.descent.values), len(self.batch))
        )

    def leader(self, room: int) -> Leader:
        """The best network of a room in the present stage so far."""
        found = self.of_room(room)
        lead = int(found.best_loss.argmin())
        delays = None if self.delays_samples is None else self.delays_samples[lead : lead + 1, room]
        free = split(found.best_values[lead : lead + 1], self.like)
        return Leader(float(found.best_loss[lead]), free, delays)

    def network(self, room: int) -> FDN:
        """The best network of a room so far, its delays perhaps not yet whole."""
        leader = self.leader(room)
        return self.crowd.problems[room].network_to_fdn(leader.free, leader.delays_samples)


def begin(crowd: ProblemBatch) -> FitState:
    """At random starts, those that every room would have alone."""
    stages = plan(crowd.config)
    free = crowd.draw(stages[0].rows, crowd.config.seed)
    return FitState(crowd, stages, free, Descent.start(free), tuple([] for _ in crowd.problems))


def carry_on(
    course: FitState,
    callback: Callback | None = None,
    checkpointing: Checkpointing | None = None,
    owner: str = "",
) -> Status:
    """Go through the stages; what is left in `course` is the best so far."""
    saved = time.perf_counter()
    out_of_time = False
    config, rooms = course.crowd.config, course.crowd.rooms
    method = config.method
    assert isinstance(method, Gradient)
    rates = column_rates(course.crowd, course.like)
    while True:
        stage = course.stages[course.stage]
        entered = course.seconds
        deadline = math.inf if config.budget_s is None else config.budget_s * stage.budget_share
        present, delays = _present(course)
        while course.descent.step < stage.iterations and len(course.left) < rooms:
            progress = course.descent.step / stage.iterations
            if config.budget_s is not None:
                # The learning rate reaches zero when the time is up, however many steps that was.
                progress = max(progress, (course.seconds - entered) / max(deadline - entered, 1e-9))
                if progress >= 1 and course.descent.step:
                    out_of_time = True
                    break
            now = stage.rate * cosine(progress) * rates
            _note(course, advance(course.descent, present, course.like, delays, now, present.rooms))
            if method.patience is not None and _let_go(course, method.patience):
                present, delays = _present(course)
            if checkpointing is not None and time.perf_counter() - saved > checkpointing.every_s:
                save(course, checkpointing, owner)
                saved = time.perf_counter()
            if callback is not None and callback(
                course.histories[0][-1].with_best(lambda: course.network(0))
            ):
                if checkpointing is not None:
                    save(course, checkpointing, owner)
                return Status.INTERRUPTED
        if course.stage + 1 == len(course.stages):
            return Status.BUDGET if out_of_time else Status.COMPLETED
        _next_stage(course)


def _present(course: FitState) -> tuple[ProblemBatch, Tensor | None]:
    """The rooms of the batch, and the whole delays of its rows where they have them."""
    delays = course.delays_samples
    return course.crowd.among(course.batch), None if delays is None else delays[:, course.batch].flatten(0, 1)


def _note(course: FitState, found: list[tuple[float, dict[str, float]]]) -> None:
    """Add a line to the history of every room that is under way."""
    best = course.descent.best_loss.reshape(-1, len(course.batch)).amin(0).tolist()
    starts = len(course.descent.values) // len(course.batch)
    total_iterations = sum(stage.iterations for stage in course.stages)
    seconds = course.seconds / course.crowd.rooms
    for room, (loss, terms), best_loss in zip(course.batch, found, best, strict=True):
        if room in course.left:
            continue
        history = course.histories[room]
        done = Progress(
            iteration=len(history) + 1,
            total_iterations=total_iterations,
            stage=course.stages[course.stage].name,
            seconds=seconds,
            loss=loss,
            best_loss=best_loss,
            terms=terms,
            evaluations=starts + (history[-1].evaluations or 0 if history else 0),
        )
        history.append(done)


def _let_go(course: FitState, patience: int) -> bool:
    """Rooms whose last `patience` steps brought no progress over those before leave the stage.

    Returns whether the batch has become smaller by that.
    """
    if course.descent.step < 2 * patience or course.descent.step % patience:
        return False
    for room in course.batch:
        if room in course.left:
            continue
        losses = [progress.loss for progress in course.histories[room][-2 * patience :]]
        if not sum(losses[patience:]) < (1 - _PROGRESS) * sum(losses[:patience]):
            course.left[room] = course.of_room(room)
    places = [place for place, room in enumerate(course.batch) if room not in course.left]
    if not places or len(places) > (1 - _IDLE) * len(course.batch):
        return False
    rows = torch.arange(len(course.descent.values)).reshape(-1, len(course.batch))[:, places]
    course.descent = course.descent.rows(rows.flatten())
    course.batch = [course.batch[place] for place in places]
    return True


def _next_stage(course: FitState) -> None:
    """Hand the best networks of a finished stage to the next one, room by room."""
    stage, coming = course.stages[course.stage], course.stages[course.stage + 1]
    snapping = coming.snapped and not stage.snapped
    parts, delays, unsnapped = [], [], []
    for room, problem in enumerate(course.crowd.problems):
        found = course.of_room(room)
        order = found.best_loss.argsort(stable=True)[: 1 if snapping else coming.rows]
        free = split(found.best_values[order], course.like)
        if snapping:
            unsnapped.append(free)
            delays.append(roundings(problem, free, coming.rows, to_adapt=True))
            free = {name: t.repeat(coming.rows, *[1] * (t.ndim - 1)) for name, t in free.items()}
        elif course.delays_samples is not None:
            delays.append(course.delays_samples[order, room])
        parts.append(free)
    if delays:
        course.delays_samples = torch.stack(delays, dim=1)
    if unsnapped:
        course.unsnapped = tuple(unsnapped)
    course.stage += 1
    course.descent = Descent.start(interleaved(parts))
    course.batch, course.left = list(range(course.crowd.rooms)), {}


def save(course: FitState, checkpointing: Checkpointing, owner: str) -> None:
    """Write down the course of a single room."""
    d = course.descent
    tensors = {name: getattr(d, name) for name in _TENSORS}
    if course.delays_samples is not None:
        tensors["delays_samples"] = course.delays_samples
    for free in course.unsnapped:
        tensors |= {f"unsnapped.{name}": tensor for name, tensor in free.items()}
    state = {
        "stage": course.stage,
        "step": d.step,
        "seconds": course.seconds,
        "left": bool(course.left),
    }
    checkpoint.save(checkpointing.path, tensors, state, course.histories[0], owner)


def resume(course: FitState, checkpointing: Checkpointing, owner: str) -> None:
    """Take up in a course that has just begun what an earlier one has saved."""
    tensors, state, history = checkpoint.load(checkpointing.path, owner)
    device = course.crowd.device
    course.histories = (history,)
    course.descent = Descent(
        **{name: tensors[name] if name == "best_loss" else tensors[name].to(device) for name in _TENSORS},
        step=state["step"],
    )
    if "delays_samples" in tensors:
        course.delays_samples = tensors["delays_samples"].to(device)
        course.unsnapped = ({name: tensors[f"unsnapped.{name}"].to(device) for name in course.like},)
    course.stage, course.seconds_before = state["stage"], state["seconds"]
    if state["left"]:
        course.left[0] = course.descent
