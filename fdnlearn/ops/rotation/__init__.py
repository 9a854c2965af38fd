"""Orthogonal matrices from free ones: ``exp(W - W^T)``, W the strictly upper triangle of a free matrix.

The matrix exponential of a skew-symmetric matrix is a rotation (determinant +1), and every rotation is one.
"""

from __future__ import annotations

from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.ops.dispatch import form_for


@shapes_checked
def rotation(free: Float[Tensor, "batch lines lines"]) -> Float[Tensor, "batch lines lines"]:
    """Rotations (B, N, N) from what lies above the diagonals of `free`, in double whatever its type; differentiable."""
    matrix: Tensor = form_for("rotation", free.device.type).rotation(free)
    return matrix
