"""How far a comparison has come: what whoever started it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StudyProgress:
    """What is being done: `done` of `cells` are finished or failed, `doing` names what comes."""

    done: int
    cells: int
    doing: str


#: Called often; return True to stop. A fit that is under way is then given up, finished ones are safe.
StudyCallback = Callable[[StudyProgress], bool]
