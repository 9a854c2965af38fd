"""From free parameters to the physical ones of the banded model, for one room or for several of a kind at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, FloatArray, Int64, shapes_checked
from fdnlearn.fdn.families import peq_1
from fdnlearn.fdn.families.equaliser import equaliser
from fdnlearn.model.early import Taps
from fdnlearn.model.network import Network
from fdnlearn.model.orthogonal import orthogonal
from fdnlearn.model.sections import equalised
from fdnlearn.model.tiling import tiled

#: A band's reverberation time stays within this factor of the one it starts with.
TIME_SPAN = 3.0
#: The output equaliser stays within this many dB.
TONE_SPAN_DB = 30.0


@shapes_checked
@dataclass(frozen=True, eq=False)
class BandedMap:
    """Maps free parameters of B networks, b being one of room ``b % R``, to a `Network`.

    Attributes
    ----------
    sample_rate_hz : float
    knots_hz : ndarray, shape (K,)
        Of reverberation times.
    tone_hz : ndarray, shape (S,)
        Of the equaliser.
    groups : Tensor of int64, shape (N,)
        Group of every line.
    mixing : Tensor, shape (N, N)
        How strongly every line may mix with every other.
    delay_range_samples : Tensor, shape (R, 2)
    times_s : Tensor, shape (R, G, K)
        Where reverberation times start.
    late_delays_samples : tuple of int, length R
        From sample 0 of the response on.
    taps : Taps
    rounding : bool
        Whether delays may be rounded while they are learned: whether none can become too short for it.
    """

    sample_rate_hz: float
    knots_hz: Float64[FloatArray, " knots"]
    tone_hz: Float64[FloatArray, " sections"]
    groups: Int64[Tensor, " lines"]
    mixing: Float64[Tensor, "lines lines"]
    delay_range_samples: Float64[Tensor, "rooms 2"]
    times_s: Float64[Tensor, "rooms groups knots"]
    late_delays_samples: tuple[int, ...]
    taps: Taps
    rounding: bool

    @shapes_checked
    def delays(self, free: Float[Tensor, "batch lines"]) -> Float[Tensor, "batch lines"]:
        """Delays in samples (B, N), between the two limits on a logarithmic scale."""
        low, high = tiled(self.delay_range_samples, len(free))[..., None].unbind(1)
        return low.to(free) * torch.exp(torch.log(high / low).to(free) * torch.sigmoid(free))

    @shapes_checked
    def band_times_s(
        self, free: Float[Tensor, "batch groups knots"]
    ) -> Float64[Tensor, "batch groups knots"]:
        """Reverberation times at the knots (B, G, K), in double."""
        return tiled(self.times_s, len(free)) * torch.exp(math.log(TIME_SPAN) * torch.tanh(free.double()))

    @shapes_checked
    def tone_db(self, free: Float[Tensor, "*batch sections"]) -> Float64[Tensor, "*batch sections"]:
        """Gains of the equaliser's sections (..., S), in double."""
        return TONE_SPAN_DB * torch.tanh(free.double())

    @shapes_checked
    def network(
        self,
        free: Mapping[str, Float[Tensor, "batch ..."]],
        delays_samples: Float[Tensor, "batch lines"] | None,
    ) -> Network:
        """Physical parameters; given `delays_samples`, those are used and taps are whole: nothing moves in time."""
        delays = self.delays(free["delay"]) if delays_samples is None else delays_samples
        times = self.band_times_s(free["decay"])[:, self.groups]
        eq, gains, gains_db = peq_1.uncapped(
            torch, self.knots_hz, times, delays.double(), self.sample_rate_hz
        )
        gains, loop_sos = equalised(eq, gains, gains_db)
        tone = equaliser(tuple(self.tone_hz.tolist()), self.sample_rate_hz)
        _, tone_sos = equalised(tone, gains[:, :0], self.tone_db(free["tone"])[:, None])
        return Network(
            feedback_matrix=orthogonal(free["matrix"] * self.mixing.to(free["matrix"])),
            loop_gain=gains,
            delays_samples=delays,
            input_gains=free["input"],
            output_gains=free["output"],
            direct_gains=free["output"].new_zeros(
                len(delays), free["output"].shape[1], free["input"].shape[2]
            ),
            loop_sos=loop_sos,
            tone_sos=tone_sos[:, 0],
            late_delays_samples=self.late_delays_samples,
            tap_gains=self.taps.heard(free["early"]),
            tap_positions=self.taps.places(free["place"], whole=delays_samples is not None),
            whole=delays_samples is not None,
            rounding=self.rounding,
        )
