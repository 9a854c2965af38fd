"""The loss of a fit: named terms, their weights and everything about the target that they need."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from fdnlearn.losses import echo_density, energy_decay
from fdnlearn.losses.kinds import of_one_kind
from fdnlearn.ops.decay import DecayTarget
from fdnlearn.ops.echo import EchoTarget
from fdnlearn.ops.echo import distance as echo_density_distance
from fdnlearn.rir.target import Target

#: Weight of each term in the loss; see docs/tuning.md for how they were found.
WEIGHTS: Mapping[str, float] = {"edc": 0.5, "edc_db": 1.0, "attributes": 0.2, "edp": 15.0}


@dataclass(frozen=True)
class Objective:
    """Compares impulse responses with a target, or with those of several rooms.

    Attributes
    ----------
    decay : DecayTarget
        Of the channels of all rooms, room by room.
    echo : EchoTarget
    weights : mapping of str to float
    rooms : int
    """

    decay: DecayTarget
    echo: EchoTarget
    weights: Mapping[str, float]
    rooms: int = 1

    @property
    def length_samples(self) -> int:
        """How long responses must be."""
        return self.decay.length

    @property
    def kind(self) -> Hashable:
        """Objectives that agree in it can be stacked."""
        how = self.echo.how
        grid = (self.decay.hop, tuple(self.decay.boundaries), how.hop, how.window.size, how.invariant)
        return (*grid, len(self.decay.decay) // self.rooms, tuple(self.weights.items()))

    def __call__(self, h: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss (B,) of responses (B, channels, n), averaged over channels, and its unweighted terms.

        Response b is one of room ``b % rooms``.
        """
        channels = h.reshape(-1, self.rooms * h.shape[1], h.shape[2])
        total, terms = energy_decay.energy_decay_loss(channels, self.decay, self.weights)
        if self.weights.get("edp", 0.0):
            terms["edp"] = echo_density_distance(channels, self.echo)
            total = total + self.weights["edp"] * terms["edp"]

        def of_each(values: Tensor) -> Tensor:
            if h.shape[1] == 1:  # the mean over one channel is not free at this pace
                return values.flatten()
            return values.reshape(h.shape[:2]).mean(-1)

        return of_each(total), {name: of_each(value.detach()) for name, value in terms.items()}

    def stack(self, others: Sequence[Objective]) -> Objective:
        """The objective and others of its kind as one: of every room it then gives what its own would have given.

        Raises
        ------
        ValueError
            If one of them is of another kind.
        """
        every = of_one_kind(self, others)
        return Objective(
            energy_decay.stack([one.decay for one in every]),
            echo_density.stack([one.echo for one in every]),
            self.weights,
            len(every),
        )


def objective_for(
    target: Target, weights: Mapping[str, float] = WEIGHTS, *, echo_variant: str = "invariant"
) -> Objective:
    """Prepare the loss for `target`."""
    fs = target.sample_rate_hz
    return Objective(
        energy_decay.decay_target(
            target.energy_decay,
            fs,
            hop=energy_decay.hop_samples(fs),
            range_db=energy_decay.compared_range_db(target.range_db),
        ),
        echo_density.echo_target_of(target, variant=echo_variant),
        dict(weights),
    )
