"""The recent past of the input as one contiguous stretch, so that every delayed read is a plain slice."""

from __future__ import annotations

import numpy as np

from fdnlearn.base.types import AudioArray, Float, Float64, FloatArray, shapes_checked


class History:
    """Keeps the last `length` samples of every channel before the newest block.

    Parameters
    ----------
    channels, length : int
    """

    def __init__(self, channels: int, length: int) -> None:
        self._length = length
        # moving the past to the front once per `length` new samples costs O(1) a sample
        self._buffer = np.zeros((channels, 2 * length + 8192))
        self._end = length

    @shapes_checked
    def append(
        self, block: Float[AudioArray, "channels samples"]
    ) -> tuple[Float64[FloatArray, "channels buffer"], int]:
        """Add a block; return the buffer and where the block starts in it, `length` samples of past before it."""
        count = block.shape[1]
        if self._end + count > self._buffer.shape[1]:
            past = self._buffer[:, self._end - self._length : self._end].copy()
            if self._length + count > self._buffer.shape[1]:
                self._buffer = np.zeros((past.shape[0], 2 * self._length + count))
            self._buffer[:, : self._length] = past
            self._end = self._length
        start = self._end
        self._buffer[:, start : start + count] = block
        self._end += count
        return self._buffer, start

    def reset(self) -> None:
        """Back to silence."""
        self._buffer.fill(0.0)
        self._end = self._length
