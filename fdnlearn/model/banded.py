"""The model of a real room: reverberation time per band, early taps, an output equaliser, at full rate.

What is learned besides matrix, gains and delays are reverberation times at octave knots and the equaliser's gains; both
reach the response through the very sections that a renderer runs (`fdnlearn.fdn.families`).
"""

from __future__ import annotations

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
from fdnlearn.fdn.families.equaliser import equaliser
from fdnlearn.model.network import Network
from fdnlearn.model.orthogonal import orthogonal

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FAMILY = "peq-1"

#: A band's reverberation time stays within this factor of the one it starts with.
TIME_SPAN = 3.0
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
}


@dataclass(frozen=True)
class Banded:
    """Maps free parameters to a `Network`; every tensor carries a leading batch dimension of B starts.

    Attributes
    ----------
    sample_rate_hz : float
    knots_hz : ndarray, shape (K,)
        Of reverberation times and equaliser.
    times_s : ndarray, shape (K,)
        Where the reverberation times start.
    lines, inputs, outputs : int
    delay_range_samples : tuple of float
        Shortest and longest delay.
    late_delay_samples : int
    tap_positions : ndarray of int, shape (O, P)
    tap_gains : ndarray, shape (O, P)
        Where the gains of the early taps start.
    measured : bool
        Whether the taps are the recording's own early part, sample for sample, and stay as they are.
    warnings : tuple of str
        What the user should know about the settings.
    """

    sample_rate_hz: float
    knots_hz: FloatArray
    times_s: FloatArray
    lines: int
    outputs: int
    delay_range_samples: tuple[float, float]
    late_delay_samples: int
    tap_positions: IntArray
    tap_gains: FloatArray
    inputs: int = 1
    measured: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def rates(self) -> Mapping[str, float]:
        """Learning rate of each parameter group relative to the fit's own."""
        return {**_RATES, "early": 0.0} if self.measured else _RATES

    def delays(self, free: Tensor) -> Tensor:
        """Delays in samples, between the two limits on a logarithmic scale."""
        low, high = self.delay_range_samples
        return low * torch.exp(math.log(high / low) * torch.sigmoid(free))

    def band_times_s(self, free: Tensor) -> Tensor:
        """Reverberation times at the knots (B, K), in double."""
        start = torch.from_numpy(self.times_s).to(free.device)
        return start * torch.exp(math.log(TIME_SPAN) * torch.tanh(free.double()))

    def tone_db(self, free: Tensor) -> Tensor:
        """Gains of the equaliser's sections (B, S), in double."""
        return TONE_SPAN_DB * torch.tanh(free.double())

    def network(self, free: Mapping[str, Tensor], delays_samples: Tensor | None = None) -> Network:
        """Physical parameters; given `delays_samples`, those are used and no delay is learned."""
        delays = self.delays(free["delay"]) if delays_samples is None else delays_samples
        times = self.band_times_s(free["decay"])[:, None].expand(-1, self.lines, -1)
        gains, sos = peq_1.sections(torch, self.knots_hz, times, delays.double(), self.sample_rate_hz)
        tone = equaliser(tuple(self.knots_hz.tolist()), self.sample_rate_hz)
        return Network(
            feedback_matrix=orthogonal(free["matrix"]),
            loop_gain=gains,
            delays_samples=delays,
            input_gains=free["input"],
            output_gains=free["output"],
            direct_gains=free["direct"].abs(),
            loop_sos=sos,
            tone_sos=tone.sections(torch, self.tone_db(free["tone"])),
            late_delay_samples=self.late_delay_samples,
            tap_gains=free["early"],
            tap_positions=torch.from_numpy(self.tap_positions).to(delays.device),
        )

    def fdn_fields(self, free: Mapping[str, Tensor], network: Network) -> Mapping[str, Any]:
        """What the contract says beyond delays, matrix and gains, of the first network of a batch."""
        eq = equaliser(tuple(self.knots_hz.tolist()), self.sample_rate_hz)
        tone_db = self.tone_db(free["tone"])[0].tolist()
        tone = [
            {"type": kind, "frequency_hz": centre_hz, "gain_db": gain_db, "q": q}
            for kind, centre_hz, q, gain_db in zip(eq.types, eq.centres_hz, eq.q, tone_db, strict=True)
        ]
        paths = zip(self.tap_positions.tolist(), free["early"][0].tolist(), strict=True)
        write = _dense if self.measured else _sparse
        early = [
            {"output": output, "input": 0, **write(positions, gains)}
            for output, (positions, gains) in enumerate(paths)
            if positions
        ]
        return {
            "absorption": ReverberationTime(
                family=FAMILY,
                frequencies_hz=tuple(self.knots_hz.tolist()),
                times_s=(tuple(self.band_times_s(free["decay"])[0].tolist()),),
                line_groups=(0,) * self.lines,
            ),
            "tone": tone,
            "early": early,
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

        def signs(*shape: int) -> Tensor:
            return torch.where(torch.rand(starts, *shape, generator=generator) < 0.5, -1.0, 1.0)

        jitter = torch.rand(starts, n, generator=generator) - 0.5
        share = ((torch.arange(n) + 0.5 + 0.8 * jitter) / n).clamp(1e-3, 1 - 1e-3)
        return {
            "matrix": torch.randn(starts, n, n, generator=generator),
            "delay": torch.logit(share),
            "decay": torch.zeros(starts, knots),
            "tone": torch.zeros(starts, knots),
            "input": signs(n, self.inputs) / math.sqrt(n),
            "output": signs(self.outputs, n) / math.sqrt(n),
            "direct": direct.expand(starts, self.outputs, self.inputs).clone(),
            "early": torch.from_numpy(self.tap_gains).float().expand(starts, -1, -1).clone(),
        }


def _sparse(positions: list[int], gains: list[float]) -> dict[str, Any]:
    taps = [{"samples": at, "gain": gain} for at, gain in zip(positions, gains, strict=True)]
    return {"kind": "sparse", "taps": taps}


def _dense(positions: list[int], gains: list[float]) -> dict[str, Any]:
    return {"kind": "fir", "coefficients": [0.0] * positions[0] + gains}
