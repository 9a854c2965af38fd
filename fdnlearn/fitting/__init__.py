"""Ways to fit a network to a target: one file each, one call, one loop, one result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fdnlearn.config import FitConfig
from fdnlearn.fitting.progress import Callback, Checkpointing, Progress
from fdnlearn.fitting.solution import Solution, Status

if TYPE_CHECKING:
    from fdnlearn.fitting.solving import solve, solve_many

__all__ = ["Callback", "Checkpointing", "FitConfig", "Progress", "Solution", "Status", "solve", "solve_many"]


def __getattr__(name: str) -> Any:
    # What describes a fit is there without torch; what makes one is imported when it is asked for.
    if name not in ("solve", "solve_many"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fdnlearn.fitting import solving

    return getattr(solving, name)
