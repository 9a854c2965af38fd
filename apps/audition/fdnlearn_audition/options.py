"""What a visitor may choose for a fit, checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fdnlearn import registry
from fdnlearn.options import MAX_LINES, Homogeneous
from fdnlearn_audition.limits import VisitorLimits
from fdnlearn_audition.messages import Refused


@dataclass(frozen=True)
class FitOptions:
    """A visitor's choices; None stands for what the model usually has."""

    model: str = registry.DEFAULT_MODEL
    method: str = registry.DEFAULT_METHOD
    lines: int | None = None
    iterations: int | None = None
    seed: int = 0
    channel: int | Literal["all"] = 1
    stereo: bool = False

    @classmethod
    def read(cls, given: Mapping[str, Any], limits: VisitorLimits, channels: int = 1) -> FitOptions:
        """Check what a page or a program has sent.

        Raises
        ------
        Refused
            Naming the choice, its range and what was given.
        """
        unknown = set(given) - set(cls.__dataclass_fields__)
        if unknown:
            raise Refused(f"{str(min(unknown))[:40]} is no setting of a fit")
        model = _one_of("model", given.get("model", registry.DEFAULT_MODEL), registry.MODELS)
        method = _one_of("method", given.get("method", registry.DEFAULT_METHOD), registry.METHODS)
        channel = given.get("channel", 1)
        return cls(
            # The other methods fit the homogeneous model; what they are compared with is the visitor's choice.
            model=model if method == registry.DEFAULT_METHOD else Homogeneous.name,
            method=method,
            lines=_whole("lines", given.get("lines"), 1, MAX_LINES),
            iterations=_whole("iterations", given.get("iterations"), 1, limits.iterations),
            seed=_whole("seed", given.get("seed", 0), 0, 2**53) or 0,
            channel="all" if channel == "all" else _whole("channel", channel, 1, max(1, channels)) or 1,
            stereo=bool(given.get("stereo", False)),
        )

    def settings(self, limits: VisitorLimits) -> dict[str, Any]:
        """Fields of `fdnlearn.FitConfig` beside the model."""
        chosen = {"method": self.method, "seed": self.seed, "budget_s": limits.fit_s}
        if self.lines is not None:
            chosen["lines"] = self.lines
        if self.iterations is not None:
            chosen["iterations"] = self.iterations
        return chosen


def _one_of(name: str, value: Any, known: Mapping[str, Any]) -> str:
    if not isinstance(value, str) or value not in known:
        raise Refused(f"{name} {str(value)[:40]!r} is unknown; choose one of {', '.join(known)}")
    return value


def _whole(name: str, value: Any, least: int, most: int) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not (least <= number <= most and number == int(number)):
        raise Refused(
            f"{name} {str(value)[:40]!r} is out of range; choose a whole number from {least} to {most}"
        )
    return int(number)
