"""A term for the likeness of channels: coefficients of late correlation, octave by octave."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fdnlearn.acoustics.coherence import coherence, late_part
from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.losses import late_windows
from fdnlearn.losses.terms import weighted
from fdnlearn.model.tiling import filled_up
from fdnlearn.ops.late_windows import LateWindows
from fdnlearn.rir.target import Target


@shapes_checked
@dataclass(frozen=True, eq=False)
class CoherenceTarget:
    """Coefficients of R rooms of C channels each, and the parts of their responses that they are taken of.

    Attributes
    ----------
    windows : LateWindows
        R C parts.
    pairs : tuple of (int, int)
        Channels of a room that are compared.
    power : Tensor, shape (R, bins, octaves)
        Power response of each octave.
    goal : Tensor, shape (R, pairs, octaves)
    """

    windows: LateWindows
    pairs: tuple[tuple[int, int], ...]
    power: Float[Tensor, "rooms bins octaves"]
    goal: Float[Tensor, "rooms pairs octaves"]


def coherence_target(target: Target) -> CoherenceTarget | None:
    """Prepare the coefficients of a target; None where it has a single channel or no late part."""
    channels = target.samples.shape[0]
    part = late_part(
        target.energy_decay[0], target.sample_rate_hz, target.mixing_time_s, target.length_samples, channels
    )
    if part is None:
        return None
    taper = torch.from_numpy(part.taper).float().expand(channels, -1)
    return CoherenceTarget(
        LateWindows(tuple(range(channels)), (part.start,) * channels, taper, (part.n_fft,) * channels),
        part.pairs,
        torch.from_numpy(part.power.T).float()[None],
        torch.from_numpy(coherence(target.samples, part)).float()[None],
    )


def stack(targets: Sequence[CoherenceTarget]) -> CoherenceTarget:
    """Those of several rooms, of as many channels and octaves, as one."""
    channels = len(targets[0].windows.channel)
    windows = late_windows.stack(
        [target.windows for target in targets], [channels * room for room in range(len(targets))]
    )
    return CoherenceTarget(
        windows,
        targets[0].pairs,
        torch.cat(filled_up([target.power for target in targets], dim=-2)),
        torch.cat([target.goal for target in targets]),
    )


@shapes_checked
def coherence_distance(
    h: Float[Tensor, "batch channels samples"], target: CoherenceTarget
) -> Float[Tensor, "batch rooms"]:
    """Mean squared difference of the coefficients over 0.1, (S, rooms).

    Of responses h (S, channels, n), the channels those of all rooms, room by room.
    """
    spectra = target.windows.spectra(h)
    # (S, rooms, channels, bins)
    real, imag = (
        x.reshape(h.shape[0], len(target.power), -1, x.shape[-1]) for x in (spectra.real, spectra.imag)
    )
    power = target.power.to(real)
    energy = (real.square() + imag.square()) @ power
    one, two = (list(side) for side in zip(*target.pairs, strict=True))
    crossed = real[:, :, one] * real[:, :, two] + imag[:, :, one] * imag[:, :, two]
    found = (crossed @ power) / (energy[:, :, one] * energy[:, :, two]).clamp_min(1e-30).sqrt()
    return 10.0 * (found - target.goal.to(found)).square().mean((2, 3))


@dataclass(frozen=True, eq=False)
class CoherenceTerm:
    """Distance of the coefficients of all rooms; a `fdnlearn.losses.terms.Term`."""

    target: CoherenceTarget

    #: What a response has not is silence.
    length_samples = 0

    @property
    def kind(self) -> Hashable:
        """Terms that agree in it can be stacked."""
        return self.target.pairs

    def stack(self, others: Sequence[CoherenceTerm]) -> CoherenceTerm:
        """The term of this room and of others of its kind."""
        return CoherenceTerm(stack([one.target for one in (self, *others)]))

    @shapes_checked
    def compare(
        self, rows: Float[Tensor, "batch channels samples"], weights: Mapping[str, float]
    ) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
        """Mean over pairs and octaves."""
        return weighted("coherence", coherence_distance(rows, self.target), weights)


def coherence_term(target: Target) -> CoherenceTerm | None:
    """Prepare the coefficients of a target; None where it has a single channel or no late part."""
    prepared = coherence_target(target)
    return None if prepared is None else CoherenceTerm(prepared)
