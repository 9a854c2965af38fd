"""Inside the process of one fit: fit, and tell the server how it goes about twice a second."""

from __future__ import annotations

import importlib
import math
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from fdnlearn.fitting import Progress
    from fdnlearn.rir import Target

#: Seconds between two frames.
FRAME_S = 0.5
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
    """

    recording: str
    name: str
    folder: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    channel: int | Literal["all"] = 1
    stereo: bool = False
    resume: bool = False


def run(pipe: Connection, stop: Event) -> None:
    """Life of the process: import what a fit needs, wait for a `FitRequest`, fit, end.

    Sends ``(kind, dict)``: ``"room"`` once, ``"progress"`` often, then ``"done"`` or ``"failed"``. Between the last
    iteration and ``"done"`` comes ``"writing"``.
    """
    from fdnlearn.base.errors import FdnlearnError
    from fdnlearn_audition.messages import clean, told

    for module in _NEEDED:
        importlib.import_module(module)
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


def _fit(request: FitRequest, pipe: Connection, stop: Event) -> dict[str, Any]:
    from fdnlearn import FitConfig, fit_recording
    from fdnlearn_audition import results

    frames = _Frames(pipe, stop)
    fit_recording(
        request.recording,
        request.folder,
        FitConfig.for_model(request.model, **request.settings),
        channel=request.channel,
        stereo=request.stereo,
        resume=request.resume,
        on_prepared=frames.show_room,
        callback=frames.show_fit,
        checkpoint_every_s=1.0,
    )
    return results.view(request.folder)


class _Frames:
    """What a fit calls: sends the room, then a frame now and then, and asks to stop when the visitor has."""

    _target: Target

    def __init__(self, pipe: Connection, stop: Event) -> None:
        self._pipe, self._stop = pipe, stop
        self._next = 0.0
        self._losses: list[tuple[int, float, str]] = []

    def show_room(self, target: Target) -> None:
        from fdnlearn_audition.curves import room_curves

        self._target = target
        self._pipe.send(("room", {"curves": room_curves(target), "warnings": list(target.warnings)}))

    def show_fit(self, progress: Progress) -> bool:
        stopping = self._stop.is_set()
        now = time.monotonic()
        last = stopping or progress.iteration >= progress.total_iterations
        if math.isfinite(progress.best_loss):
            self._losses.append((progress.iteration, progress.best_loss, progress.stage))
        if now >= self._next or last:
            self._pipe.send(("progress", self._frame(progress)))
            # However long a frame takes to make, the fit gets most of the time.
            self._next = now + max(FRAME_S, 4.0 * (time.monotonic() - now))
        if last:
            self._pipe.send(("writing", {"stopped": stopping}))
        return stopping

    def _frame(self, progress: Progress) -> dict[str, Any]:
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
        if progress.best is not None:
            frame["curves"] = self._curves(progress)
        return frame

    def _curves(self, progress: Progress) -> dict[str, Any]:
        import numpy as np

        from fdnlearn.render import impulse_response
        from fdnlearn.runs.outputs import on_target_scale
        from fdnlearn_audition.curves import fit_curves

        assert progress.best is not None
        fdn = progress.best()
        target = self._target
        response = impulse_response(
            fdn, length_s=min(1.3 * target.length_samples / target.sample_rate_hz, 20.0)
        )
        return fit_curves(target, on_target_scale(fdn, np.asarray(response, dtype=np.float64))[0])
