"""The loss of a fit: named terms, their weights and everything about the target that they need."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fdnlearn.losses import echo_density, energy_decay
from fdnlearn.rir.target import Target

FloatArray = npt.NDArray[np.float64]

#: Weight of each term in the loss; see docs/decisions.md for how they were found.
WEIGHTS: Mapping[str, float] = {"edc": 0.5, "edc_db": 1.0, "attributes": 0.2, "edp": 15.0}

_DECAY_HOP_S = 0.0005
_ECHO_HOP_S = 0.001
_EARLY_EMPHASIS_S = 0.1
_DEEPEST_DB = 60.0
#: The compensated curve is trusted down to this far above the noise knee.
_KNEE_MARGIN_DB = 3.0


@dataclass(frozen=True)
class Objective:
    """Compares impulse responses with a target.

    Attributes
    ----------
    decay : DecayAim
    echo : EchoDensitySettings
    profile : Tensor, shape (channels, frames)
    weights : mapping of str to float
    frame_share : Tensor, shape (channels, frames), optional
        Weight of each frame in the mean of the echo density term; all alike where it is None.
    """

    decay: energy_decay.DecayAim
    echo: echo_density.EchoDensitySettings
    profile: Tensor
    weights: Mapping[str, float]
    frame_share: Tensor | None = None

    @property
    def length_samples(self) -> int:
        """How long responses must be."""
        return self.decay.length

    def __call__(self, h: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss (B,) of responses (B, channels, n), averaged over channels, and its unweighted terms."""
        total, terms = self.by_channel(h)
        if h.shape[1] == 1:  # the mean over one channel is not free at this pace
            return total[:, 0], {name: value.detach()[:, 0] for name, value in terms.items()}
        return total.mean(-1), {name: value.detach().mean(-1) for name, value in terms.items()}

    def by_channel(self, h: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss (B, channels) of responses (B, channels, n) and its unweighted terms."""
        total, terms = energy_decay.energy_decay_loss(h, self.decay, self.weights)
        if self.weights.get("edp", 0.0):
            terms["edp"] = echo_density.echo_density_distance(h, self.profile, self.echo, self.frame_share)
            total = total + self.weights["edp"] * terms["edp"]
        return total, terms


def objective_for(
    target: Target, weights: Mapping[str, float] = WEIGHTS, *, echo_variant: str = "invariant"
) -> Objective:
    """Prepare the loss for `target`."""
    fs = target.sample_rate_hz
    usable = min(_DEEPEST_DB, max(target.range_db - _KNEE_MARGIN_DB, 10.0))
    decay = energy_decay.decay_aim(
        target.energy_decay,
        fs,
        hop=max(1, round(_DECAY_HOP_S * fs)),
        range_db=usable,
        early_emphasis_s=_EARLY_EMPHASIS_S,
    )
    heard = min(target.length_samples, math.ceil(target.reverberation_time_s * fs))
    echo = echo_density.settings(heard, fs, hop=max(1, round(_ECHO_HOP_S * fs)), variant=echo_variant)
    usable_part = torch.from_numpy(target.samples[:, : target.length_samples].astype("float32"))
    profile = echo_density.soft_echo_density(usable_part, echo)
    return Objective(decay=decay, echo=echo, profile=profile, weights=dict(weights))


def side_by_side(objectives: Sequence[Objective]) -> Objective:
    """The objectives of several targets as one, whose channels are all of theirs, one target after the other.

    Targets may differ in length, not in sample rate or weights: what is shorter is filled up with points that do not
    count. Of a channel, `Objective.by_channel` then gives what its own objective would have given.

    Raises
    ------
    ValueError
        If there is nothing that their points have in common.
    """
    first = objectives[0]
    alike = {(o.decay.hop, tuple(o.decay.boundaries), o.echo.hop, o.echo.window.size) for o in objectives}
    if len(alike) > 1 or any(o.weights != first.weights or not o.echo.invariant for o in objectives):
        raise ValueError(
            "objectives of other rates or weights, or of very short targets, do not fit side by side"
        )
    longest = max(objectives, key=lambda o: o.echo.steepness.size).echo
    points = max(o.decay.decay.shape[1] for o in objectives)

    def stacked(name: str) -> FloatArray:
        parts = [getattr(o.decay, name) for o in objectives]
        missing = [[(0, 0)] * (part.ndim - 1) + [(0, points - part.shape[-1])] for part in parts]
        return np.concatenate([np.pad(*pair) for pair in zip(parts, missing, strict=True)])

    def filled(rows: Tensor) -> Tensor:
        return torch.nn.functional.pad(rows, (0, longest.steepness.size - rows.shape[-1]))

    return Objective(
        decay=energy_decay.DecayAim(
            decay=stacked("decay"),
            level_db=stacked("level_db"),
            counted=stacked("counted"),
            weight=stacked("weight"),
            regressions=stacked("regressions"),
            boundaries=first.decay.boundaries,
            heard=np.concatenate([o.decay.heard for o in objectives]),
            length=max(o.decay.length for o in objectives),
            hop=first.decay.hop,
        ),
        echo=longest,
        profile=torch.cat([filled(o.profile) for o in objectives]),
        weights=first.weights,
        frame_share=torch.cat(
            [
                filled(torch.full_like(o.profile, 1 / o.profile.shape[-1], dtype=torch.float64))
                for o in objectives
            ]
        ),
    )
