"""Reading a long recording piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import FloatArray
from fdnlearn.rir.reading import check_file, opened_sound, read_recording

#: Frames read at once.
PIECE_FRAMES = 1 << 16


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
    subject = str(path)
    check_file(path)
    if path.suffix.lower() == ".sofa":
        # Impulse responses, which are short.
        whole = read_recording(path)
        channels, frames = whole.samples.shape
        pieces = _checked(iter((whole.samples,)), subject)
        yield StreamedRecording(whole.name, whole.sample_rate_hz, channels, frames, whole.warnings, pieces)
        return
    largest = int(longest_s * 2**31)
    try:
        with opened_sound(path, subject, longest_s, largest) as sound:
            if not sound.frames:
                raise FdnlearnError(subject, "holds no samples", "export or record it again")
            counts = (min(PIECE_FRAMES, sound.frames - at) for at in range(0, sound.frames, PIECE_FRAMES))
            pieces = _checked((sound.read(count) for count in counts), subject)
            yield StreamedRecording(
                path.name, sound.sample_rate_hz, sound.channels, sound.frames, sound.warnings, pieces
            )
    except PermissionError as error:
        if error.filename != subject:
            raise
        raise FdnlearnError(subject, f"cannot be read ({error.strerror})", "check its permissions") from None


def _checked(pieces: Iterator[FloatArray], subject: str) -> Iterator[FloatArray]:
    for piece in pieces:
        if not np.isfinite(piece).all():
            raise FdnlearnError(subject, "holds NaN or infinite samples", "export the recording again")
        yield piece
