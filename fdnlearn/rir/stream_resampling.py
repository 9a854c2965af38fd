"""The rate of a signal that comes in pieces, in bounded memory whatever the ratio of the rates.

The filter is that of `fdnlearn.rir.resampling`. Its taps are not held as one prototype, of which two unrelated rates
need twenty million, but made for a few dozen neighbouring outputs at a time and applied to many periods of the ratio at
once, as a product of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.rir.resampling import PASS_BAND, STOP_BAND_DB, factors, half_length

#: A block covers this many samples of the faster side, but at least so many periods of the ratio: each period uses the
#: same taps.
_BLOCK_SAMPLES, _LEAST_PERIODS = 1 << 15, 16
#: Neighbouring outputs that share a matrix of taps.
_TOGETHER = 32
#: OpenBLAS gives products of more multiplications to several threads, which wait for each other by spinning: on a busy
#: machine thirty times as long as the products take.
_ONE_THREAD = 1 << 18
#: Tables of taps that together take no more are kept from block to block.
_KEPT_BYTES = 1 << 25


class StreamResampler:
    """Convert the rate piece by piece.

    Pieces of any size give the same samples bit for bit: they are gathered to blocks whose size depends on the rates
    alone.

    Parameters
    ----------
    source_hz, target_hz : int
    channels : int
    """

    # The window begins `reach` samples before the first that is due, which are zeros at first. `rows` periods are one
    # product of matrices.
    def __init__(self, source_hz: int, target_hz: int, channels: int) -> None:
        self._up, self._down = up, down = factors(source_hz, target_hz)
        self._half = half_length(max(up, down))
        self._reach = self._half // up + 1
        width = 2 * self._reach + 1 + _TOGETHER * down // up
        self._rows = max(1, _ONE_THREAD // (width * _TOGETHER))
        periods = max(_LEAST_PERIODS, _BLOCK_SAMPLES // max(up, down))
        periods += -periods % self._rows
        self._periods, self._step = periods, periods * down
        self._window = self._step + 2 * self._reach + 1
        self._buffer = np.zeros((channels, self._window))
        self._filled, self._taken, self._given = self._reach, 0, 0
        self._groups = [(first, min(first + _TOGETHER, up)) for first in range(0, up, _TOGETHER)]
        self._kept: dict[int, FloatArray] | None = {} if 8 * up * width <= _KEPT_BYTES else None

    def process(self, piece: Float64[FloatArray, "channels samples"]) -> Iterator[FloatArray]:
        """Take a piece; give what is complete, blocks of shape (channels, n)."""
        at = 0
        self._taken += piece.shape[1]
        while at < piece.shape[1]:
            count = min(piece.shape[1] - at, self._window - self._filled)
            self._buffer[:, self._filled : self._filled + count] = piece[:, at : at + count]
            self._filled += count
            at += count
            if self._filled == self._window:
                yield self._block()

    def finish(self) -> Iterator[FloatArray]:
        """The rest, after the last piece: ``ceil(taken * target / source)`` samples in all."""
        total = -(-self._taken * self._up // self._down)
        while self._given < total:
            self._buffer[:, self._filled :] = 0.0
            left = total - self._given
            yield self._block()[:, :left]

    def _block(self) -> FloatArray:
        """Resample the window and move on by a block."""
        channels = len(self._buffer)
        out = np.empty((channels, self._periods, self._up))
        for first, last in self._groups:
            start = first * self._down // self._up
            taps = self._taps(first, last)
            windows = np.lib.stride_tricks.sliding_window_view(self._buffer[:, start:], len(taps), axis=1)
            rows = windows[:, : self._step : self._down].reshape(channels, -1, self._rows, len(taps))
            out[:, :, first:last] = (rows @ taps).reshape(channels, self._periods, -1)
        self._buffer[:, : self._window - self._step] = self._buffer[:, self._step :].copy()
        self._filled = self._window - self._step
        self._given += out[0].size
        return out.reshape(channels, -1)

    def _taps(self, first: int, last: int) -> FloatArray:
        """Filter taps of outputs `first` to `last` of a period, a column each (inputs, outputs)."""
        if self._kept is not None and first in self._kept:
            return self._kept[first]
        from scipy.signal import kaiser_beta
        from scipy.special import i0

        up, down = self._up, self._down
        start = first * down // up
        inputs = np.arange(start - self._reach, (last - 1) * down // up + self._reach + 1)
        # In whole steps of the common multiple of both rates.
        steps = np.arange(first, last) * down - inputs[:, None] * up
        inside = np.maximum(1.0 - np.square(steps / self._half), 0.0)
        beta, cutoff = kaiser_beta(STOP_BAND_DB), (1.0 + PASS_BAND) / (2.0 * max(up, down))
        taps: FloatArray = np.sinc(cutoff * steps) * i0(beta * np.sqrt(inside)) * (up * cutoff / i0(beta))
        taps[np.abs(steps) > self._half] = 0.0
        if self._kept is not None:
            self._kept[first] = taps
        return taps


@shapes_checked
def resampled(
    pieces: Iterator[Float64[FloatArray, "channels samples"]], source_hz: int, target_hz: int, channels: int
) -> Iterator[FloatArray]:
    """Pieces of a signal at another rate; as they are where it is the same."""
    if source_hz == target_hz:
        yield from pieces
        return
    resampler = StreamResampler(source_hz, target_hz, channels)
    for piece in pieces:
        yield from resampler.process(piece)
    yield from resampler.finish()
