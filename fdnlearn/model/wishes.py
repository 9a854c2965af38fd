"""What may be asked of a model besides its target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelOptions:
    """Choices of the user; what is left at its default is the model's own.

    Attributes
    ----------
    lines : int
        Number of delay lines; 0 for as many as the room asks for.
    early : str or None
        One of `registry.EARLY`.
    slopes : str or None
        One of `registry.SLOPES`: how many times a band may decay with.
    knots : str or None
        One of `registry.KNOTS`: where reverberation times are parameters.
    """

    lines: int = 0
    early: str | None = None
    slopes: str | None = None
    knots: str | None = None


NO_OPTIONS = ModelOptions()
