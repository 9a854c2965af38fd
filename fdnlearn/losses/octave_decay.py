"""Energy decay per octave: the distances of `energy_decay`, on every band of a response at once.

The octaves are those of the measurement (`fdnlearn.acoustics.bands`): zero phase, so that a little of each band comes
before the onset. Responses are delayed by the longest of these leads, and what arrives in it counts as arriving with
the onset, as it does there.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fdnlearn.acoustics.bands import Octave, octave_magnitude, octaves
from fdnlearn.acoustics.parameters import BandParameters, RoomParameters, room_parameters
from fdnlearn.base.types import Complex, Float, Float64, FloatArray, shapes_checked
from fdnlearn.losses import energy_decay
from fdnlearn.losses.energy_decay import DEEPEST_DB, compared_range_db, decay_target, energy_decay_loss
from fdnlearn.ops.decay import DecayTarget
from fdnlearn.ops.fourier import irfft, rfft
from fdnlearn.rir.target import Target

#: Weight of the whole spectrum against that of one octave.
WHOLE_SPECTRUM = 2.0

#: Time, in inverse bandwidths, over which a filter's lead has died away.
_LEAD = 8.0


@shapes_checked
@dataclass(frozen=True, eq=False)
class OctaveTarget:
    """Target decays of every channel and band, the whole spectrum first, and how a response is brought to them.

    Channels are those of one room, or of several, room by room.

    Attributes
    ----------
    decay : DecayTarget
        Channels and bands in one row, bands innermost, each at unit energy; `lead` samples come first.
    bands : tuple of Octave or None
        None stands for the whole spectrum.
    scale : ndarray, shape (channels, bands)
        Factor that brings the target to unit energy.
    weight : Tensor, shape (channels * bands,)
        Share of each in the loss of its room.
    lead, length : int
        Samples by which responses are delayed, and how long they must be to have decayed.
    sample_rate_hz : float
    rooms : int
    """

    decay: DecayTarget
    bands: tuple[Octave | None, ...]
    scale: Float64[FloatArray, "channels bands"]
    weight: Float64[Tensor, " channels*bands"]
    lead: int
    length: int
    sample_rate_hz: float
    rooms: int = 1

    @property
    def kind(self) -> Hashable:
        """Targets that agree in it can be stacked."""
        grid = (self.decay.hop, tuple(self.decay.boundaries), self.lead)
        return (self.sample_rate_hz, self.bands, *grid, len(self.scale) // self.rooms)

    @property
    def length_samples(self) -> int:
        """How long responses must be: the filters' lead and the slowest band's decay."""
        return self.length

    def stack(self, others: Sequence[OctaveTarget]) -> OctaveTarget:
        """The channels of several targets of one kind one after the other."""
        every = (self, *others)
        return dataclasses.replace(
            self,
            decay=energy_decay.stack([target.decay for target in every]),
            scale=np.concatenate([target.scale for target in every]),
            weight=torch.cat([target.weight for target in every]),
            length=max(target.length for target in every),
            rooms=len(every),
        )

    @shapes_checked
    def compare(
        self, rows: Float[Tensor, "batch channels samples"], weights: Mapping[str, float]
    ) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
        """See `octave_decay_loss`."""
        return octave_decay_loss(rows, self, weights)

    @functools.lru_cache(maxsize=2)  # noqa: B019  (a target lives as long as its fit)
    @shapes_checked
    def filters(self, n_fft: int, device: torch.device) -> Complex[Tensor, "channels bands bins"]:
        """What a spectrum is multiplied by, (channels, bands, n_fft // 2 + 1): filter, scale and delay."""
        k = np.arange(n_fft // 2 + 1)
        frequency_hz: FloatArray = k.astype(np.float64) * (self.sample_rate_hz / n_fft)
        delay = np.exp(-2j * np.pi * ((self.lead * k) % n_fft) / n_fft)
        flat = np.ones(k.size)
        shapes = np.stack([flat if b is None else octave_magnitude(b, frequency_hz) for b in self.bands])
        filters = self.scale[..., None] * (shapes * delay)
        return torch.from_numpy(filters.astype(np.complex64)).to(device)


def octave_decay_term(target: Target) -> OctaveTarget:
    """Prepare the decays of a target's octaves, and of the whole spectrum."""
    fs = target.sample_rate_hz
    return octave_target([room_parameters(h, fs, "auto") for h in target.samples], fs)


def octave_target(measured: Sequence[RoomParameters], sample_rate_hz: float) -> OctaveTarget:
    """Prepare the decays of a target, measured with its noise taken out, channel by channel.

    Bands whose decay could not be measured have no weight; where T20 or T30 does not count, neither does it here.
    """
    known, hop = octaves(sample_rate_hz), energy_decay.hop_samples(sample_rate_hz)
    bands: tuple[Octave | None, ...] = (None, *known)
    lead = math.ceil(_LEAD / min((b.bandwidth_hz for b in known), default=1e9) * sample_rate_hz / hop) * hop
    parts = [_band(room, band) for room in measured for band in bands]
    targets = [
        decay_target(
            part.decay.curve[None],
            sample_rate_hz,
            hop=hop,
            range_db=compared_range_db(_range_db(part)),
        )
        for part in parts
    ]
    before = lead // hop
    points = before + max(target.decay.shape[1] for target in targets)

    def row(values: FloatArray, first: float) -> FloatArray:
        out = np.zeros((*values.shape[:-1], points))
        out[..., :before] = first
        out[..., before : before + values.shape[-1]] = values
        return out

    heard = np.concatenate([target.heard for target in targets])
    # A direct sound of one sample has no colour: what it is to be in single octaves would only pull on the rest.
    heard[[index % len(bands) != 0 for index in range(len(parts))], 0] = 0.0
    decays = np.concatenate([row(target.decay, 1.0) for target in targets])
    energy = np.array([part.decay.curve[0] for part in parts])
    usable = np.array([part.decay.curve[0] > 0.0 and part.decay.inr_db >= 10.0 for part in parts])
    share = np.where(usable, np.tile([WHOLE_SPECTRUM] + [1.0] * len(known), len(measured)), 1e-12)
    return OctaveTarget(
        decay=DecayTarget(
            decay=decays,
            level_db=np.concatenate([row(target.level_db, 0.0) for target in targets]),
            counted=np.ones_like(decays),
            weight=np.concatenate([row(target.weight, 0.0) for target in targets]),
            regressions=np.concatenate([row(target.regressions, 0.0) for target in targets]),
            boundaries=targets[0].boundaries + before,
            heard=heard,
            length=points * hop,
            hop=hop,
        ),
        bands=bands,
        scale=(1 / np.sqrt(np.maximum(energy, 1e-30))).reshape(len(measured), len(bands)),
        weight=torch.from_numpy(share / share.sum()),
        lead=lead,
        length=max(points * hop, lead + math.ceil(max(map(_time_s, parts)) * sample_rate_hz)),
        sample_rate_hz=sample_rate_hz,
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
    h: Float[Tensor, "batch channels samples"], target: OctaveTarget, weights: Mapping[str, float]
) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
    """Weighted sum of `energy_decay` terms over all bands, (S, rooms), and the terms, of responses (S, channels, n)."""
    filters = target.filters(h.shape[-1], h.device)
    rows = irfft(rfft(h)[:, :, None] * filters, h.shape[-1]).flatten(1, 2)
    total, terms = energy_decay_loss(rows, target.decay, weights)

    def of_rooms(values: Tensor) -> Tensor:
        return (values * target.weight).reshape(len(h), target.rooms, -1).sum(-1)

    return of_rooms(total), {name: of_rooms(value) for name, value in terms.items()}
