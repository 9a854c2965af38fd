"""Orthogonal matrices by design."""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg

from fdnlearn.base.types import Float64, FloatArray, shapes_checked


@shapes_checked
def orthogonal_matrix(lines: int, rng: np.random.Generator) -> Float64[FloatArray, "lines lines"]:
    """Hadamard's, scaled to be orthogonal, where there is Sylvester's construction; else uniformly random."""
    if lines & (lines - 1) == 0:
        hadamard: FloatArray = scipy.linalg.hadamard(lines) / math.sqrt(lines)
        return hadamard
    q, r = np.linalg.qr(rng.standard_normal((lines, lines)))
    matrix: FloatArray = q * np.sign(np.diag(r))
    return matrix
