"""Mel energy-decay relief of responses against a target's (Mezza et al., DAFx24).

Of frames of a response, weighed by a window, the power spectra are summed in bands; summed from every frame to the last
and in decibels that is the relief. Its distance from the target's is the weighted sum of the magnitudes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from fdnlearn.base.types import Float, Int64, IntArray, shapes_checked
from fdnlearn.ops.dispatch import form_for

#: Keeps the logarithm of a relief finite.
TINY = 1e-12


@shapes_checked
@dataclass(frozen=True, eq=False)
class ReliefTarget:
    """A target's relief and how a response is brought to it.

    Attributes
    ----------
    relief_db : Tensor, shape (channels, frames, bands)
    weight : Tensor, shape (channels, frames, bands)
        One where the target is heard above its noise, over the sum of its relief's magnitude there.
    filters : Tensor, shape (bins, bands)
    window : Tensor, shape (width,)
    hop, length : int
        Samples between frames, and samples compared.
    ends : Tensor of int64, shape (channels, 1), optional
        Where channels end of which not all are compared to `length`.
    """

    relief_db: Float[Tensor, "channels frames bands"]
    weight: Float[Tensor, "channels frames bands"]
    filters: Float[Tensor, "bins bands"]
    window: Float[Tensor, " width"]
    hop: int
    length: int
    ends: Int64[Tensor, "channels 1"] | None = None

    @functools.cached_property
    def spans(self) -> Int64[IntArray, "bands 2"]:
        """First bin, and the one after the last, that each band takes."""
        taken = self.filters.numpy() != 0.0
        first = taken.argmax(axis=0)
        return np.stack([first, len(taken) - taken[::-1].argmax(axis=0)], axis=1).astype(np.int64)


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: ReliefTarget
) -> Float[Tensor, "batch channels"]:
    """Weighted sum of |difference|, (S, channels), of the reliefs of h (S, channels, n) and the target's.

    Responses count as far as the target is compared; what they lack is silence.
    """
    summed: Tensor = form_for("relief", h.device.type).distance(h, target)
    return summed
