"""How many threads a library may use beside the kernels."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


def workers(rows: np.ndarray[Any, Any]) -> int:
    """Threads for transforms of `rows` (..., n): the kernels' own number, no more than there are rows."""
    return max(1, min(int(numba.get_num_threads()), int(rows.size // max(rows.shape[-1], 1))))
