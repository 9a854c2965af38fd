"""Reading a recording from disk, in any format of `fdnlearn.base.formats`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fdnlearn.base.files import reading
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.rir.audio_file import AudioFile
from fdnlearn.rir.limits import LONGEST_S, check_file
from fdnlearn.rir.sofa import read_sofa


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
    with reading(path), path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if path.suffix.lower() == ".sofa":
        samples, sample_rate_hz, encoding, told = read_sofa(path, subject, longest_s)
    else:
        with AudioFile(path, longest_s) as file:
            samples, sample_rate_hz = file.read(file.frames), file.sample_rate_hz
            encoding, told = file.encoding, file.warnings
    return Recording(path.name, sha256, sample_rate_hz, samples, encoding, told)
