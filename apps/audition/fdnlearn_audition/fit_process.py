"""Inside the process of one fit: fit, tell the server how it goes about twice a second, and let the best be heard."""

from __future__ import annotations

import importlib
import math
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import TYPE_CHECKING, Any, Literal

from fdnlearn.base.errors import FdnlearnError
from fdnlearn_audition.previews import Previews, design

if TYPE_CHECKING:
    from fdnlearn import FitConfig
    from fdnlearn.fdn import FDN
    from fdnlearn.fitting import Progress
    from fdnlearn.rir import Target

#: Seconds between two frames, and between two networks that can be heard.
FRAME_S = 0.5
PREVIEW_S = 2.0
#: Share of the time of a fit that showing its networks may take.
_SHOWING = 0.03
#: What a process does to have loaded all that a fit runs.
_EXERCISE = "small_room"
#: Imported while the process waits for its fit.
_NEEDED = (
    "fdnlearn.runs.outputs",
    "fdnlearn.fitting.gradient",
    "fdnlearn.report.gallery",
    "fdnlearn.rir.preparation",
)
#: Most values of the loss in one frame.
_LOSSES = 40


@dataclass(frozen=True)
class FitRequest:
    """What to fit and where to.

    Attributes
    ----------
    recording, name : str
        Path and shown name.
    folder : str
        Empty, or with an unfinished fit to `resume`.
    model : str
    settings : dict
        Other fields of `fdnlearn.FitConfig`; the model's usual values where there are none.
    channel : int or "all"
    stereo, resume : bool
    previews : str
        Folder for networks to be heard meanwhile, not there yet; none if empty.
    """

    recording: str
    name: str
    folder: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    channel: int | Literal["all"] = 1
    stereo: bool = False
    resume: bool = False
    previews: str = ""


def run(pipe: Connection, stop: Event) -> None:
    """Life of the process: load what a fit needs, wait for a `FitRequest`, fit, end.

    Sends ``(kind, dict)``: ``"room"`` once, ``"preview"`` for every network that can be heard, ``"progress"`` often,
    then ``"done"`` or ``"failed"``. Between the last iteration and ``"done"`` comes ``"writing"``.
    """
    from fdnlearn_audition.messages import clean, told

    for module in _NEEDED:
        importlib.import_module(module)
    with suppress(Exception):  # what is wrong here a fit will meet, and tell
        if not pipe.poll():  # nobody waits yet
            _exercise()
    try:
        request: FitRequest = pipe.recv()
    except (EOFError, OSError):
        return
    try:
        pipe.send(("done", _fit(request, pipe, stop)))
    except FdnlearnError as error:
        pipe.send(("failed", {"problem": told(error, request.name)}))
    except MemoryError:
        pipe.send(("failed", {"problem": f"{request.name}: needs too much memory; use fewer lines"}))
    except OSError as error:  # the server has gone, or the disk is full
        with suppress(OSError):
            problem = error.strerror or "input or output failed"
            pipe.send(("failed", {"problem": clean(f"{request.name}: {problem}; free some space")}))
    except Exception as error:
        problem = f"{request.name}: the fit failed ({type(error).__name__}); try another seed or fewer lines"
        pipe.send(("failed", {"problem": problem}))


def _exercise() -> None:
    """Design a network as the first one of a fit will be: kernels are loaded when they are first called."""
    from fdnlearn import FitConfig
    from fdnlearn.examples import example_path
    from fdnlearn.runs.pipeline import Job

    config = FitConfig()
    target = Job(config).prepare(example_path(_EXERCISE))
    found = design(target, config)
    if found is not None:
        _curves(target, found[0])


def _fit(request: FitRequest, pipe: Connection, stop: Event) -> dict[str, Any]:
    from fdnlearn import FitConfig, fit_recording
    from fdnlearn_audition import results

    config = FitConfig.for_model(request.model, **request.settings)
    frames = _Frames(request, config, pipe, stop)
    fit_recording(
        request.recording,
        request.folder,
        config,
        channel=request.channel,
        stereo=request.stereo,
        resume=request.resume,
        on_prepared=frames.show_room,
        callback=frames.show_fit,
        checkpoint_every_s=1.0,
    )
    return results.view(request.folder)


