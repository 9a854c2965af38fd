"""Soft echo density of responses: a differentiable stand-in for the profile of Abel & Huang (AES 121, 2006).

The echo density of a frame of a response is the share of its samples that exceed its local rms s, each weighted by a
window w that sums to one, over that share of Gaussian noise. The soft one counts with a sigmoid S in place of a step:

    eta = GAUSSIAN_NORM sum_t w[t] S(k (|h[t]| - s)),        s^2 = sum_t w[t] h[t]^2
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, FloatArray, shapes_checked
from fdnlearn.ops.dispatch import form_for

#: 1 / erfc(1 / sqrt(2)): the share of Gaussian samples beyond one standard deviation is its inverse.
GAUSSIAN_NORM = 3.15148718753


@shapes_checked
@dataclass(frozen=True, eq=False)
class EchoDensitySettings:
    """How the soft profile counts.

    Attributes
    ----------
    window : ndarray, shape (odd,)
        Symmetric Hann window of 20 ms that sums to one.
    steepness : ndarray, shape (frames,)
        Slope of the sigmoid, one value a frame.
    invariant : bool
        Whether the slope is relative to the local rms (then the level of the signal does not matter).
    hop : int
        Samples between frames.
    """

    window: Float64[FloatArray, " width"]
    steepness: Float64[FloatArray, " frames"]
    invariant: bool
    hop: int

    @functools.lru_cache(maxsize=2)  # noqa: B019  (settings live as long as their fit)
    @shapes_checked
    def tensors(
        self, device: torch.device, dtype: torch.dtype
    ) -> tuple[Float[Tensor, " width"], Float[Tensor, " frames"]]:
        """Window and steepness, copied to a device once and not in every step."""
        return (
            torch.as_tensor(self.window).to(device, dtype),
            torch.as_tensor(self.steepness).to(device, dtype),
        )


@shapes_checked
@dataclass(frozen=True, eq=False)
class EchoTarget:
    """Target profiles, and how those of responses are counted.

    Attributes
    ----------
    how : EchoDensitySettings
    profile : Tensor, shape (channels, frames)
    share : Tensor, shape (channels, frames), float64
        Weight of each frame in the mean; zero after the end of a channel that is shorter than others.
    """

    how: EchoDensitySettings
    profile: Float[Tensor, "channels frames"]
    share: Float64[Tensor, "channels frames"]


@shapes_checked
def profile(h: Float[Tensor, "*batch samples"], how: EchoDensitySettings) -> Float[Tensor, "*batch frames"]:
    """Soft echo density (..., frames) of responses (..., n), whole frames only; without gradient."""
    density: Tensor = form_for("echo", h.device.type).profile(h, how)
    return density


@shapes_checked
def distance(
    h: Float[Tensor, "*batch channels samples"], target: EchoTarget
) -> Float[Tensor, "*batch channels"]:
    """Weighted mean square difference (..., channels) of profiles of responses h (..., channels, n) and the target's.

    Differentiable in `h`; the term L_EDP of Mezza et al. 2024.

    Raises
    ------
    ValueError
        If the responses do not hold every frame.
    """
    how = target.how
    needed = (how.steepness.shape[0] - 1) * how.hop + how.window.shape[0]
    if h.shape[-1] < needed:
        raise ValueError(f"responses of {h.shape[-1]} samples are shorter than the {needed} of the profile")
    square: Tensor = form_for("echo", h.device.type).distance(h, target)
    return square


@shapes_checked
def mean_square(
    density: Float[Tensor, "*batch channels frames"], target: EchoTarget
) -> Float[Tensor, "*batch channels"]:
    """What `distance` makes of a profile (..., channels, frames)."""
    return ((density - target.profile.to(density)).square() * target.share.to(density)).sum(-1)
