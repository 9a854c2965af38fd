"""How much one visitor, and all of them together, may ask for."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class VisitorLimits:
    """What a room that is left running allows.

    Attributes
    ----------
    upload_bytes : int
        Of one file.
    running_fits, waiting_fits : int
        Of all visitors together.
    takes : int
        Fits that a visitor keeps to compare.
    iterations, fit_s : int, float
        Of one fit.
    sessions : int
        Visitors at once.
    idle_s : float
        A visitor who has not been heard of for so long is gone. Pages say that they are there once a minute; a closed
        one is noticed at once.
    task_s : float
        Time for one task of a helper process.
    helpers : int
        Helper processes.
    """

    upload_bytes: int = 64 << 20
    running_fits: int = max(1, (os.cpu_count() or 2) // 2)
    waiting_fits: int = 16
    takes: int = 7
    iterations: int = 5000
    fit_s: float = 900.0
    sessions: int = 64
    idle_s: float = 900.0
    task_s: float = 90.0
    helpers: int = 2


#: Longest impulse response, seconds.
LONGEST_RECORDING_S = 30.0
