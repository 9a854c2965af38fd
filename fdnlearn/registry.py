"""The names a user can choose from, known without importing what stands behind them.

The command line builds its choices, and its ``--help``, from these tables in milliseconds; the code behind a
``"module:name"`` reference is imported when it is used. A new model, method, engine or export target is one entry here
beside its own file.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from fdnlearn.options import (
    AUTO,
    Analytic,
    Banded,
    Classic,
    Cmaes,
    Genetic,
    Gradient,
    Homogeneous,
    MethodOptions,
    ModelOptions,
)


@dataclass(frozen=True)
class MethodDefinition:
    """A way to fit.

    Attributes
    ----------
    options : type
        What may be asked of it; its ``name`` is the method's.
    solver : str
        Reference: what makes a `fdnlearn.fitting.loop.Solver` of a problem, or of those of several rooms.
    own_fitness : str
        What it minimises where that is not the model's loss.
    side_by_side : bool
        Whether several rooms can be fitted in one batch.
    """

    options: type[MethodOptions]
    solver: str
    own_fitness: str = ""
    side_by_side: bool = False


@dataclass(frozen=True)
class ModelDefinition:
    """What is fitted, with everything that belongs to it.

    Attributes
    ----------
    options : type
        What may be asked of it; its ``name`` is the model's.
    about : str
        In one line.
    sample_rate_hz, iterations, restarts : int
        What a fit of it usually has.
    methods : tuple of str
        Those that can fit it.
    build : str
        Reference: ``build(target, options) -> Model``.
    loss : str
        Reference: the terms of its loss, each a `fdnlearn.losses.terms.WeightedTerm`.
    design : str
        Reference: what makes a network of it in closed form, where `methods` has ``analytic``.
    decays : float
        Reverberation times, of the slowest band, that a response is computed over.
    held : int
        Signals of the response's length that the loss holds for every channel.
    head : bool
        Whether its networks begin with the recording's own first samples; others have one direct gain, and are fitted
        to what is left when its flank is folded into it (`fdnlearn.rir.folding`).
    in_time : bool
        Whether a fit of it that ends on whole delays runs its networks sample by sample.
    """

    options: type[ModelOptions]
    about: str
    sample_rate_hz: int
    iterations: int
    restarts: int
    methods: tuple[str, ...]
    build: str
    loss: str
    design: str
    decays: float
    held: int
    head: bool
    in_time: bool

    def usual(self) -> dict[str, int]:
        """The numbers that a fit of it has where the user gives none, by their names among a fit's settings."""
        return {
            "lines": self.options().lines,
            "sample_rate_hz": self.sample_rate_hz,
            "iterations": self.iterations,
            "restarts": self.restarts,
        }


#: Ways to fit.
METHODS: dict[str, MethodDefinition] = {
    one.options.name: one
    for one in (
        MethodDefinition(Gradient, "fdnlearn.fitting.gradient:GradientFit", side_by_side=True),
        MethodDefinition(Genetic, "fdnlearn.fitting.baselines.genetic:solver"),
        MethodDefinition(Cmaes, "fdnlearn.fitting.baselines.cmaes:solver"),
        MethodDefinition(Analytic, "fdnlearn.fitting.baselines.analytic:Design"),
        MethodDefinition(
            Classic,
            "fdnlearn.fitting.baselines.classic:ClassicSearch",
            own_fitness="envelope difference as fitness, as published",
        ),
    )
}

#: What is fitted.
MODELS: dict[str, ModelDefinition] = {
    one.options.name: one
    for one in (
        ModelDefinition(
            Homogeneous,
            about="one gain per line, every parameter learned",
            sample_rate_hz=16000,
            iterations=400,
            restarts=16,
            methods=tuple(METHODS),
            build="fdnlearn.model.homogeneous:homogeneous_for",
            loss="fdnlearn.losses.definitions:HOMOGENEOUS",
            design="fdnlearn.fitting.baselines.analytic:design",
            decays=1.25,
            held=1,
            head=False,
            in_time=False,
        ),
        ModelDefinition(
            Banded,
            about="reverberation time per octave, early taps, equaliser",
            sample_rate_hz=48000,
            iterations=AUTO,
            restarts=4,
            methods=("gradient", "genetic", "cmaes", "analytic"),
            build="fdnlearn.model.banded_start:banded_for",
            loss="fdnlearn.losses.definitions:BANDED",
            design="fdnlearn.fitting.baselines.analytic_banded:design",
            decays=1.0,
            held=4,
            head=True,
            in_time=True,
        ),
    )
}

#: The model of a fit for which none is named.
DEFAULT_MODEL = Banded.name
#: The method of a fit for which none is named.
DEFAULT_METHOD = Gradient.name

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


def load(reference: str) -> Any:
    """Import what a ``"module:name"`` reference of one of the tables stands for, whatever it is."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
