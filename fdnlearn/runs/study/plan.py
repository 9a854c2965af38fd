"""What a comparison is: everything that decides it, and the settings of each of its fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdnlearn.base.version import __version__
from fdnlearn.config import FitConfig
from fdnlearn.registry import MODELS
from fdnlearn.runs.study.cells import finite_json
from fdnlearn.runs.study.methods import Method, parse_methods

#: More iterations than any budget allows: time alone ends a fit.
_ENDLESS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """Everything that decides a comparison.

    Attributes
    ----------
    recordings : tuple of Path
    methods : tuple of Method
        The first is held against each of the others.
    seeds : int
        Fits of each method on each room, with seeds from 0.
    budget_s : float
        Wall-clock time of one fit, rounding of the delays included.
    model : str
        What is fitted.
    lines, sample_rate_hz : int
    threads : int or None
        Of the kernels, the same for every method; None: as many as there are.
    """

    recordings: tuple[Path, ...]
    methods: tuple[Method, ...]
    seeds: int = 3
    budget_s: float = 10.0
    model: str = "homogeneous"
    lines: int = 6
    sample_rate_hz: int = 16000
    threads: int | None = None

    @classmethod
    def for_model(cls, model: str, recordings: tuple[Path, ...], methods: str | None, **given: Any) -> Plan:
        """A plan with the model's usual lines, rate and methods in the place of what is None."""
        usual = MODELS[model]
        numbers = usual.usual()
        settings = {name: numbers[name] for name in ("lines", "sample_rate_hz")}
        settings |= {name: value for name, value in given.items() if value is not None}
        return cls(
            recordings,
            parse_methods(",".join(usual.methods) if methods is None else methods),
            model=model,
            **settings,
        )

    def config(self, method: Method, seed: int) -> FitConfig:
        """Configuration of one fit: the same for every method but for what makes the method."""
        return method.configure(
            FitConfig.for_model(
                self.model,
                lines=self.lines,
                sample_rate_hz=self.sample_rate_hz,
                iterations=_ENDLESS,
                budget_s=self.budget_s,
                seed=seed,
                device="cpu",
            )
        )

    def settings(self, method: Method, seed: int, threads: int) -> dict[str, Any]:
        """What a fit depends on besides its recording, as plain JSON values."""
        plain: dict[str, Any] = finite_json(
            {"program": f"fdnlearn {__version__}", **self.config(method, seed).settings(), "threads": threads}
        )
        return plain
