"""What the banded model takes from a recording: its head, and taps from there to when the room has mixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fdnlearn.acoustics.onset import find_direct, find_onset
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
from fdnlearn.rir.target import Target

#: Taps that are the strongest reflections.
_TAPS = 200
#: Nothing else within this time of such a tap, and half of it is what the tap may move.
_TAP_DISTANCE_S = 1.2e-4
#: So long after the direct sound's peak the head goes on.
HEAD_S = 10e-3


@shapes_checked
@dataclass(frozen=True)
class Early:
    """Taps of every output, the head's first: where they start and how far they may go.

    Attributes
    ----------
    positions : ndarray of int, shape (O, P)
        Samples after the head's first, ascending.
    gains : ndarray, shape (O, P)
    reach_samples : ndarray, shape (O, P)
        How far each may move; nowhere onto another.
    kept : ndarray of bool, shape (O, P)
        Taps whose gains stay as they were measured: the head's, and those of a measured early part.
    head_samples : int
        Length of the head, whose samples are as many of the taps.
    direct_samples : int
        Where in the head the direct sound has its peak.
    measured : bool
        Whether the taps are the recording's own early part, sample for sample, and stay as they are.
    """

    positions: Int64[IntArray, "outputs taps"]
    gains: Float64[FloatArray, "outputs taps"]
    reach_samples: Float64[FloatArray, "outputs taps"]
    kept: Bool[BoolArray, "outputs taps"]
    head_samples: int
    direct_samples: int
    measured: bool = False

    def taps(self, device: torch.device) -> Taps:
        """As tensors, of one room."""
        arrays = (self.positions, self.gains, self.reach_samples, self.kept)
        return Taps(*(torch.from_numpy(x)[None].to(device) for x in arrays))

    @shapes_checked
    def fields(
        self, places: Int64[IntArray, "outputs taps"], gains: Float64[FloatArray, "outputs taps"]
    ) -> dict[str, Any]:
        """The contract's head and early part: of every output, whole places (O, P) and gains (O, P)."""
        write = _dense if self.measured else _sparse
        head = self.head_samples
        early = zip((places[:, head:] - self.direct_samples).tolist(), gains[:, head:].tolist(), strict=True)
        return {
            "version": 2,
            "head": [
                {"output": output, "input": 0, "coefficients": path}
                for output, path in enumerate(gains[:, :head].tolist())
            ],
            "direct_peak_samples": self.direct_samples,
            "early": [
                {"output": output, "input": 0, **write(positions, path)}
                for output, (positions, path) in enumerate(early)
                if positions
            ],
        }


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
        """These taps and those of other rooms; who has fewer gets silent ones, on the first sample."""

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


class Picked(NamedTuple):
    """Taps behind the head as an `EarlyKind` picks them, each (channels, P)."""

    positions: IntArray
    gains: FloatArray
    reach_samples: FloatArray


@shapes_checked
def early_part(target: Target, kind: EarlyKind, stop: int) -> Early:
    """The head of a target, and behind it taps of a kind up to sample `stop`."""
    fs, samples = target.sample_rate_hz, target.samples
    latest = max(find_direct(h, find_onset(h), fs) for h in samples)
    head = min(latest + round(HEAD_S * fs) + 1, samples.shape[1])
    picked = kind.taps(samples, fs, head, min(max(stop, head), samples.shape[1]))
    own = np.tile(np.arange(head), (samples.shape[0], 1))
    return Early(
        positions=np.concatenate((own, picked.positions), axis=1),
        gains=np.concatenate((samples[:, :head], picked.gains), axis=1),
        reach_samples=np.concatenate((np.zeros(own.shape), picked.reach_samples), axis=1),
        kept=np.concatenate(
            (np.ones(own.shape, bool), np.full(picked.positions.shape, kind.measured)), axis=1
        ),
        head_samples=head,
        direct_samples=target.direct_samples,
        measured=kind.measured,
    )


@shapes_checked
def sparse_taps(
    samples: Float64[FloatArray, "channels samples"], sample_rate_hz: float, start: int, stop: int
) -> Picked:
    """The strongest samples of each channel from `start` to `stop`, all apart: positions, gains and reaches."""
    apart = max(1, round(_TAP_DISTANCE_S * sample_rate_hz))
    count = max(0, min(_TAPS, (stop - start) // (2 * apart + 1)))
    positions = np.zeros((samples.shape[0], count), dtype=np.int64)
    for channel, h in enumerate(samples):
        left = np.abs(h[:stop]).copy()
        left[:start] = -1.0
        for index in range(count):
            at = int(np.argmax(left))
            positions[channel, index] = at
            left[max(0, at - apart) : at + apart + 1] = -1.0
    positions.sort(axis=1)
    reach = np.where(positions >= start + apart, apart / 2.0 - 0.5, 0.0)
    return Picked(positions, np.take_along_axis(samples, positions, axis=1), np.maximum(reach, 0.0))


@shapes_checked
def measured_taps(
    samples: Float64[FloatArray, "channels samples"], sample_rate_hz: float, start: int, stop: int
) -> Picked:
    """Every sample of each channel from `start` to `stop`, faded out over the last third of the time until then."""
    fade = np.ones(stop)
    last = min(stop // 3, stop - start)
    fade[stop - last :] = 0.5 + 0.5 * np.cos(np.pi * (np.arange(last) + 0.5) / max(last, 1))
    positions = np.tile(np.arange(start, stop), (samples.shape[0], 1))
    return Picked(positions, (samples[:, :stop] * fade)[:, start:], np.zeros(positions.shape))


@shapes_checked
def no_taps(
    samples: Float64[FloatArray, "channels samples"], sample_rate_hz: float, start: int, stop: int
) -> Picked:
    """No taps."""
    none = np.zeros((samples.shape[0], 0))
    return Picked(none.astype(np.int64), none, none)


@dataclass(frozen=True)
class EarlyKind:
    """A kind of early part.

    Attributes
    ----------
    taps : callable
        ``taps(samples (channels, n), sample_rate_hz, start, stop) -> Picked``
    begin : float
        Where the network itself begins, as a share of the early part: it may while the taps go on, or where it leaves
        off at the recording's own early part.
    measured : bool
        Whether the taps are the recording's own samples, one after the other, and stay as they are.
    """

    taps: Callable[[FloatArray, float, int, int], Picked]
    begin: float
    measured: bool = False


#: What `options.EARLY` names.
EARLY: Mapping[str, EarlyKind] = {
    "sparse": EarlyKind(sparse_taps, 0.5),
    "measured": EarlyKind(measured_taps, 0.8, measured=True),
    "none": EarlyKind(no_taps, 0.0),
}
