"""Energy decay of responses against a target's: three distances and the gradient of their weighted sum.

The energy decay curve of a response h is the backward integral of its energy (Schroeder), e[k] = sum of h[n]^2 from
n = k hop on, the whole rest of the response included; e' is the target's. Per channel

==============  ==================================================================================================
``edc``         sum (e - e')^2 / sum e'^2, linear (Mezza et al. 2024)
``edc_db``      weighted mean of |L - L'| / 10, the levels L = 10 log10 e in dB
``attributes``  mean of the differences of T20, T30 and EDT (linear in L - L') and of the early-to-late ratios, in JND
==============  ==================================================================================================
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, FloatArray, Int64, IntArray, shapes_checked
from fdnlearn.ops.dispatch import form_for

#: The distances, in the order of `distance`'s weights.
TERMS = ("edc", "edc_db", "attributes")

#: Keeps the logarithm of an early-to-late ratio finite where one side is empty.
EARLY_FLOOR = 1e-9


@shapes_checked
@dataclass(frozen=True, eq=False)
class DecayTarget:
    """A target decay on a grid of samples, and what is compared with it.

    Attributes
    ----------
    decay : ndarray, shape (channels, points)
        Noise-compensated Schroeder integral, one at the start.
    level_db : ndarray, shape (channels, points)
    counted : ndarray, shape (channels, points)
        One where the linear term compares, zero after the end of a channel that is shorter than others.
    weight : ndarray, shape (channels, points)
        Share of each point in the decibel term; zero outside the usable range, sums to one a channel.
    regressions : ndarray, shape (channels, quantities, points)
        Rows that turn a decibel error of the curve into errors of T20, T30 and EDT, counted in JND.
    boundaries : ndarray of int, shape (ratios,)
        Grid points that part early from late energy.
    heard : ndarray, shape (channels, ratios)
        One where the early-to-late ratio counts, else zero.
    length, hop : int
        Samples covered and samples between points.
    """

    decay: Float64[FloatArray, "channels points"]
    level_db: Float64[FloatArray, "channels points"]
    counted: Float64[FloatArray, "channels points"]
    weight: Float64[FloatArray, "channels points"]
    regressions: Float64[FloatArray, "channels quantities points"]
    boundaries: Int64[IntArray, " ratios"]
    heard: Float64[FloatArray, "channels ratios"]
    length: int
    hop: int

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """What the loops need, in their order."""
        parts = (self.decay, self.level_db, self.counted, self.weight)
        return *parts, self.regressions, self.boundaries, self.heard

    @functools.cached_property
    def spans(self) -> Int64[IntArray, "channels spans 2"]:
        """First point and the one after the last that any decibel is compared at, and that each regression takes."""
        regressed = self.regressions != 0.0
        used = (self.weight != 0.0) | regressed.any(axis=1)
        every = np.concatenate([used[:, None], regressed], axis=1)
        first = every.argmax(axis=2)
        stop = every.shape[2] - every[..., ::-1].argmax(axis=2)
        return np.stack([first, np.where(every.any(axis=2), stop, first)], axis=2).astype(np.int64)

    @functools.lru_cache(maxsize=2)  # noqa: B019  (a target lives as long as its fit)
    def tensors(self, device: torch.device) -> tuple[Tensor, ...]:
        """`arrays` as contiguous tensors, copied to a device once and not in every step."""
        return tuple(torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in self.arrays())


@shapes_checked
def distance(
    h: Float[Tensor, "*batch channels samples"], target: DecayTarget, weights: tuple[float, float, float]
) -> tuple[Float64[Tensor, "*batch channels"], Float64[Tensor, "*batch channels 3"]]:
    """Distances between the decay of responses and the target's.

    Parameters
    ----------
    h : Tensor, shape (..., channels, n)
        Responses at unit energy scale, ``n >= target.length``; their whole length is integrated.
    target : DecayTarget
    weights : tuple of float
        Of the `TERMS`.

    Returns
    -------
    total : Tensor of float64, shape (..., channels)
        Weighted sum of the terms, differentiable.
    terms : Tensor of float64, shape (..., channels, 3)
        Without gradient.

    Raises
    ------
    ValueError
        If the responses are shorter than the target's decay.
    """
    if h.shape[-1] < target.length:
        raise ValueError(f"responses of {h.shape[-1]} samples are shorter than the target's {target.length}")
    total, terms = form_for("decay", h.device.type).distance(h, target, weights)
    return total, terms
