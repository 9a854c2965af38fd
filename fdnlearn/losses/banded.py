"""The loss of the banded model: energy decay per octave and broadband, and echo density."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fdnlearn.acoustics.parameters import room_parameters
from fdnlearn.losses import coherence, echo_density, energy_relief, octave_decay, ringing
from fdnlearn.rir.target import Target

#: Weight of each term; see docs/decisions.md for how they were found.
WEIGHTS: Mapping[str, float] = {
    "edc": 0.5,
    "edc_db": 1.0,
    "attributes": 1.5,
    "edp": 15.0,
    "relief": 0.3,
    "ringing": 0.3,
    "coherence": 2.0,
}

_DECAY_HOP_S = 0.0005
_ECHO_HOP_S = 0.001
_EARLY_EMPHASIS_S = 0.1


@dataclass(frozen=True)
class BandedObjective:
    """Compares impulse responses with a target, octave by octave.

    Attributes
    ----------
    octaves : OctaveAim
    echo : EchoDensitySettings
    profile : Tensor, shape (channels, frames)
    weights : mapping of str to float
    """

    octaves: octave_decay.OctaveAim
    echo: echo_density.EchoDensitySettings
    profile: Tensor
    relief: energy_relief.ReliefAim
    late: tuple[ringing.Part, ...]
    channels: coherence.CoherenceAim | None
    weights: Mapping[str, float]

    @property
    def length_samples(self) -> int:
        """How long responses must be: the filters' lead and the slowest band's decay."""
        return self.octaves.length

    def __call__(self, h: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss (B,) of responses (B, channels, n), and its unweighted terms."""
        total, terms = octave_decay.octave_decay_loss(h, self.octaves, self.weights)
        if self.weights.get("edp", 0.0):
            terms["edp"] = echo_density.echo_density_distance(h, self.profile, self.echo).mean(-1)
            total = total + self.weights["edp"] * terms["edp"]
        if self.weights.get("relief", 0.0):
            terms["relief"] = energy_relief.relief_distance(h, self.relief).mean(-1)
            total = total + self.weights["relief"] * terms["relief"]
        if self.weights.get("ringing", 0.0):
            terms["ringing"] = ringing.ringing_distance(h, self.late)
            total = total + self.weights["ringing"] * terms["ringing"]
        if self.weights.get("coherence", 0.0) and self.channels is not None:
            terms["coherence"] = coherence.coherence_distance(h, self.channels)
            total = total + self.weights["coherence"] * terms["coherence"]
        return total, {name: value.detach() for name, value in terms.items()}


def banded_objective_for(target: Target, weights: Mapping[str, float] = WEIGHTS) -> BandedObjective:
    """Prepare the loss for `target`."""
    fs = target.sample_rate_hz
    measured = [room_parameters(h, fs, "auto") for h in target.samples]
    decay = octave_decay.octave_aim(
        measured, fs, hop=max(1, round(_DECAY_HOP_S * fs)), early_emphasis_s=_EARLY_EMPHASIS_S
    )
    heard = min(target.length_samples, math.ceil(target.reverberation_time_s * fs))
    echo = echo_density.settings(heard, fs, hop=max(1, round(_ECHO_HOP_S * fs)))
    usable = torch.from_numpy(target.samples[:, : target.length_samples].astype("float32"))
    return BandedObjective(
        decay,
        echo,
        echo_density.soft_echo_density(usable, echo),
        energy_relief.relief_aim(target),
        ringing.ringing_parts(target),
        coherence.coherence_aim(target),
        dict(weights),
    )
