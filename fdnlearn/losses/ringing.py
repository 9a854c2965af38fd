"""A term against ringing: lines of the late spectrum that stand out where the target's do not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fdnlearn.acoustics.ringing import PADDING, LateLines, excused, late_lines, windows_s
from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.losses import late_windows
from fdnlearn.losses.terms import weighted
from fdnlearn.model.tiling import filled_up
from fdnlearn.ops.late_windows import LateWindows
from fdnlearn.ops.ringing import RingingTarget, distance
from fdnlearn.rir.target import Target


def ringing_targets(target: Target) -> tuple[RingingTarget, ...]:
    """Prepare the late parts of a target, two a channel where its decay can be followed that far."""
    fs = float(target.sample_rate_hz)
    parts = [
        (channel, late_lines(window, fs))
        for channel, curve in enumerate(target.energy_decay)
        for window in windows_s(curve, fs, target.mixing_time_s, target.length_samples / fs)
    ]
    share = 1.0 / (100.0 * PADDING * max(len(parts), 1))
    return tuple(_part(target, channel, lines, share) for channel, lines in parts)


def _part(target: Target, channel: int, lines: LateLines, share: float) -> RingingTarget:
    bins = np.arange(lines.n_fft // 2 + 1)

    def one(row: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(row)[None]

    return RingingTarget(
        LateWindows((channel,), (lines.start,), one(lines.taper).float(), (lines.n_fft,)),
        own=one(lines.first + np.arange(lines.hz.size)),
        low=one(lines.low),
        high=one(lines.high),
        begin=one(np.searchsorted(lines.high, bins, side="right")),
        end=one(np.searchsorted(lines.low, bins, side="right")),
        counts=one(~excused(target.samples[channel], lines)).float(),
        share=torch.full((1, 1), share),
    )


def stack(rooms: Sequence[Sequence[RingingTarget]], channels: int) -> tuple[RingingTarget, ...]:
    """The parts of several rooms of so many channels as those of one target; none if none has any."""
    parts = [(room, target) for room, targets in enumerate(rooms) for target in targets]
    if not parts:
        return ()
    targets = [target for _, target in parts]
    windows = late_windows.stack(
        [target.windows for target in targets], [channels * room for room, _ in parts]
    )

    def stacked(name: str) -> Tensor:
        return torch.cat(filled_up([getattr(target, name) for target in targets]))

    # Of each part a row with its weight in the column of its room.
    share = torch.cat(
        [torch.nn.functional.pad(target.share, (room, len(rooms) - 1 - room)) for room, target in parts]
    )
    # Of a line that fills up, the third of an octave is one bin, for it is divided by.
    high = stacked("high").clamp_min(1)
    return (
        RingingTarget(
            windows,
            stacked("own"),
            stacked("low"),
            high,
            stacked("begin"),
            stacked("end"),
            stacked("counts"),
            share,
        ),
    )


@shapes_checked
def ringing_distance(
    h: Float[Tensor, "batch channels samples"], targets: Sequence[RingingTarget], rooms: int = 1
) -> Float[Tensor, "batch rooms"]:
    """Sum over lines of (dB above `FREE_DB`)^2 / 100, averaged over the parts of a room, (S, rooms).

    Of responses h (S, channels, n), the channels those of all rooms, room by room.
    """
    total = h.new_zeros(h.shape[0], rooms)
    for target in targets:
        total = total + distance(h, target)
    return total


@dataclass(frozen=True, eq=False)
class RingingTerm:
    """Lines that stand out of the late spectra; a `fdnlearn.losses.terms.Term`.

    Attributes
    ----------
    targets : tuple of RingingTarget
    channels : int
        Of a room.
    rooms : int
    """

    targets: tuple[RingingTarget, ...]
    channels: int
    rooms: int = 1

    #: What a response has not is silence.
    length_samples = 0

    @property
    def kind(self) -> Hashable:
        """Terms that agree in it can be stacked."""
        return self.channels

    def stack(self, others: Sequence[RingingTerm]) -> RingingTerm:
        """The term of this room and of others of its kind."""
        every = (self, *others)
        return RingingTerm(stack([one.targets for one in every], self.channels), self.channels, len(every))

    @shapes_checked
    def compare(
        self, rows: Float[Tensor, "batch channels samples"], weights: Mapping[str, float]
    ) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
        """Mean over the parts of a room."""
        return weighted("ringing", ringing_distance(rows, self.targets, self.rooms), weights)


def ringing_term(target: Target) -> RingingTerm:
    """Prepare the late parts of a target."""
    return RingingTerm(ringing_targets(target), len(target.samples))
