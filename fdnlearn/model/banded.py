"""The model of a real room: reverberation time per band, early taps, an output equaliser, at full rate.

What is learned besides matrix, gains and delays are reverberation times at octaves and the equaliser's gains at third
octaves; both reach the response through the very sections that a renderer runs (`fdnlearn.fdn.families`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, FloatArray, Int64, IntArray, shapes_checked
from fdnlearn.fdn.absorption import ReverberationTime
from fdnlearn.fdn.families.equaliser import equaliser
from fdnlearn.model.banded_map import BandedMap
from fdnlearn.model.early import Early
from fdnlearn.model.maps import Mapped
from fdnlearn.model.network import Network
from fdnlearn.ops.time_domain import SHORTEST_DELAY_SAMPLES
from fdnlearn.options import Banded

FAMILY = "peq-1"

#: Where lines are in groups with times of their own, those of different groups mix so much less at the start: a matrix
#: that mixed all of them would give all one decay.
COUPLING = 0.1

#: Delays hardly move: the slope of the loss at a delay holds for a fraction of a sample, and where they may wander they
#: leave a hole behind the early part (docs/tuning.md).
_RATES: Mapping[str, float] = {
    "matrix": 0.5,
    "delay": 0.02,
    "decay": 0.1,
    "tone": 0.05,
    "input": 0.3,
    "output": 0.3,
    "early": 0.05,
    "place": 0.1,
}


@shapes_checked
@dataclass(frozen=True, eq=False)
class BandedModel(Mapped[BandedMap]):
    """What a room's network starts from, and how it becomes the contract.

    Attributes
    ----------
    sample_rate_hz : float
    knots_hz : ndarray, shape (K,)
        Of reverberation times.
    tone_hz : ndarray, shape (S,)
        Of the equaliser.
    times_s : ndarray, shape (G, K)
        Where the reverberation times start, of every group of lines.
    levels_db : ndarray, shape (G,)
        Where the level of each group starts.
    inputs, outputs : int
    options : Banded
        What was asked for, what was left to the room as it was settled.
    delay_range_samples : tuple of float
        Shortest and longest delay.
    late_delay_samples : int
        From the direct sound on.
    early : Early
        Head and taps, as they start.
    warnings : tuple of str
        What the user should know about the settings.
    """

    sample_rate_hz: float
    knots_hz: Float64[FloatArray, " knots"]
    tone_hz: Float64[FloatArray, " sections"]
    times_s: Float64[FloatArray, "groups knots"]
    levels_db: Float64[FloatArray, " groups"]
    options: Banded
    outputs: int
    delay_range_samples: tuple[float, float]
    late_delay_samples: int
    early: Early
    inputs: int = 1
    warnings: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        """Number of lines."""
        return self.options.lines

    @property
    def rates(self) -> Mapping[str, float]:
        """Learning rate of each parameter group relative to the fit's own."""
        return _RATES

    @property
    def kind(self) -> Hashable:
        """Models that agree in it can be put side by side."""
        shape = (self.lines, self.inputs, self.outputs, len(self.times_s), tuple(self.knots_hz.tolist()))
        return (type(self), self.sample_rate_hz, *shape, *self.rates.items())

    @property
    @shapes_checked
    def groups(self) -> Int64[IntArray, " lines"]:
        """Group of every line (N,): neighbours in delay take turns, so that every group has short and long ones."""
        turns: IntArray = np.arange(self.lines) % self.times_s.shape[0]
        return turns

    def stack(self, others: Sequence[BandedModel], device: torch.device) -> BandedMap:
        """How networks of this room and of others of its kind come about."""
        every = (self, *others)
        taps, *more = (one.early.taps(device) for one in every)

        def rows(values: Sequence[Any]) -> Tensor:
            return torch.from_numpy(np.stack(values)).to(device)

        together = self.groups[:, None] == self.groups[None, :]
        return BandedMap(
            sample_rate_hz=self.sample_rate_hz,
            knots_hz=self.knots_hz,
            tone_hz=self.tone_hz,
            groups=torch.from_numpy(self.groups).to(device),
            mixing=torch.from_numpy(np.where(together, 1.0, COUPLING)).to(device),
            delay_range_samples=rows([one.delay_range_samples for one in every]),
            times_s=rows([one.times_s for one in every]),
            late_delays_samples=tuple(one.early.direct_samples + one.late_delay_samples for one in every),
            taps=taps.stack(more),
            rounding=min(one.delay_range_samples[0] for one in every) >= SHORTEST_DELAY_SAMPLES,
        )

    @shapes_checked
    def fdn_fields(
        self, free: Mapping[str, Float[Tensor, "batch ..."]], network: Network
    ) -> Mapping[str, Any]:
        """What the contract says beyond delays, matrix and gains, of the first network of a batch."""
        own = self.maps(free["tone"].device)
        eq = equaliser(tuple(self.tone_hz.tolist()), self.sample_rate_hz)
        tone_db = own.tone_db(free["tone"])[0].tolist()
        tone = [
            {"type": kind, "frequency_hz": centre_hz, "gain_db": gain_db, "q": q}
            for kind, centre_hz, q, gain_db in zip(eq.types, eq.centres_hz, eq.q, tone_db, strict=True)
        ]
        places = own.taps.places(free["place"][:1], whole=True)[0]
        heard = own.taps.heard(free["early"][:1])[0]
        return {
            "absorption": ReverberationTime(
                family=FAMILY,
                frequencies_hz=tuple(self.knots_hz.tolist()),
                times_s=tuple(tuple(times) for times in own.band_times_s(free["decay"])[0].tolist()),
                line_groups=tuple(self.groups.tolist()),
            ),
            "tone": tone,
            **self.early.fields(places.numpy(), heard.numpy()),
            "late_delay_samples": self.late_delay_samples,
        }

    @shapes_checked
    def draw(
        self, generator: torch.Generator, direct: Float[Tensor, "outputs inputs"], starts: int
    ) -> dict[str, Float[Tensor, "starts ..."]]:
        """Random starts: mixing Gaussian, gains of random sign, delays log-spaced and jittered, decay of the target."""
        n = self.lines
        level = torch.from_numpy(10.0 ** (self.levels_db[self.groups] / 20.0)).float()

        def signs(*shape: int) -> Tensor:
            return torch.where(torch.rand(starts, *shape, generator=generator) < 0.5, -1.0, 1.0)

        jitter = torch.rand(starts, n, generator=generator) - 0.5
        share = ((torch.arange(n) + 0.5 + 0.8 * jitter) / n).clamp(1e-3, 1 - 1e-3)
        return {
            "matrix": torch.randn(starts, n, n, generator=generator),
            "delay": torch.logit(share),
            "decay": torch.zeros(starts, *self.times_s.shape),
            "tone": torch.zeros(starts, self.tone_hz.size),
            "input": signs(n, self.inputs) / math.sqrt(n),
            "output": signs(self.outputs, n) * level / math.sqrt(n),
            "early": torch.from_numpy(self.early.gains).float().expand(starts, -1, -1).clone(),
            "place": torch.zeros(starts, *self.early.positions.shape),
        }
