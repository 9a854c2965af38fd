"""Types that signatures are written with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
ComplexArray = npt.NDArray[np.complex128]
#: Of any type: what kernels take and give.
Array = np.ndarray[Any, Any]
