"""The early part of the banded model: taps between the direct sound and the time by which the room has mixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.types import (
    Bool,
    BoolArray,
    Float,
    Float64,
    FloatArray,
    Int64,
    IntArray,
    Shaped,
    shapes_checked,
)
from fdnlearn.model.tiling import filled_up, tiled

#: Taps that are the strongest reflections.
_TAPS = 200
#: Nothing else within this time of such a tap, and half of it is what the tap may move.
_TAP_DISTANCE_S = 1.2e-4
#: The direct sound has a colour: so long after its first sample every sample is a tap, and stays as it was recorded.
_DIRECT_S = 1.5e-3


@shapes_checked
@dataclass(frozen=True)
class Early:
    """Taps of every output, where they start and how far they may go.

    Attributes
    ----------
    positions : ndarray of int, shape (O, P)
        Samples after the direct sound, ascending.
    gains : ndarray, shape (O, P)
    reach_samples : ndarray, shape (O, P)
        How far each may move; nowhere onto another.
    kept : ndarray of bool, shape (O, P)
        Taps whose gains stay as they were measured: the direct sound's.
    measured : bool
        Whether the taps are the recording's own early part, sample for sample, and stay as they are.
    """

    positions: Int64[IntArray, "outputs taps"]
    gains: Float64[FloatArray, "outputs taps"]
    reach_samples: Float64[FloatArray, "outputs taps"]
    kept: Bool[BoolArray, "outputs taps"]
    measured: bool = False

    def taps(self, device: torch.device) -> Taps:
        """As tensors, of one room."""
        arrays = (self.positions, self.gains, self.reach_samples, self.kept)
        return Taps(*(torch.from_numpy(x)[None].to(device) for x in arrays))

    @shapes_checked
    def fields(
        self, places: Int64[IntArray, "outputs taps"], gains: Float64[FloatArray, "outputs taps"]
    ) -> list[dict[str, Any]]:
        """The contract's early part: of every output, whole places (O, P) and gains (O, P)."""
        write = _dense if self.measured else _sparse
        paths = zip(places.tolist(), gains.tolist(), strict=True)
        return [
            {"output": output, "input": 0, **write(positions, path)}
            for output, (positions, path) in enumerate(paths)
            if positions
        ]


@shapes_checked
@dataclass(frozen=True, eq=False)
class Taps:
    """The early parts of R rooms as tensors (R, O, P); see `Early`.

    Free parameters of more than P taps may be given: the rest are those of rooms beside, which have more.
    """

    positions: Int64[Tensor, "rooms outputs taps"]
    gains: Float[Tensor, "rooms outputs taps"]
    reach_samples: Float[Tensor, "rooms outputs taps"]
    kept: Bool[Tensor, "rooms outputs taps"]

    @shapes_checked
    def heard(self, free: Float[Tensor, "batch outputs free_taps"]) -> Float[Tensor, "batch outputs taps"]:
        """Gains (B, O, P) of free parameters, network b being one of room ``b % R``."""
        free = free[..., : self.gains.shape[-1]]
        kept, start = (tiled(x, len(free)) for x in (self.kept, self.gains))
        return torch.where(kept, start.to(free), free)

    @shapes_checked
    def places(
        self, free: Float[Tensor, "batch outputs free_taps"], *, whole: bool
    ) -> Shaped[Tensor, "batch outputs taps"]:
        """Positions (B, O, P) in samples; whole ones carry no gradient."""
        free = free[..., : self.gains.shape[-1]]
        start, reach = (tiled(x, len(free)) for x in (self.positions, self.reach_samples))
        moved = start + reach.to(free) * torch.tanh(free)
        return moved.round().long() if whole else moved

    def stack(self, others: Sequence[Taps]) -> Taps:
        """These taps and those of other rooms; who has fewer gets silent ones, on the direct sound."""

        def stacked(name: str, filling: float) -> Tensor:
            return torch.cat(filled_up([getattr(one, name) for one in (self, *others)], filling=filling))

        return Taps(
            stacked("positions", 0),
            stacked("gains", 0.0),
            stacked("reach_samples", 0.0),
            stacked("kept", True),
        )


def _sparse(positions: list[int], gains: list[float]) -> dict[str, Any]:
    taps = [{"samples": at, "gain": gain} for at, gain in zip(positions, gains, strict=True)]
    return {"kind": "sparse", "taps": taps}


def _dense(positions: list[int], gains: list[float]) -> dict[str, Any]:
    return {"kind": "fir", "coefficients": [0.0] * positions[0] + gains}


@shapes_checked
def sparse_early(samples: Float64[FloatArray, "channels samples"], sample_rate_hz: float, stop: int) -> Early:
    """The colour of each channel's direct sound, and from there to `stop` the strongest samples, all apart."""
    apart = max(1, round(_TAP_DISTANCE_S * sample_rate_hz))
    stop = min(stop, samples.shape[1])
    direct = max(0, min(round(_DIRECT_S * sample_rate_hz), stop - 1))
    count = max(0, min(_TAPS, (stop - 1 - direct) // (2 * apart + 1)))
    positions = np.zeros((samples.shape[0], direct + count), dtype=np.int64)
    positions[:, :direct] = np.arange(1, direct + 1)
    for channel, h in enumerate(samples):
        left = np.abs(h[:stop]).copy()
        left[: direct + 1] = -1.0
        for index in range(direct, direct + count):
            at = int(np.argmax(left))
            positions[channel, index] = at
            left[max(0, at - apart) : at + apart + 1] = -1.0
    positions.sort(axis=1)
    reach = np.where(positions > direct + apart, apart / 2.0 - 0.5, 0.0)
    gains = np.take_along_axis(samples, positions, axis=1)
    return Early(positions, gains, np.maximum(reach, 0.0), kept=positions <= direct)


@shapes_checked
def measured_early(
    samples: Float64[FloatArray, "channels samples"], sample_rate_hz: float, stop: int
) -> Early:
    """Every sample of each channel between the direct sound and `stop`, faded out over the last third."""
    stop = min(stop, samples.shape[1])
    fade = np.ones(stop)
    last = stop // 3
    fade[stop - last :] = 0.5 + 0.5 * np.cos(np.pi * (np.arange(last) + 0.5) / max(last, 1))
    positions = np.tile(np.arange(1, stop), (samples.shape[0], 1))
    gains = (samples[:, :stop] * fade)[:, 1:]
    everything = np.ones(positions.shape, dtype=bool)
    return Early(positions, gains, np.zeros(positions.shape), kept=everything, measured=True)


@shapes_checked
def no_early(samples: Float64[FloatArray, "channels samples"], sample_rate_hz: float, stop: int) -> Early:
    """No taps."""
    none = np.zeros((samples.shape[0], 0))
    return Early(none.astype(np.int64), none, none, kept=none.astype(bool))


@dataclass(frozen=True)
class EarlyKind:
    """A kind of early part.

    Attributes
    ----------
    taps : callable
        ``taps(samples (channels, n), sample_rate_hz, stop) -> Early``
    begin : float
        Where the network itself begins, as a share of the early part: it may while the taps go on, or where it leaves
        off at the recording's own early part.
    """

    taps: Callable[[FloatArray, float, int], Early]
    begin: float


#: What `options.EARLY` names.
EARLY: Mapping[str, EarlyKind] = {
    "sparse": EarlyKind(sparse_early, 0.5),
    "measured": EarlyKind(measured_early, 0.8),
    "none": EarlyKind(no_early, 0.0),
}
