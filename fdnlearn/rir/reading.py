"""Reading a recording from disk, in any format of `fdnlearn.base.formats`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.formats import NAMES, is_lossy, is_read
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.rir.headers import AGAIN, whole_sound
from fdnlearn.rir.limits import LARGEST_SAMPLES, LONGEST_S, check_size
from fdnlearn.rir.sofa import read_sofa

#: libsndfile's words -> what they mean.
_IN_OTHER_WORDS = {"SF_INFO struct incomplete": "impossible sample rate, length or number of channels"}
_CODED = "The recording is coded with loss"
_NOT_AUDIO = f"give a {NAMES} file"


@shapes_checked
@dataclass(frozen=True)
class Recording:
    """A file's samples and what identifies it.

    Attributes
    ----------
    name : str
        File name without its folder.
    sha256 : str
        Hash of the file's bytes, hexadecimal.
    sample_rate_hz : int
    samples : ndarray, shape (channels, n), float64
        Full scale is 1. For SOFA the channels are measurements times receivers times emitters,
        emitters running fastest.
    encoding : str
        Human description of the file's format.
    warnings : tuple of str
        What is wrong with the file, and what was done about it.
    """

    name: str
    sha256: str
    sample_rate_hz: int
    samples: Float64[FloatArray, "channels samples"]
    encoding: str
    warnings: tuple[str, ...] = ()


def read_recording(path: str | Path, *, longest_s: float = LONGEST_S) -> Recording:
    """Read all channels of a file.

    Parameters
    ----------
    path : str or Path
    longest_s : float
        A longer file is refused before it is read; by default what an impulse response can be.

    Returns
    -------
    Recording

    Raises
    ------
    FdnlearnError
        If the file is missing, no file, empty, truncated, no audio, too long, or without samples.
    """
    path = Path(path)
    subject = str(path)
    check_file(path)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(subject, error) from None
    read = read_sofa if path.suffix.lower() == ".sofa" else _read_audio
    samples, sample_rate_hz, encoding, told = read(path, subject, longest_s)
    if samples.shape[1] == 0:
        raise FdnlearnError(subject, "holds no samples", "export or record it again")
    return Recording(path.name, sha256, sample_rate_hz, samples, encoding, told)


def check_file(path: Path) -> None:
    """Refuse what is no file that holds something.

    Raises
    ------
    FdnlearnError
    """
    subject = str(path)
    if path.is_dir():
        raise FdnlearnError(subject, "is a folder", "give one recording")
    if not path.exists():
        raise FdnlearnError(subject, "does not exist", "check the path")
    if not path.is_file():
        raise FdnlearnError(subject, "is not a regular file", "copy the recording to a file first")
    try:
        empty = path.stat().st_size == 0
    except OSError as error:
        raise _unreadable(subject, error) from None
    if empty:
        raise FdnlearnError(subject, "is empty", AGAIN)


def _unreadable(subject: str, error: OSError) -> FdnlearnError:
    return FdnlearnError(subject, f"cannot be read ({error.strerror})", "check its permissions")


@dataclass(frozen=True)
class Sound:
    """An audio file that is open, its sound not read yet.

    Attributes
    ----------
    file : soundfile.SoundFile
    frames, channels, sample_rate_hz : int
    encoding : str
    warnings : tuple of str
    subject : str
        File that an error is about.
    """

    file: Any
    frames: int
    channels: int
    sample_rate_hz: int
    encoding: str
    warnings: tuple[str, ...]
    subject: str

    def read(self, frames: int) -> FloatArray:
        """The next `frames` (channels, frames).

        Raises
        ------
        FdnlearnError
            If there are fewer.
        """
        samples = self.file.read(frames, dtype="float64", always_2d=True).T
        if samples.shape[1] < frames:
            held = self.file.tell()
            raise FdnlearnError(self.subject, f"is truncated ({held} of {self.frames} frames)", AGAIN)
        return np.ascontiguousarray(samples)


@contextmanager
def opened_sound(
    path: Path, subject: str, longest_s: float, largest_samples: int = LARGEST_SAMPLES
) -> Iterator[Sound]:
    """An audio file, to be read within the context.

    Raises
    ------
    FdnlearnError
        If it is no audio, too long, or, while it is read, truncated or damaged.
    """
    import soundfile

    opened = False
    try:
        # Opened by Python: libsndfile refuses names that are no UTF-8.
        with path.open("rb") as stream:
            whole, told = whole_sound(stream, subject)
            with soundfile.SoundFile(whole) as file:
                opened = True
                if not is_read(file.format):
                    raise FdnlearnError(subject, f"is {file.format}, which is not read", _NOT_AUDIO)
                frames, channels, rate = int(file.frames), int(file.channels), int(file.samplerate)
                check_size(subject, frames, channels, rate, longest_s, largest_samples)
                encoding = f"{file.format} {file.subtype}"
                if is_lossy(file.subtype):
                    told += (f"{_CODED} ({encoding}): its decay and noise are in part the coder's.",)
                yield Sound(file, frames, channels, rate, encoding, told, subject)
    except soundfile.SoundFileError as error:
        problem = str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
        problem = _IN_OTHER_WORDS.get(problem, problem)
        if opened:
            raise FdnlearnError(subject, f"is truncated or damaged ({problem})", AGAIN) from None
        raise FdnlearnError(subject, f"is not a readable audio file ({problem})", _NOT_AUDIO) from None


def _read_audio(path: Path, subject: str, longest_s: float) -> tuple[FloatArray, int, str, tuple[str, ...]]:
    """Samples (channels, n), rate and description of an audio file, and what is wrong with it."""
    with opened_sound(path, subject, longest_s) as sound:
        return sound.read(sound.frames), sound.sample_rate_hz, sound.encoding, sound.warnings
