"""Echo density as a loss: how the soft profiles of a target and of responses are counted (`fdnlearn.ops.echo`)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.losses.terms import ChannelsTerm, room_means, weighted
from fdnlearn.model.tiling import filled_up
from fdnlearn.ops.echo import EchoDensitySettings, EchoTarget, distance, profile
from fdnlearn.rir.target import Target

WINDOW_S = 0.02
_HOP_S = 0.001


def settings(
    length: int, sample_rate_hz: float, *, hop: int = 16, variant: str = "invariant"
) -> EchoDensitySettings:
    """Settings for responses of `length` samples.

    `variant` is ``"published"``, the sigmoid ``S(k_n (|h| - s_n))`` with k_n a ramp over the time index from 1e2 to
    1e5 (Mezza et al. 2024), which presumes a unit-norm response, or ``"invariant"``, ``S(30 (|h| / s_n - 1))``.
    """
    width = int(WINDOW_S * sample_rate_hz) | 1
    width = min(width, (length - 1) | 1) if length > 1 else 1
    window = np.hanning(width + 2)[1:-1]
    frames = max((length - width) // hop + 1, 1)
    if variant == "published":
        steepness = np.interp(np.arange(frames) * hop, [0, max(length - width, 1)], [1e2, 1e5])
    else:
        steepness = np.full(frames, 30.0)
    return EchoDensitySettings(window / window.sum(), steepness, variant != "published", hop)


@shapes_checked
def echo_target(profiles: Float[Tensor, "channels frames"], how: EchoDensitySettings) -> EchoTarget:
    """Profiles (channels, frames) as a target, every frame of which counts alike."""
    share = torch.full_like(profiles, 1 / profiles.shape[-1], dtype=torch.float64)
    return EchoTarget(how, profiles, share)


def echo_target_of(target: Target, *, variant: str = "invariant") -> EchoTarget:
    """The profiles of a target's channels, as far as they are loud enough to count."""
    fs = target.sample_rate_hz
    audible = min(target.length_samples, math.ceil(target.reverberation_time_s * fs))
    how = settings(audible, fs, hop=max(1, round(_HOP_S * fs)), variant=variant)
    usable = torch.from_numpy(target.samples[:, : target.length_samples].astype("float32"))
    return echo_target(profile(usable, how), how)


def stack(targets: Sequence[EchoTarget]) -> EchoTarget:
    """The channels of several targets one after the other, the shorter filled up with frames that do not count."""
    longest = max((target.how for target in targets), key=lambda how: how.steepness.size)
    profiles = filled_up([target.profile for target in targets])
    shares = filled_up([target.share for target in targets])
    return EchoTarget(longest, torch.cat(profiles), torch.cat(shares))


class EchoDensityTerm(ChannelsTerm[EchoTarget]):
    """Distance of the profiles; a `fdnlearn.losses.terms.Term`."""

    stack_targets = staticmethod(stack)
    #: A profile may end before the target's.
    length_samples = 0

    @property
    def kind(self) -> Hashable:
        """Terms that agree in it can be stacked."""
        how = self.target.how
        return (how.hop, how.window.size, how.invariant)

    @shapes_checked
    def compare(
        self, rows: Float[Tensor, "batch channels samples"], weights: Mapping[str, float]
    ) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
        """Mean over the channels of a room."""
        return weighted("edp", room_means(distance(rows, self.target), self.rooms), weights)


def echo_density_term(target: Target, *, variant: str = "invariant") -> EchoDensityTerm:
    """Prepare the profiles of a target; `variant` as in `settings`."""
    return EchoDensityTerm(echo_target_of(target, variant=variant))
