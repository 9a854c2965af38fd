"""Energy decay per octave: the distances of `energy_decay`, on every band of a response at once.

The octaves are those of the measurement (`fdnlearn.acoustics.bands`): zero phase, so that a little of each band comes
before the onset. The target's onset is delayed to the longest of these leads, and what arrives before it counts as
arriving with it, as it does there.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from torch import Tensor

from fdnlearn.acoustics.bands import Octave, octaves
from fdnlearn.acoustics.parameters import BandParameters, RoomParameters
from fdnlearn.base.types import Float, FloatArray, shapes_checked
from fdnlearn.losses import energy_decay
from fdnlearn.losses.energy_decay import DEEPEST_DB, compared_range_db, decay_target
from fdnlearn.losses.terms import ChannelsTerm
from fdnlearn.ops.decay import TERMS, DecayTarget
from fdnlearn.ops.octaves import LARGEST_DECIMATION, Bands, OctaveTarget, decimation_of, distance
from fdnlearn.rir.target import Target

#: Weight of the whole spectrum against that of one octave.
WHOLE_SPECTRUM = 2.0

#: Time, in inverse bandwidths, over which a filter's lead has died away.
_LEAD = 8.0


class OctaveDecayTerm(ChannelsTerm[OctaveTarget]):
    """Distances of the decays of all bands; a `fdnlearn.losses.terms.Term`."""

    @property
    def kind(self) -> Hashable:
        """Terms that agree in it can be stacked."""
        target = self.target
        known = tuple(bands.octaves for bands in target.octaves)
        grid = (target.whole.decay.hop, tuple(target.whole.decay.boundaries), target.lead)
        return (target.sample_rate_hz, known, *grid, len(target.whole.scale) // self.rooms)

    @property
    def length_samples(self) -> int:
        """How long responses must be: the filters' lead and the slowest band's decay."""
        return self.target.length

    @staticmethod
    def stack_targets(targets: Sequence[OctaveTarget]) -> OctaveTarget:
        """The channels of several targets of one kind one after the other."""
        whole, *octave = (_stacked(same) for same in zip(*(one.bands for one in targets), strict=True))
        length = max(target.length for target in targets)
        delays = tuple(delay for target in targets for delay in target.delays)
        return dataclasses.replace(
            targets[0], whole=whole, octaves=tuple(octave), delays=delays, length=length
        )

    @shapes_checked
    def compare(
        self, rows: Float[Tensor, "batch channels samples"], weights: Mapping[str, float]
    ) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
        """Sums over the channels of a room, whose shares add up to one."""
        return octave_decay_loss(rows, self.target, weights, self.rooms)


def _stacked(same: Sequence[Bands]) -> Bands:
    return dataclasses.replace(
        same[0],
        decay=energy_decay.stack([bands.decay for bands in same]),
        scale=np.concatenate([bands.scale for bands in same]),
        share=np.concatenate([bands.share for bands in same]),
    )


def octave_decay_term(target: Target) -> OctaveDecayTerm:
    """Prepare the decays of a target's octaves, and of the whole spectrum."""
    fs = target.sample_rate_hz
    return OctaveDecayTerm(octave_target(target.parameters, fs))


