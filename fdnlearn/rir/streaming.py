"""Reading a long recording piece by piece."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import FloatArray
from fdnlearn.rir.audio_file import AudioFile
from fdnlearn.rir.limits import check_file
from fdnlearn.rir.reading import read_recording

#: Samples read at once, all channels together.
PIECE_SAMPLES = 1 << 17


@dataclass(frozen=True)
class StreamedRecording:
    """A recording whose samples come in pieces, once and in order.

    Attributes
    ----------
    name : str
        File name without its folder.
    sample_rate_hz, channels, frames : int
    warnings : tuple of str
        What is wrong with the file, and what was done about it.
    pieces : iterator of ndarray, shape (channels, n), float64
        Checked to be finite.
    """

    name: str
    sample_rate_hz: int
    channels: int
    frames: int
    warnings: tuple[str, ...]
    pieces: Iterator[FloatArray]


@contextmanager
def streamed_recording(path: str | Path, *, longest_s: float) -> Iterator[StreamedRecording]:
    """Open a file that `fdnlearn.rir.reading.read_recording` reads, its samples to be read within the context.

    Parameters
    ----------
    path : str or Path
    longest_s : float
        A longer file is refused before it is read.

    Raises
    ------
    FdnlearnError
        As `read_recording`; what is wrong with the sound itself is met while it is read.
    """
    path = Path(path)
    check_file(path)
    if path.suffix.lower() == ".sofa":
        # Impulse responses, which are short.
        whole = read_recording(path)
        channels, frames = whole.samples.shape
        pieces = _finite(iter((whole.samples,)), path)
        yield StreamedRecording(whole.name, whole.sample_rate_hz, channels, frames, whole.warnings, pieces)
        return
    with AudioFile(path, longest_s, math.inf) as file:
        pieces = _finite(_pieces(file), path)
        yield StreamedRecording(
            path.name, file.sample_rate_hz, file.channels, file.frames, file.warnings, pieces
        )


def _pieces(file: AudioFile) -> Iterator[FloatArray]:
    size = max(1, PIECE_SAMPLES // file.channels)
    for start in range(0, file.frames, size):
        yield file.read(min(size, file.frames - start))


def _finite(pieces: Iterator[FloatArray], path: Path) -> Iterator[FloatArray]:
    for piece in pieces:
        if not np.isfinite(piece).all():
            raise FdnlearnError(str(path), "holds NaN or infinite samples", "export the recording again")
        yield piece
