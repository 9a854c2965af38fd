"""The loss of the banded model: energy decay per octave and broadband, and echo density."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from fdnlearn.acoustics.parameters import room_parameters
from fdnlearn.losses import coherence, echo_density, energy_relief, octave_decay, ringing
from fdnlearn.losses.kinds import of_one_kind
from fdnlearn.ops.echo import EchoTarget
from fdnlearn.ops.echo import distance as echo_density_distance
from fdnlearn.rir.target import Target

#: Weight of each term; see docs/tuning.md for how they were found.
WEIGHTS: Mapping[str, float] = {
    "edc": 0.5,
    "edc_db": 1.0,
    "attributes": 1.5,
    "edp": 15.0,
    "relief": 0.3,
    "ringing": 0.3,
    "coherence": 2.0,
}


@dataclass(frozen=True, eq=False)
class BandedObjective:
    """Compares impulse responses with a target octave by octave, or with those of several rooms.

    Attributes
    ----------
    octaves : OctaveTarget
        Of the channels of all rooms, room by room, as the others are.
    echo : EchoTarget
    relief : ReliefTarget
    late : tuple of RingingTarget
    channels : CoherenceTarget or None
    weights : mapping of str to float
    rooms : int
    """

    octaves: octave_decay.OctaveTarget
    echo: EchoTarget
    relief: energy_relief.ReliefTarget
    late: tuple[ringing.RingingTarget, ...]
    channels: coherence.CoherenceTarget | None
    weights: Mapping[str, float]
    rooms: int = 1

    @property
    def length_samples(self) -> int:
        """How long responses must be: the filters' lead and the slowest band's decay."""
        return self.octaves.length

    @property
    def kind(self) -> Hashable:
        """Objectives that agree in it can be stacked."""
        how = self.echo.how
        frames = (how.hop, how.window.size, how.invariant, self.relief.hop, len(self.relief.window))
        return (self.octaves.kind, *frames, self.channels is None, tuple(self.weights.items()))

    def __call__(self, h: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss (B,) of responses (B, channels, n), and its unweighted terms.

        Response b is one of room ``b % rooms``.
        """
        starts = h.shape[0] // self.rooms
        rows = h.reshape(starts, self.rooms * h.shape[1], h.shape[2])

        def of_rooms(values: Tensor) -> Tensor:
            return values.reshape(starts, self.rooms, -1).mean(-1)

        total, terms = octave_decay.octave_decay_loss(rows, self.octaves, self.weights)
        others: dict[str, Callable[[], Tensor]] = {
            "edp": lambda: of_rooms(echo_density_distance(rows, self.echo)),
            "relief": lambda: of_rooms(energy_relief.relief_distance(rows, self.relief)),
            "ringing": lambda: ringing.ringing_distance(rows, self.late, self.rooms),
        }
        if (likeness := self.channels) is not None:
            others["coherence"] = lambda: coherence.coherence_distance(rows, likeness)
        for name, distance in others.items():
            if weight := self.weights.get(name, 0.0):
                terms[name] = distance()
                total = total + weight * terms[name]
        return total.flatten(), {name: value.detach().flatten() for name, value in terms.items()}

    def stack(self, others: Sequence[BandedObjective]) -> BandedObjective:
        """The objective and others of its kind as one: of every room it then gives what its own would have given.

        Raises
        ------
        ValueError
            If one of them is of another kind.
        """
        every = of_one_kind(self, others)
        likeness = [one.channels for one in every if one.channels is not None]
        return BandedObjective(
            octave_decay.stack([one.octaves for one in every]),
            echo_density.stack([one.echo for one in every]),
            energy_relief.stack([one.relief for one in every]),
            ringing.stack([one.late for one in every], len(self.octaves.scale)),
            coherence.stack(likeness) if likeness else None,
            self.weights,
            len(every),
        )


def banded_objective_for(target: Target, weights: Mapping[str, float] = WEIGHTS) -> BandedObjective:
    """Prepare the loss for `target`."""
    fs = target.sample_rate_hz
    return BandedObjective(
        octave_decay.octave_target([room_parameters(h, fs, "auto") for h in target.samples], fs),
        echo_density.echo_target_of(target),
        energy_relief.relief_target(target),
        ringing.ringing_targets(target),
        coherence.coherence_target(target),
        dict(weights),
    )
