"""Who stands on the scoreboard: the statistical twin, the package's own fits, and what others make of the same rooms.

A row gives one response or several of a room, at a rate of its own; none where it has nothing to show. Fits stay in a
folder and are not repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyfdn_fit
from scoreboard_room import load_room
from statistical_twin import statistical_twins

from fdnlearn.base.types import FloatArray
from fdnlearn.config import FitConfig
from fdnlearn.fdn import Realisation, load_fdn, realise
from fdnlearn.render import impulse_response
from fdnlearn.rir import read_recording
from fdnlearn.runs import fit_recording

#: The rate of every row that is not bound to another.
RATE_HZ = 48000
#: The plain twin is chance, so there are three: their median is the row, their scatter is what counts as a tie.
TWINS = 3
#: More generations than a budget allows.
_ENDLESS = 1_000_000


@dataclass(frozen=True, eq=False)
class Response:
    """What a row has to show of a room.

    Attributes
    ----------
    h : ndarray, shape (n,)
        Noiseless and long enough to have decayed.
    rate_hz : int
    seconds : float or None
        It took to fit.
    multiplications : int or None
        It takes a sample of one channel to play.
    """

    h: FloatArray
    rate_hz: int
    seconds: float | None = None
    multiplications: int | None = None


@dataclass(frozen=True)
class Task:
    """A room, and where its fits stay.

    Attributes
    ----------
    path : Path
        Its recording.
    keep : Path
    seed : int
    budget_s : float or None
        Of the searches; None for as long as the room's gradient fit took.
    """

    path: Path
    keep: Path
    seed: int
    budget_s: float | None

    def folder(self, row: str) -> Path:
        """Of a fit."""
        return self.keep / f"{self.path.stem}-{row}-{self.seed}"


@dataclass(frozen=True)
class Row:
    """A line of the scoreboard.

    Attributes
    ----------
    name, about : str
    responses : callable
        Those of a room.
    needs : tuple of str
        Modules without which it stays out.
    """

    name: str
    about: str
    responses: Callable[[Task], list[Response]]
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """What it needs and is not installed."""
        return [module for module in self.needs if find_spec(module) is None]


def multiplications(network: Realisation) -> int:
    """Multiplications a sample that a realised network takes as a renderer runs it, all channels together.

    A second-order section has five coefficients, every gain and every tap one; the feedback matrix is taken as dense.
    """
    lines = network.delays_samples.size
    inputs, outputs = network.input_gains.shape[1], network.output_gains.shape[0]
    sections = lines * network.line_sos.shape[1]
    sections += outputs * (network.tone_sos.shape[0] + network.lowpass_sos.shape[0])
    gains = lines * (1 + inputs + outputs) + outputs * (inputs + 1)
    return lines * lines + 5 * sections + gains + network.tap_gains.size


def _twins(task: Task) -> list[Response]:
    room = load_room(task.path, RATE_HZ)
    return [
        Response(twin, room.rate_hz)
        for twin in statistical_twins(room.h, room.rate_hz, room.direct, range(TWINS))
    ]


def _fit(task: Task, model: str, method: str) -> list[Response]:
    """By the call that `fdnlearn fit` makes."""
    folder = task.folder(f"{model}-{method}")
    if not (folder / "fdn.json").exists():
        settings = {}
        if method in ("genetic", "cmaes"):
            settings = {"budget_s": _budget_s(task), "iterations": _ENDLESS}
        config = FitConfig.for_model(model, method=method, seed=task.seed, device="cpu", **settings)
        fit_recording(task.path, folder, config, force=True)
    fdn = load_fdn(folder / "fdn.json")
    seconds = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["seconds"]
    h = impulse_response(fdn)[0]
    return [Response(h, fdn.sample_rate_hz, seconds, multiplications(realise(fdn)))]


def _budget_s(task: Task) -> float:
    if task.budget_s is not None:
        return task.budget_s
    (fit,) = _fit(task, "banded", "gradient")
    assert fit.seconds is not None
    return fit.seconds


def _pyfdn(task: Task) -> list[Response]:
    path = task.folder("pyfdn").with_suffix(".npz")
    if not path.exists():
        room = load_room(task.path, RATE_HZ)
        h, seconds = pyfdn_fit.fit(room.h[room.direct :], room.rate_hz)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, h=h, rate_hz=room.rate_hz, seconds=seconds)
    kept = np.load(path)
    return [Response(kept["h"], int(kept["rate_hz"]), float(kept["seconds"]), pyfdn_fit.MULTIPLICATIONS)]


def _found(suffix: str) -> Callable[[Task], list[Response]]:
    """A response that lies beside the recording."""

    def find(task: Task) -> list[Response]:
        path = task.path.with_name(f"{task.path.stem}_{suffix}.wav")
        if not path.exists():
            return []
        recording = read_recording(path)
        return [Response(recording.samples[0], recording.sample_rate_hz)]

    return find


def _own(name: str, model: str, method: str, about: str, *needs: str) -> Row:
    return Row(name, about, lambda task: _fit(task, model, method), needs)


TWIN, BANDED = "statistical twin", "banded"
#: In the order of the table.
ROWS = (
    Row(TWIN, "the recording's first 5 ms, then noise in its third-octave envelopes: the floor", _twins),
    _own(BANDED, "banded", "gradient", "`fdnlearn fit`"),
    _own("homogeneous", "homogeneous", "gradient", "`fdnlearn fit --model homogeneous`, 16 kHz"),
    _own("analytic", "banded", "analytic", "`--method analytic`, the banded network in closed form"),
    _own("genetic", "banded", "genetic", "`--method genetic`, the banded network", "pymoo"),
    _own("CMA-ES", "banded", "cmaes", "`--method cmaes`, the banded network", "cma"),
    Row("pyFDN", "pyFDN 0.5, sixteen lines, trained as its own example does", _pyfdn, ("pyFDN", "flamo")),
    Row("GeneticReverb high", "what edward-ly/GeneticReverb found at its setting high", _found("ga_high")),
    Row("GeneticReverb max", "the same at max", _found("ga_max")),
)
