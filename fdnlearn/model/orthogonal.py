"""From a free matrix to an orthogonal one."""

from __future__ import annotations

from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.ops.rotation import rotation


@shapes_checked
def orthogonal(free: Float[Tensor, "batch lines lines"]) -> Float[Tensor, "batch lines lines"]:
    """Orthogonal matrices ``exp(W - W^T)`` from the strictly upper triangles W of free ones.

    Reaches every rotation (determinant +1). Source: Mezza et al. 2024, parameter group W. Computed in double, so
    that the loop stays below one to rounding whatever the type of `free`.

    Parameters
    ----------
    free : Tensor, shape (B, N, N)
        Only what lies above the diagonal is used.

    Returns
    -------
    Tensor, shape (B, N, N), of the type of `free`
    """
    return rotation(free)
