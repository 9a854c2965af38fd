"""From a free matrix to an orthogonal one."""

from __future__ import annotations

from torch import Tensor

from fdnlearn.ops.rotation import rotation


def orthogonal(free: Tensor) -> Tensor:
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
