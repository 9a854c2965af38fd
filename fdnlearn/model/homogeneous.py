"""The paper's model: one gain a line, every parameter learned (Mezza et al., EURASIP JASMP 2024:51)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, shapes_checked
from fdnlearn.fdn.absorption import PerLineGain
from fdnlearn.model.maps import Mapped
from fdnlearn.model.network import Network
from fdnlearn.model.orthogonal import orthogonal
from fdnlearn.model.tiling import tiled
from fdnlearn.options import Homogeneous
from fdnlearn.rir.target import Target

_RATES: Mapping[str, float] = {
    "matrix": 1.0,
    "delay": 0.3,
    "decay": 0.3,
    "input": 1.0,
    "output": 1.0,
    "direct": 0.1,
}

#: A line's reverberation time stays within this factor of the target's.
DECAY_SPAN = 8.0

_SPAN = math.log(DECAY_SPAN)

SHORTEST_DELAY_S = 0.0005
LONGEST_DELAY_S = 0.064


class _Lines(torch.autograd.Function):
    """Delays and loop gains from their free parameters: one node of the graph costs less than a dozen."""

    @staticmethod
    def forward(
        ctx: Any, free_delay: Tensor, free_decay: Tensor, low: float, ratio: float, slope: Tensor
    ) -> tuple[Tensor, Tensor]:
        share = torch.sigmoid(free_delay)
        delays = torch.exp(share * math.log(ratio)).mul_(low)
        bent = torch.tanh(free_decay / _SPAN)
        gain_log = torch.exp(bent * -_SPAN).mul_(delays).mul_(slope)
        gain = torch.exp(gain_log)
        # As an attribute of ctx an output would keep its own graph, and so itself, alive for ever.
        ctx.save_for_backward(share, delays, bent, gain_log, gain)
        ctx.ratio = ratio
        return delays, gain

    @staticmethod
    def backward(ctx: Any, d_delays: Tensor, d_gain: Tensor) -> tuple[Tensor | None, ...]:
        share, delays, bent, gain_log, gain = ctx.saved_tensors
        d_log = d_gain * gain * gain_log
        d_share = (d_delays * delays + d_log) * (math.log(ctx.ratio) * share * (1 - share))
        return d_share, d_log * (bent.square() - 1), None, None, None


@shapes_checked
@dataclass(frozen=True, eq=False)
class HomogeneousMap:
    """Maps free parameters of B networks, b being one of room ``b % R``, to a `Network`.

    Attributes
    ----------
    delay_range_samples : tuple of float
        Shortest and longest delay that can be reached.
    slopes : Tensor of float64, shape (R, 1)
        Logarithm of what a line of the room's reverberation time keeps in a sample: ``-3 ln 10 / (fs T)``.
    """

    delay_range_samples: tuple[float, float]
    slopes: Float64[Tensor, "rooms 1"]

    @shapes_checked
    def delays(self, free: Float[Tensor, "batch lines"]) -> Float[Tensor, "batch lines"]:
        """Delays in samples (B, N), between the two limits on a logarithmic scale."""
        low, high = self.delay_range_samples
        return low * torch.exp(math.log(high / low) * torch.sigmoid(free))

    @shapes_checked
    def network(
        self,
        free: Mapping[str, Float[Tensor, "batch ..."]],
        delays_samples: Float[Tensor, "batch lines"] | None,
    ) -> Network:
        """Physical parameters; given `delays_samples`, those are used and no delay is learned.

        The loop gain follows the delay that moves: ``10^(-3 m / (fs T))`` for a line of reverberation time T.
        """
        slope = tiled(self.slopes, len(free["decay"]))
        if delays_samples is None:
            low, high = self.delay_range_samples
            delays, gain = _Lines.apply(
                free["delay"], free["decay"], low, high / low, slope.to(free["decay"])
            )  # type: ignore[no-untyped-call]
        else:
            delays = delays_samples
            gain = torch.exp(slope.to(delays) * delays * _relative_decay(free["decay"]))
        return Network(
            feedback_matrix=orthogonal(free["matrix"]),
            loop_gain=gain,
            delays_samples=delays,
            input_gains=free["input"],
            output_gains=free["output"],
            direct_gains=free["direct"].abs(),
            whole=delays_samples is not None,
        )


def _relative_decay(free: Tensor) -> Tensor:
    """How many times faster than the target each line decays, within the span on either side."""
    return torch.exp(torch.tanh(free / _SPAN) * -_SPAN)


@dataclass(frozen=True)
class HomogeneousModel(Mapped[HomogeneousMap]):
    """What a room's network starts from, and how it becomes the contract.

    Attributes
    ----------
    sample_rate_hz : float
    reverberation_time_s : float
        Of the target: the scale on which the lines' own reverberation times are learned.
    lines, inputs, outputs : int
    """

    sample_rate_hz: float
    reverberation_time_s: float
    lines: int
    inputs: int = 1
    outputs: int = 1

    @property
    def options(self) -> Homogeneous:
        """What was asked for, as it was settled."""
        return Homogeneous(lines=self.lines)

    @property
    def rates(self) -> Mapping[str, float]:
        """Learning rate of each parameter group relative to the fit's own."""
        return _RATES

    @property
    def warnings(self) -> tuple[str, ...]:
        """None: six lines are the paper's choice."""
        return ()

    @property
    def kind(self) -> Hashable:
        """Models that agree in it can be put side by side."""
        return (type(self), self.sample_rate_hz, self.lines, self.inputs, self.outputs)

    def stack(self, others: Sequence[HomogeneousModel], device: torch.device) -> HomogeneousMap:
        """How networks of this room and of others of its kind come about."""
        times = [one.reverberation_time_s for one in (self, *others)]
        slopes = [[-3 * math.log(10) / (self.sample_rate_hz * time_s)] for time_s in times]
        return HomogeneousMap(
            self.delay_range_samples(), torch.tensor(slopes, dtype=torch.float64, device=device)
        )

    def delay_range_samples(self) -> tuple[float, float]:
        """Shortest and longest delay that `delays` can reach."""
        shortest = max(2.0, SHORTEST_DELAY_S * self.sample_rate_hz)
        return shortest, max(LONGEST_DELAY_S * self.sample_rate_hz, 2 * shortest)

    @shapes_checked
    def free_delays(self, delays_samples: Float[Tensor, "batch lines"]) -> Float[Tensor, "batch lines"]:
        """Inverse of `delays`."""
        low, high = self.delay_range_samples()
        share = torch.log(delays_samples / low) / math.log(high / low)
        return torch.logit(share.clamp(1e-4, 1 - 1e-4))

    @shapes_checked
    def line_times_s(self, free: Float[Tensor, "batch lines"]) -> Float[Tensor, "batch lines"]:
        """Reverberation time of each line."""
        return self.reverberation_time_s / _relative_decay(free)

    @shapes_checked
    def draw(
        self, generator: torch.Generator, direct: Float[Tensor, "outputs inputs"], starts: int
    ) -> dict[str, Float[Tensor, "starts ..."]]:
        """Random starts: mixing and gains Gaussian, delays log-uniform from 3 ms, decay of the target."""
        n = self.lines

        def normal(*shape: int) -> Tensor:
            return torch.randn(starts, *shape, generator=generator)

        low, high = self.delay_range_samples()
        low = min(max(0.003 * self.sample_rate_hz, low), high / 2)
        spread = torch.rand(starts, n, generator=generator)
        return {
            "matrix": normal(n, n),
            "delay": self.free_delays(low * torch.exp(math.log(high / low) * spread)),
            "decay": torch.zeros(starts, n),
            "input": normal(n, self.inputs) / math.sqrt(n),
            "output": normal(self.outputs, n) / math.sqrt(n),
            "direct": direct.expand(starts, self.outputs, self.inputs).clone(),
        }

    @shapes_checked
    def fdn_fields(
        self, free: Mapping[str, Float[Tensor, "batch ..."]], network: Network
    ) -> Mapping[str, Any]:
        """The gains of the lines, of the first network of a batch."""
        return {"absorption": PerLineGain(gains=tuple(network.loop_gain[0].tolist()))}


def homogeneous_for(target: Target, options: Homogeneous | None = None) -> HomogeneousModel:
    """The model for a target."""
    options = options or Homogeneous()
    return HomogeneousModel(
        sample_rate_hz=float(target.sample_rate_hz),
        reverberation_time_s=target.reverberation_time_s,
        lines=options.lines or Homogeneous().lines,
        outputs=target.samples.shape[0],
    )
