"""Late parts of the channels of many rooms as those of one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fdnlearn.model.tiling import filled_up
from fdnlearn.ops.late_windows import LateWindows


def stack(windows: Sequence[LateWindows], channels: Sequence[int]) -> LateWindows:
    """The parts of several, the channels of each counted from its place in `channels` on."""
    return LateWindows(
        channel=tuple(
            first + own for one, first in zip(windows, channels, strict=True) for own in one.channel
        ),
        start=tuple(start for one in windows for start in one.start),
        taper=torch.cat(filled_up([one.taper for one in windows])),
        n_fft=tuple(n for one in windows for n in one.n_fft),
    )
