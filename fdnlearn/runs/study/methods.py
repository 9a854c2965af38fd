"""What competes: a way to fit, or one with something taken away, named on the command line by one word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fdnlearn.base.errors import UsageError, suggest
from fdnlearn.config import FitConfig
from fdnlearn.registry import METHODS


@dataclass(frozen=True)
class Method:
    """One competitor.

    Attributes
    ----------
    spec : str
        How it is named: ``method`` or ``method:variant``.
    name : str
        Key of `registry.METHODS`.
    changes : mapping
        Fields of `FitConfig` in which it differs from the others.
    about : str
        What is special about it; empty for a method as it is.
    same_loss : bool
        Whether it minimises the common loss, so that its convergence can be held against the others'.
    """

    spec: str
    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    same_loss: bool = True

    def configure(self, base: FitConfig) -> FitConfig:
        """`base` with this method and what is special about it."""
        return base.with_settings(method=self.name, **self.changes)


#: Ablations: what a method is without one of its parts.
VARIANTS = {
    variant.spec: variant
    for variant in (
        Method(
            "gradient:frozen-delays",
            "gradient",
            {"learn_delays": False},
            "the delays stay where they start, rounding apart",
        ),
        Method(
            "gradient:edc-only",
            "gradient",
            {"loss_terms": ("edc", "edc_db", "attributes")},
            "no echo density in the loss: everything that is read off the energy decay curve, nothing else",
            same_loss=False,
        ),
        Method(
            "gradient:edp-only",
            "gradient",
            {"loss_terms": ("edp",)},
            "no energy decay in the loss: the echo density profile alone",
            same_loss=False,
        ),
    )
}


def parse_method(spec: str) -> Method:
    """Find the competitor called `spec`.

    Raises
    ------
    UsageError
        If there is no such method, or the method has no such variant.
    """
    name, _, variant = spec.partition(":")
    if name not in METHODS:
        raise UsageError(
            f"--methods {spec}",
            f"unknown method {name!r}",
            suggest(name, METHODS, f"choose among {', '.join(METHODS)}"),
        )
    if ":" not in spec:
        own_fitness = METHODS[name].own_fitness
        return Method(spec, name, about=own_fitness, same_loss=not own_fitness)
    if spec not in VARIANTS:
        there = ", ".join(known for known in VARIANTS if known.startswith(f"{name}:"))
        remedy = f"choose among {there}" if there else f"{name} has none"
        raise UsageError(f"--methods {spec}", f"unknown variant {variant!r}", remedy)
    return VARIANTS[spec]


def parse_methods(text: str) -> tuple[Method, ...]:
    """Competitors of a comma-separated list, in its order; the first is held against each of the others.

    Raises
    ------
    UsageError
        If the list is empty, names something unknown, or names something twice.
    """
    specs = [spec.strip() for spec in text.split(",") if spec.strip()]
    if not specs:
        raise UsageError("--methods", "names no method", f"choose among {', '.join((*METHODS, *VARIANTS))}")
    for spec in specs:
        if specs.count(spec) > 1:
            raise UsageError(f"--methods {text}", f"names {spec} twice", "name each method once")
    return tuple(parse_method(spec) for spec in specs)
