"""The model of a real room: reverberation time per band, early taps, an output equaliser, at full rate.

What is learned besides matrix, gains and delays are reverberation times at octave knots and the equaliser's gains; both
reach the response through the very sections that a renderer runs (`fdnlearn.fdn.families`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fdnlearn.fdn.absorption import ReverberationTime
from fdnlearn.fdn.families import peq_1
from fdnlearn.fdn.families.cap import capped
from fdnlearn.fdn.families.equaliser import equaliser
from fdnlearn.model.early import Early
from fdnlearn.model.network import Network
from fdnlearn.model.orthogonal import orthogonal
from fdnlearn.model.sections import equaliser_sections

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FAMILY = "peq-1"

#: A band's reverberation time stays within this factor of the one it starts with.
TIME_SPAN = 3.0
#: Where lines are in groups with times of their own, those of different groups mix so much less at the start: a matrix
#: that mixed all of them would give all one decay.
COUPLING = 0.1
#: The output equaliser stays within this many dB.
TONE_SPAN_DB = 30.0

_RATES: Mapping[str, float] = {
    "matrix": 0.5,
    "delay": 0.15,
    "decay": 0.1,
    "tone": 0.05,
    "input": 0.3,
    "output": 0.3,
    "direct": 0.05,
    "early": 0.05,
    "place": 0.1,
}


@dataclass(frozen=True)
class Banded:
    """Maps free parameters to a `Network`; every tensor carries a leading batch dimension of B starts.

    Attributes
    ----------
    sample_rate_hz : float
    knots_hz : ndarray, shape (K,)
        Of reverberation times and equaliser.
    times_s : ndarray, shape (G, K)
        Where the reverberation times start, of every group of lines.
    levels_db : ndarray, shape (G,)
        Where the level of each group starts.
    lines, inputs, outputs : int
    delay_range_samples : tuple of float
        Shortest and longest delay.
    late_delay_samples : int
    early : Early
        Taps, as they start.
    warnings : tuple of str
        What the user should know about the settings.
    """

    sample_rate_hz: float
    knots_hz: FloatArray
    times_s: FloatArray
    levels_db: FloatArray
    lines: int
    outputs: int
    delay_range_samples: tuple[float, float]
    late_delay_samples: int
    early: Early
    inputs: int = 1
    warnings: tuple[str, ...] = ()

    @property
    def rates(self) -> Mapping[str, float]:
        """Learning rate of each parameter group relative to the fit's own."""
        # Where the recording's own direct sound is there, with its colour, its first sample belongs to it.
        return {**_RATES, "direct": 0.0} if self.early.kept.any() else _RATES

    def delays(self, free: Tensor) -> Tensor:
        """Delays in samples, between the two limits on a logarithmic scale."""
        low, high = self.delay_range_samples
        return low * torch.exp(math.log(high / low) * torch.sigmoid(free))

    @property
    def groups(self) -> IntArray:
        """Group of every line (N,): neighbours in delay take turns, so that every group has short and long ones."""
        turns: IntArray = np.arange(self.lines) % self.times_s.shape[0]
        return turns

    @functools.cached_property
    def _mixing(self) -> Tensor:
        """How strongly every line may mix with every other, (N, N)."""
        together = self.groups[:, None] == self.groups[None, :]
        return torch.from_numpy(np.where(together, 1.0, COUPLING))

    def band_times_s(self, free: Tensor) -> Tensor:
        """Reverberation times at the knots (B, G, K), in double."""
        start = torch.from_numpy(self.times_s).to(free.device)
        return start * torch.exp(math.log(TIME_SPAN) * torch.tanh(free.double()))

    def tone_db(self, free: Tensor) -> Tensor:
        """Gains of the equaliser's sections (B, S), in double."""
        return TONE_SPAN_DB * torch.tanh(free.double())

    def network(self, free: Mapping[str, Tensor], delays_samples: Tensor | None = None) -> Network:
        """Physical parameters; given `delays_samples`, those are used and taps are whole: nothing moves in time."""
        delays = self.delays(free["delay"]) if delays_samples is None else delays_samples
        times = self.band_times_s(free["decay"])[:, torch.from_numpy(self.groups)]
        eq, gains, gains_db = peq_1.wanted(torch, self.knots_hz, times, delays.double(), self.sample_rate_hz)
        # Lines and outputs have the same equaliser: no knot is out of this rate's reach.
        every_db = torch.cat((gains_db, self.tone_db(free["tone"])[:, None]), dim=1)
        loop_sos, tone_sos = equaliser_sections(eq, every_db).split((self.lines, 1), dim=1)
        gains, _ = capped(torch, gains, loop_sos, self.sample_rate_hz)
        return Network(
            feedback_matrix=orthogonal(free["matrix"] * self._mixing.to(free["matrix"])),
            loop_gain=gains,
            delays_samples=delays,
            input_gains=free["input"],
            output_gains=free["output"],
            direct_gains=free["direct"].abs(),
            loop_sos=loop_sos,
            tone_sos=tone_sos[:, 0],
            late_delay_samples=self.late_delay_samples,
            tap_gains=self.early.heard(free["early"]),
            tap_positions=self.early.places(free["place"], whole=delays_samples is not None),
        )

    def fdn_fields(self, free: Mapping[str, Tensor], network: Network) -> Mapping[str, Any]:
        """What the contract says beyond delays, matrix and gains, of the first network of a batch."""
        eq = equaliser(tuple(self.knots_hz.tolist()), self.sample_rate_hz)
        tone_db = self.tone_db(free["tone"])[0].tolist()
        tone = [
            {"type": kind, "frequency_hz": centre_hz, "gain_db": gain_db, "q": q}
            for kind, centre_hz, q, gain_db in zip(eq.types, eq.centres_hz, eq.q, tone_db, strict=True)
        ]
        places = self.early.places(free["place"][0], whole=True)
        return {
            "absorption": ReverberationTime(
                family=FAMILY,
                frequencies_hz=tuple(self.knots_hz.tolist()),
                times_s=tuple(tuple(times) for times in self.band_times_s(free["decay"])[0].tolist()),
                line_groups=tuple(self.groups.tolist()),
            ),
            "tone": tone,
            "early": self.early.fields(places.numpy(), self.early.heard(free["early"])[0].numpy()),
            "late_delay_samples": self.late_delay_samples,
        }

    def draw(self, generator: torch.Generator, direct: Tensor, starts: int) -> dict[str, Tensor]:
        """Random starts: mixing Gaussian, gains of random sign, delays log-spaced and jittered, decay of the target.

        Parameters
        ----------
        generator : torch.Generator
        direct : Tensor, shape (O, I)
            Direct sound of the target.
        starts : int
        """
        n, knots = self.lines, self.knots_hz.size
        level = torch.from_numpy(10.0 ** (self.levels_db[self.groups] / 20.0)).float()

        def signs(*shape: int) -> Tensor:
            return torch.where(torch.rand(starts, *shape, generator=generator) < 0.5, -1.0, 1.0)

        jitter = torch.rand(starts, n, generator=generator) - 0.5
        share = ((torch.arange(n) + 0.5 + 0.8 * jitter) / n).clamp(1e-3, 1 - 1e-3)
        return {
            "matrix": torch.randn(starts, n, n, generator=generator),
            "delay": torch.logit(share),
            "decay": torch.zeros(starts, *self.times_s.shape),
            "tone": torch.zeros(starts, knots),
            "input": signs(n, self.inputs) / math.sqrt(n),
            "output": signs(self.outputs, n) * level / math.sqrt(n),
            "direct": direct.expand(starts, self.outputs, self.inputs).clone(),
            "early": torch.from_numpy(self.early.gains).float().expand(starts, -1, -1).clone(),
            "place": torch.zeros(starts, *self.early.positions.shape),
        }
