"""Everything that decides a fit besides its target, as one object and as flat settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fdnlearn.base.errors import UsageError
from fdnlearn.options import (
    DELAYS,
    DEVICES,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    USUAL,
    Banded,
    Gradient,
    MethodOptions,
    ModelOptions,
    Option,
    check_choices,
    option,
    options_of,
)
from fdnlearn.registry import (
    DEFAULT_METHOD,
    DEFAULT_MODEL,
    METHODS,
    MODELS,
    MethodDefinition,
    ModelDefinition,
)

_Definition = TypeVar("_Definition", MethodDefinition, ModelDefinition)


@dataclass(frozen=True)
class FitConfig:
    """What is fitted, how, and what every fit has.

    What is `USUAL`, the rate or a number of the method's, becomes what the model usually has as the object is made.

    Attributes
    ----------
    model : ModelOptions
        `Banded` or `Homogeneous`, with what is asked of it.
    method : MethodOptions
        `Gradient`, `Genetic`, `Cmaes`, `Analytic` or `Classic`, with what is asked of it.
    sample_rate_hz : int
    delays : str
        One of `options.DELAYS`: how they end.
    seed : int
    device : str
        One of `options.DEVICES`.
    budget_s : float or None
        Wall-clock time that ends a fit early, snapping included.
    kernel : str or None
        An implementation of the response; None takes the fastest for the device.

    Raises
    ------
    UsageError
        If the method does not fit the model, or a choice is none of those there are.
    """

    model: ModelOptions = field(default_factory=Banded)
    method: MethodOptions = field(default_factory=Gradient)
    sample_rate_hz: int = option(
        USUAL,
        "--sample-rate",
        "Rate of the fit, at most the recording's.",
        metavar="HZ",
        least=MIN_RATE_HZ,
        most=MAX_RATE_HZ,
    )
    budget_s: float | None = option(
        None, "--budget", "End after this wall-clock time.", metavar="SECONDS", most=1e9, whole=False
    )
    seed: int = option(0, "--seed", "Seed of everything random.", metavar="N", most=2**63 - 1)
    device: str = option("auto", "--device", "Where the training runs.", choices=DEVICES)
    delays: str = option(
        "integer", "--delays", "How the delays end; only whole samples render exactly.", choices=DELAYS
    )
    kernel: str | None = option(None)

    def __post_init__(self) -> None:
        for name, part, kind in (("model", self.model, ModelOptions), ("method", self.method, MethodOptions)):
            if not isinstance(part, kind):
                raise UsageError(
                    f"{name} {part!r}", "is no object of options", "take FitConfig.for_model for names"
                )
        usual = MODELS[self.model.name]
        if self.method.name not in usual.methods:
            raise UsageError(
                f"--model {self.model.name}",
                f"is not fitted by {self.method.name}",
                f"use --method {', '.join(usual.methods[:-1])} or {usual.methods[-1]}, or --model homogeneous",
            )
        check_choices(self)
        numbers = usual.usual()
        left = {name: numbers[name] for name, value in self.method.settings().items() if _is_usual(value)}
        object.__setattr__(self, "method", dataclasses.replace(self.method, **left))
        if self.sample_rate_hz == USUAL:
            object.__setattr__(self, "sample_rate_hz", usual.sample_rate_hz)

    @classmethod
    def for_model(
        cls, model: str = DEFAULT_MODEL, *, method: str = DEFAULT_METHOD, **settings: Any
    ) -> FitConfig:
        """Put together from flat settings, as a command line or a file gives them.

        Parameters
        ----------
        model, method : str
            Names of `registry.MODELS` and `registry.METHODS`.
        **settings
            Fields of the model's options, of the method's and of `FitConfig`; None for what is usual.

        Raises
        ------
        UsageError
            If there is no such model or method, or it has not what is asked of it.
        """
        chosen_model = _definition("model", model, MODELS)
        chosen_method = _definition("method", method, METHODS)
        of_model, of_method = options_of(chosen_model.options), options_of(chosen_method.options)
        common, absent = options_of(cls), every_option()
        if unknown := set(settings) - set(absent):
            raise TypeError(f"{min(unknown)} is no setting of a fit")
        given = {name: value for name, value in settings.items() if value is not None}
        if "loss_terms" in given:
            given["loss_terms"] = tuple(given["loss_terms"])

        def part(names: Mapping[str, Option]) -> dict[str, Any]:
            return {name: value for name, value in given.items() if name in names}

        config = cls(
            chosen_model.options(**part(of_model)), chosen_method.options(**part(of_method)), **part(common)
        )
        for name, value in given.items():
            if name not in {*of_model, *of_method, *common}:
                owner = model if name in _model_options() else method
                absent[name].absence.check(value, owner)
        return config

    def settings(self) -> dict[str, Any]:
        """The same as flat settings of plain JSON values; those that model or method has not are there too."""
        own = {**self.model.settings(), **self.method.settings()}
        flat: dict[str, Any] = {"model": self.model.name, "method": self.method.name}
        for name, about in every_option().items():
            common = name in options_of(self)
            value = getattr(self, name) if common else own.get(name, about.absence.stands_for)
            flat[name] = list(value) if isinstance(value, tuple) else value
        return flat

    def with_settings(self, **settings: Any) -> FitConfig:
        """The same but for some flat settings."""
        return FitConfig.for_model(**{**self.settings(), **settings})


def _is_usual(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == USUAL


def _definition(kind: str, name: str, known: Mapping[str, _Definition]) -> _Definition:
    if name not in known:
        raise UsageError(f"--{kind} {name}", f"unknown {kind}", f"choose one of {', '.join(known)}")
    return known[name]


def _model_options() -> dict[str, Option]:
    """Settings of all models."""
    return {name: about for one in MODELS.values() for name, about in options_of(one.options).items()}


def every_option() -> dict[str, Option]:
    """Settings of all models, of all methods, and those that every fit has."""
    methods = {name: about for one in METHODS.values() for name, about in options_of(one.options).items()}
    return {**_model_options(), **methods, **options_of(FitConfig)}
