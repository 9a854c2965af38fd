"""Reading a recording from disk, in any format of `fdnlearn.base.formats`."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.formats import NAMES, is_lossy, is_read
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.rir.containers import LARGEST_BYTES
from fdnlearn.rir.headers import AGAIN, whole_sound

#: An impulse response is shorter than this; a longer file is music, or a header that lies.
LONGEST_S = 180.0
#: All channels together; beyond it reading needs gigabytes.
LARGEST_SAMPLES = LARGEST_BYTES // 8
#: libsndfile's words -> what they mean.
_IN_OTHER_WORDS = {"SF_INFO struct incomplete": "impossible sample rate, length or number of channels"}
_CODED = "The recording is coded with loss"
_NOT_AUDIO = f"give a {NAMES} file"
#: Rates of anything that has been recorded, from slowed scale models to ultrasound.
_RATES_HZ = (1000, 2_000_000)


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
    if path.is_dir():
        raise FdnlearnError(subject, "is a folder", "give one recording")
    if not path.exists():
        raise FdnlearnError(subject, "does not exist", "check the path")
    if not path.is_file():
        raise FdnlearnError(subject, "is not a regular file", "copy the recording to a file first")
    try:
        if path.stat().st_size == 0:
            raise FdnlearnError(subject, "is empty", AGAIN)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FdnlearnError(subject, f"cannot be read ({error.strerror})", "check its permissions") from None
    read = _read_sofa if path.suffix.lower() == ".sofa" else _read_audio
    samples, sample_rate_hz, encoding, told = read(path, subject, longest_s)
    if samples.shape[1] == 0:
        raise FdnlearnError(subject, "holds no samples", "export or record it again")
    return Recording(path.name, sha256, sample_rate_hz, samples, encoding, told)


def _read_audio(path: Path, subject: str, longest_s: float) -> tuple[FloatArray, int, str, tuple[str, ...]]:
    """Samples (channels, n), rate and description of an audio file, and what is wrong with it."""
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
                _check_size(subject, frames, channels, rate, longest_s)
                samples = file.read(frames, dtype="float64", always_2d=True).T
                encoding = f"{file.format} {file.subtype}"
                if is_lossy(file.subtype):
                    told += (f"{_CODED} ({encoding}): its decay and noise are in part the coder's.",)
    except soundfile.SoundFileError as error:
        problem = str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
        problem = _IN_OTHER_WORDS.get(problem, problem)
        if opened:
            raise FdnlearnError(subject, f"is truncated or damaged ({problem})", AGAIN) from None
        raise FdnlearnError(subject, f"is not a readable audio file ({problem})", _NOT_AUDIO) from None
    if samples.shape[1] < frames:
        raise FdnlearnError(subject, f"is truncated ({samples.shape[1]} of {frames} frames)", AGAIN)
    return np.ascontiguousarray(samples), rate, encoding, told


def _read_sofa(path: Path, subject: str, longest_s: float) -> tuple[FloatArray, int, str, tuple[str, ...]]:
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
    return samples, int(rates[0]), f"SOFA {convention}", ()


def _check_size(subject: str, frames: int, channels: int, sample_rate_hz: int, longest_s: float) -> None:
    """Refuse what is too long before reading it."""
    lowest_hz, highest_hz = _RATES_HZ
    if not lowest_hz <= sample_rate_hz <= highest_hz:
        raise FdnlearnError(
            subject,
            f"claims a sample rate of {sample_rate_hz} Hz",
            f"export it again, at {lowest_hz} to {highest_hz} Hz",
        )
    if frames > longest_s * sample_rate_hz or frames * channels > LARGEST_SAMPLES:
        raise FdnlearnError(
            subject,
            f"is {frames / sample_rate_hz:.0f} s of {channels} channels, too long",
            f"cut it to what is needed (an impulse response: at most {LONGEST_S:.0f} s)",
        )