def octave_target(measured: Sequence[RoomParameters], sample_rate_hz: float) -> OctaveTarget:
    """Prepare the decays of a target, measured with its noise taken out, channel by channel.

    Bands whose decay could not be measured have no weight; where T20 or T30 does not count, neither does it here.
    """
    known = octaves(sample_rate_hz)
    step = LARGEST_DECIMATION
    hop = step * max(1, round(energy_decay.hop_samples(sample_rate_hz) / step))
    lead = math.ceil(_LEAD / min((b.bandwidth_hz for b in known), default=1e9) * sample_rate_hz / hop) * hop
    every: tuple[Octave | None, ...] = (None, *known)
    parts = [[_band(room, band) for band in every] for room in measured]
    decays = [[_decay_target(part, sample_rate_hz, hop) for part in room] for room in parts]
    points = max(decay.decay.shape[1] for room in decays for decay in room)
    usable = np.array([[p.decay.curve[0] > 0.0 and p.decay.inr_db >= 10.0 for p in room] for room in parts])
    share = np.where(usable, [WHOLE_SPECTRUM] + [1.0] * len(known), 1e-12)
    share /= share.sum()
    scale = 1 / np.sqrt(np.maximum([[part.decay.curve[0] for part in room] for room in parts], 1e-30))

    def bands(decimation: int, of: Sequence[int]) -> Bands:
        among = tuple(band for band in (every[index] for index in of) if band is not None)
        rows = [decays[channel][index] for channel in range(len(parts)) for index in of]
        decay = _together(rows, lead // hop, points, direct=not among)
        grid = dataclasses.replace(decay, hop=hop // decimation, length=decay.length // decimation)
        return Bands(among, decimation, grid, scale[:, of], share[:, of])

    # Neighbours of one rate; the whole spectrum is the first of all.
    indices = range(1, len(every))
    rates = itertools.groupby(indices, key=lambda index: decimation_of(known[index - 1], sample_rate_hz))
    longest = max(_time_s(part) for room in parts for part in room)
    return OctaveTarget(
        whole=bands(1, [0]),
        octaves=tuple(bands(decimation, list(of)) for decimation, of in rates),
        lead=lead,
        delays=tuple(lead - round(room.onset_s * sample_rate_hz) for room in measured),
        length=max(lead + points * hop, lead + math.ceil(longest * sample_rate_hz)),
        sample_rate_hz=sample_rate_hz,
    )


def _decay_target(part: BandParameters, sample_rate_hz: float, hop: int) -> DecayTarget:
    range_db = compared_range_db(_range_db(part))
    return decay_target(part.decay.curve[None], sample_rate_hz, hop=hop, range_db=range_db)


def _together(rows: Sequence[DecayTarget], before: int, points: int, *, direct: bool) -> DecayTarget:
    """Decays of single bands as one, of so many points, after points in front of the onset.

    `direct` is whether the direct-to-reverberant ratio counts. A direct sound of one sample has no colour: what it is
    to be in single octaves would only pull on the rest.
    """
    whole = energy_decay.stack(rows)

    def led(values: FloatArray, first: float) -> FloatArray:
        out = np.zeros((*values.shape[:-1], before + points))
        out[..., :before] = first
        out[..., before : before + values.shape[-1]] = values
        return out

    heard = whole.heard.copy()
    if not direct:
        heard[:, 0] = 0.0
    decay = led(whole.decay, 1.0)
    return dataclasses.replace(
        whole,
        decay=decay,
        level_db=led(whole.level_db, 0.0),
        counted=np.ones_like(decay),
        weight=led(whole.weight, 0.0),
        regressions=led(whole.regressions, 0.0),
        boundaries=whole.boundaries + before,
        heard=heard,
        length=(before + points) * whole.hop,
    )


def _band(room: RoomParameters, band: Octave | None) -> BandParameters:
    return room.broadband if band is None else room.octave[band.nominal_hz]


def _time_s(part: BandParameters) -> float:
    """How long a band takes to decay; a band that hardly does in its usable part does not make responses endless."""
    return min(part.t30_s or part.t20_s or part.decay.knee_s, 2.0 * part.decay.knee_s)


def _range_db(part: BandParameters) -> float:
    return part.decay.range_db if math.isfinite(part.decay.range_db) else DEEPEST_DB


@shapes_checked
def octave_decay_loss(
    h: Float[Tensor, "batch channels samples"],
    target: OctaveTarget,
    weights: Mapping[str, float],
    rooms: int = 1,
) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
    """Weighted sum of `energy_decay` terms over all bands, (S, rooms), and the terms, of responses (S, channels, n)."""
    edc, edc_db, attributes = (weights.get(name, 0.0) for name in TERMS)
    total, terms = distance(h, target, (edc, edc_db, attributes))

    def of_rooms(values: Tensor) -> Tensor:
        return values.reshape(len(h), rooms, -1).sum(-1)

    return of_rooms(total), {name: of_rooms(terms[..., index]) for index, name in enumerate(TERMS)}
