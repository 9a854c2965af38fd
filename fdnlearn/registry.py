"""The names a user can choose from, known without importing what stands behind them.

The command line builds its choices, and its ``--help``, from these tables in milliseconds; the code behind a
name is imported when it is used. A new solver, model or option value is one line here beside its own file.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Ways to fit: ``solve(target, config, callback, checkpointing) -> Solution``.
METHODS = {
    "gradient": "fdnlearn.fitting.gradient:solve",
    "genetic": "fdnlearn.fitting.baselines.genetic:solve",
    "cmaes": "fdnlearn.fitting.baselines.cmaes:solve",
    "analytic": "fdnlearn.fitting.baselines.analytic:solve",
    "classic": "fdnlearn.fitting.baselines.classic:solve",
}

#: Number of lines, or of iterations, that stands for as many as the room asks for.
AUTO = 0


@dataclass(frozen=True)
class ModelDefaults:
    """A model in one line, and the settings that it has where the user gives none."""

    about: str
    lines: int
    sample_rate_hz: int
    iterations: int
    restarts: int
    methods: tuple[str, ...] = tuple(METHODS)

    def settings(self) -> dict[str, int]:
        """By the names that they have in a fit's configuration, but for the methods that can fit it."""
        return {
            "lines": self.lines,
            "sample_rate_hz": self.sample_rate_hz,
            "iterations": self.iterations,
            "restarts": self.restarts,
        }


#: What is fitted.
MODELS = {
    "homogeneous": ModelDefaults("one gain per line, every parameter learned", 6, 16000, 400, 16),
    "banded": ModelDefaults(
        "reverberation time per octave, early taps, equaliser",
        AUTO,
        48000,
        AUTO,
        4,
        ("gradient", "genetic", "cmaes", "analytic"),
    ),
}

#: The model of a fit for which none is named.
DEFAULT_MODEL = "banded"

#: What a network is exported to: an `fdnlearn.export.ExportTarget` each.
TARGETS = {
    "wav": "fdnlearn.export.wav:TARGET",
    "c99": "fdnlearn.export.c99:TARGET",
    "vst3": "fdnlearn.export.vst3:TARGET",
    "clap": "fdnlearn.export.clap:TARGET",
    "lv2": "fdnlearn.export.lv2:TARGET",
    "faust": "fdnlearn.export.faust:TARGET",
    "webaudio": "fdnlearn.export.webaudio:TARGET",
    "csound": "fdnlearn.export.csound:TARGET",
    "sofa": "fdnlearn.export.sofa:TARGET",
    "pyfdn": "fdnlearn.export.pyfdn:TARGET",
    "jsfx": "fdnlearn.export.jsfx:TARGET",
    "puredata": "fdnlearn.export.puredata:TARGET",
    "supercollider": "fdnlearn.export.supercollider:TARGET",
}

#: Who fits the rooms of a batch: a `fdnlearn.runs.many.engine.Engine` each.
ENGINES = {
    "local": "fdnlearn.runs.many.local:outcomes",
    "ray": "fdnlearn.runs.many.cluster:outcomes",
}

#: Where the training runs.
DEVICES = ("auto", "cpu", "cuda")

#: What stands in front of a banded network's late part.
EARLY = ("none", "sparse", "measured")

#: How many reverberation times a band of a banded network has: as many as the recording shows, or so many.
SLOPES = ("auto", "1", "2")

#: Where a banded network's reverberation times are parameters.
KNOTS = ("octave", "third-octave")

#: How a fit's delays end.
DELAYS = ("integer", "fractional")

#: Largest network that a fit accepts; the cost of a step grows with its cube.
MAX_LINES = 64


def attribute(reference: str) -> Any:
    """Import what a ``"module:name"`` reference of one of the tables stands for, whatever it is."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def load(reference: str) -> Callable[..., Any]:
    """Import what a ``"module:name"`` reference of one of the tables stands for."""
    module, _, name = reference.partition(":")
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return loaded