class _Frames:
    """What a fit calls: sends the room and the design, then a frame now and then; asks to stop when the visitor has.

    Nothing of it reaches the fit: with or without it the result is the same.
    """

    _target: Target

    def __init__(self, request: FitRequest, config: FitConfig, pipe: Connection, stop: Event) -> None:
        self._request, self._config = request, config
        self._pipe, self._stop = pipe, stop
        self._next_frame = self._next_network = self._next_preview = 0.0
        self._shown_loss = math.inf
        self._losses: list[tuple[int, float, str]] = []
        self._previews: Previews | None = None

    def show_room(self, target: Target) -> None:
        from fdnlearn_audition.curves import room_curves

        self._target = target
        self._pipe.send(("room", {"curves": room_curves(target), "warnings": list(target.warnings)}))
        request = self._request
        if not request.previews:
            return
        with _not_ending_the_fit():
            self._previews = Previews(request.previews, target, self._config.seed if request.stereo else None)
        # A fit that goes on has better ones, and that of one step is the design.
        if self._previews is None or request.resume or self._config.method.name == "analytic":
            return
        found = design(target, self._config)
        if found is not None:
            self._preview(*found, "design", 0, _curves(target, found[0]))

    def show_fit(self, progress: Progress) -> bool:
        stopping = self._stop.is_set()
        now = time.monotonic()
        last = stopping or progress.iteration >= progress.total_iterations
        if math.isfinite(progress.best_loss):
            self._losses.append((progress.iteration, progress.best_loss, progress.stage))
        if now >= self._next_frame or last:
            self._pipe.send(("progress", self._frame(progress, last=last)))
            self._next_frame = now + FRAME_S
        if last:
            self._pipe.send(("writing", {"stopped": stopping}))
        return stopping

    def _frame(self, progress: Progress, *, last: bool) -> dict[str, Any]:
        frame: dict[str, Any] = {
            "stage": progress.stage,
            "iteration": progress.iteration,
            "total": progress.total_iterations,
            "seconds": round(progress.seconds, 2),
            "loss": progress.best_loss if math.isfinite(progress.best_loss) else None,
            # Since the last frame, thinned.
            "losses": self._losses[:: max(1, len(self._losses) // _LOSSES)],
        }
        self._losses = []
        began = time.monotonic()
        if progress.best is not None and (last or self._is_due(progress.best_loss, began)):
            self._shown_loss = progress.best_loss
            fdn = progress.best()
            frame["curves"] = _curves(self._target, fdn)
            # The last one is about to be a result.
            if not last and began >= self._next_preview:
                self._preview(fdn, progress.best_loss, progress.stage, progress.iteration, frame["curves"])
            # However long that took, the fit gets nearly all of the time.
            self._next_network = began + (time.monotonic() - began) / _SHOWING
        return frame

    def _is_due(self, loss: float, now: float) -> bool:
        """Whether the network is another one than the one that was shown last, which is some time ago."""
        return now >= self._next_network and loss != self._shown_loss

    def _preview(self, fdn: FDN, loss: float, stage: str, iteration: int, curves: dict[str, Any]) -> None:
        """Let a network be heard if it is better than the one before."""
        if self._previews is None or not self._previews.wants(loss):
            return
        with _not_ending_the_fit():
            told = self._previews.add(fdn, loss)
            told |= {"room_id": self._target.sha256, "channel": str(self._request.channel)}
            told |= {"method": self._config.method.name, "model": self._config.model.name}
            told |= {"stage": stage, "iteration": iteration, "curves": curves}
            self._pipe.send(("preview", told))
        self._next_preview = time.monotonic() + PREVIEW_S


def _not_ending_the_fit() -> suppress:
    """For what only previews need: what the disk refuses them the fit's own files will meet, and tell."""
    return suppress(OSError, FdnlearnError)


def _curves(target: Target, fdn: FDN) -> dict[str, Any]:
    """What the page draws of a network, beside the room's."""
    import numpy as np

    from fdnlearn.render import impulse_response
    from fdnlearn.runs.outputs import on_target_scale
    from fdnlearn_audition.curves import fit_curves

    response = impulse_response(fdn, length_s=min(1.3 * target.length_samples / target.sample_rate_hz, 20.0))
    return fit_curves(target, on_target_scale(target, np.asarray(response, dtype=np.float64))[0])
