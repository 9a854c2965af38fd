"""Reading a recording from disk: WAV, FLAC, AIFF and whatever else libsndfile knows, and SOFA."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: An impulse response is shorter than this; a longer file is music, or a header that lies.
LONGEST_S = 180.0
#: All channels together; beyond it reading needs gigabytes.
LARGEST_SAMPLES = 200_000_000
_AGAIN = "export or download the recording again"
_NOT_AUDIO = "give a WAV, FLAC, AIFF or SOFA file"
#: A WAV written to a pipe cannot know its length and says this instead.
_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0xFFFFFFFF)


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
        Full scale is 1. For SOFA the channels are measurements times receivers, receivers running fastest.
    encoding : str
        Human description of the file's format.
    """

    name: str
    sha256: str
    sample_rate_hz: int
    samples: Float64[FloatArray, "channels samples"]
    encoding: str


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
    if path.is_dir():
        raise FdnlearnError(subject, "is a folder", "give one recording")
    if not path.exists():
        raise FdnlearnError(subject, "does not exist", "check the path")
    if not path.is_file():
        raise FdnlearnError(subject, "is not a regular file", "copy the recording to a file first")
    try:
        if path.stat().st_size == 0:
            raise FdnlearnError(subject, "is empty", _AGAIN)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FdnlearnError(subject, f"cannot be read ({error.strerror})", "check its permissions") from None
    read = _read_sofa if path.suffix.lower() == ".sofa" else _read_audio
    samples, sample_rate_hz, encoding = read(path, subject, longest_s)
    if samples.shape[1] == 0:
        raise FdnlearnError(subject, "holds no samples", "export or record it again")
    return Recording(path.name, sha256, sample_rate_hz, samples, encoding)


def _read_audio(path: Path, subject: str, longest_s: float) -> tuple[FloatArray, int, str]:
    """Samples (channels, n), rate and description of an audio file."""
    import soundfile

    missing = _missing_bytes(path)
    if missing:
        raise FdnlearnError(subject, f"is truncated ({missing} bytes are missing)", _AGAIN)
    opened = False
    try:
        # Opened by Python: libsndfile refuses names that are no UTF-8.
        with path.open("rb") as stream, soundfile.SoundFile(stream) as file:
            opened = True
            frames, channels, rate = int(file.frames), int(file.channels), int(file.samplerate)
            _check_size(subject, frames, channels, rate, longest_s)
            samples = file.read(frames, dtype="float64", always_2d=True).T
            encoding = f"{file.format} {file.subtype}"
    except soundfile.SoundFileError as error:
        problem = str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
        if opened:
            raise FdnlearnError(subject, f"is damaged ({problem})", _AGAIN) from None
        raise FdnlearnError(subject, f"is not a readable audio file ({problem})", _NOT_AUDIO) from None
    if samples.shape[1] < frames:
        raise FdnlearnError(subject, f"is truncated ({samples.shape[1]} of {frames} frames)", _AGAIN)
    return np.ascontiguousarray(samples), rate, encoding


def _read_sofa(path: Path, subject: str, longest_s: float) -> tuple[FloatArray, int, str]:
    """Samples (measurements * receivers, n), rate and convention of a SOFA file (AES69)."""
    import sofar

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sofa = sofar.read_sofa(str(path), verify=False, verbose=False)
        data = np.asarray(sofa.Data_IR, dtype=np.float64)
        rates = np.unique(np.asarray(sofa.Data_SamplingRate, dtype=np.float64))
        convention = str(sofa.GLOBAL_SOFAConventions)
    except AttributeError:
        raise FdnlearnError(subject, "holds no impulse responses in the time domain", _NOT_AUDIO) from None
    # sofar, netCDF4 and HDF5 each raise their own on a file that is not SOFA.
    except Exception as error:
        raise FdnlearnError(
            subject, f"is not a readable SOFA file ({type(error).__name__})", _NOT_AUDIO
        ) from None
    if rates.size != 1 or not rates[0] > 0.0 or rates[0] != round(float(rates[0])):
        raise FdnlearnError(subject, "has no single whole sample rate", "export one rate to WAV")
    samples = np.ascontiguousarray(data.reshape(-1, data.shape[-1]))
    _check_size(subject, samples.shape[1], samples.shape[0], int(rates[0]), longest_s)
    return samples, int(rates[0]), f"SOFA {convention}"


def _check_size(subject: str, frames: int, channels: int, sample_rate_hz: int, longest_s: float) -> None:
    """Refuse what is too long before reading it."""
    if sample_rate_hz <= 0:
        raise FdnlearnError(subject, f"claims a sample rate of {sample_rate_hz} Hz", "export it again")
    if frames > longest_s * sample_rate_hz or frames * channels > LARGEST_SAMPLES:
        raise FdnlearnError(
            subject,
            f"is {frames / sample_rate_hz:.0f} s of {channels} channels, too long",
            f"cut it to what is needed (an impulse response: at most {LONGEST_S:.0f} s)",
        )


def _missing_bytes(path: Path) -> int:
    """Bytes that the sound data chunk of a WAV or AIFF file claims beyond the end of the file.

    libsndfile reads what there is and says nothing.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] in (b"RIFF", b"RIFX") and head[8:] == b"WAVE":
            order, sound_chunk = ("little" if head[:4] == b"RIFF" else "big"), b"data"
        elif head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
            order, sound_chunk = "big", b"SSND"
        else:
            return 0
        while len(chunk := file.read(8)) == 8:
            length = int.from_bytes(chunk[4:], order)  # type: ignore[arg-type]
            start = file.tell()
            if chunk[:4] == sound_chunk:
                return 0 if length in _UNKNOWN_SIZES else max(0, start + length - size)
            file.seek(start + length + length % 2)
    return 0
