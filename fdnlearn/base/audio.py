"""Audio files of finished signals, whole or as they come."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from fdnlearn.base.errors import FdnlearnError, UsageError

#: File name suffix -> (format, subtype) as libsndfile calls them.
FORMATS = {
    ".wav": ("WAV", "FLOAT"),
    ".flac": ("FLAC", "PCM_24"),
    ".aiff": ("AIFF", "PCM_24"),
    ".aif": ("AIFF", "PCM_24"),
}
#: What files in single precision, and the programs that play them, can hold.
LOUDEST = float(np.finfo(np.float32).max)
#: A WAV whose sizes do not fit into 32 bits is an RF64.
_LARGEST_RIFF = 0xFFFFFFFF
#: Of a float WAV those whose frames are as long as its header can say, of an AIFF those that libsndfile writes.
_MOST_CHANNELS = {"WAV": 0xFFFF // 4, "FLAC": 8, "AIFF": 1024}
#: Sound of an AIFF, whose sizes have 32 bits, its chunks left out.
_LARGEST_AIFF = _LARGEST_RIFF - 4096


def check_suffix(path: Path) -> None:
    """Refuse a name that does not say which audio format to write.

    Raises
    ------
    UsageError
        If the suffix is none of `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(str(path), "not a known audio format", f"end the name in {', '.join(FORMATS)}")


class AudioWriter:
    """Writes a signal block by block: float32 WAV, or 24-bit FLAC or AIFF, as the file name's suffix says.

    A context manager: the file is complete when it ends, and holds as many frames as were promised.

    Parameters
    ----------
    path : Path
        File to write (not atomically: see `fdnlearn.base.replacing`).
    sample_rate_hz, channels, frames : int
    about : Path, optional
        File that errors name, where `path` is only on its way there.

    Attributes
    ----------
    peak : float
        Largest magnitude written so far, full scale being 1.

    Raises
    ------
    UsageError
        If the suffix names no known format.
    FdnlearnError
        If the format cannot hold that many channels or frames.
    OSError
        If the file cannot be written.
    """

    def __init__(
        self, path: Path, sample_rate_hz: int, channels: int, frames: int, *, about: Path | None = None
    ) -> None:
        check_suffix(path)
        self._subject, self.peak = str(about or path), 0.0
        container, subtype = FORMATS[path.suffix.lower()]
        self._clips = container != "WAV"
        self._sink: _Sink
        if container == "AIFF" and 3 * channels * frames > _LARGEST_AIFF:
            raise FdnlearnError(self._subject, "AIFF cannot hold more than 4 GiB", "write WAV or FLAC")
        if channels > _MOST_CHANNELS[container]:
            raise FdnlearnError(
                self._subject, f"{container} cannot hold {channels} channels", "write another format"
            )
        if self._clips:
            self._sink = _Libsndfile(path, sample_rate_hz, channels, container, subtype)
        else:
            self._sink = _FloatWav(path, sample_rate_hz, channels, frames)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._sink.close()
        else:
            with suppress(OSError):
                self._sink.close()

    def write(self, block: npt.NDArray[Any]) -> None:
        """Add a block, shape (channels, samples), full scale at 1.

        Raises
        ------
        FdnlearnError
            If it is not finite in single precision.
        OSError
            If it cannot be written.
        """
        peak = float(np.max(np.abs(block), initial=0.0))
        if not peak <= LOUDEST:
            raise FdnlearnError(
                self._subject, f"the signal reaches {peak:.3g}, more than a file can hold", "lower the gains"
            )
        self.peak = max(self.peak, peak)
        self._sink.write(np.clip(block.T, -1.0, 1.0) if self._clips else block.T)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the listener should know: samples beyond full scale, clipped where the format cannot hold them."""
        if self.peak <= 1.0:
            return ()
        over_db = 20 * np.log10(self.peak)
        kept = "the float WAV holds them; turn down before playing"
        lost = "they were clipped: lower the gains or write WAV"
        return (f"samples exceed full scale by {over_db:.1f} dB; {lost if self._clips else kept}",)


def write_audio(path: Path, samples: npt.ArrayLike, sample_rate_hz: int) -> tuple[str, ...]:
    """Write a whole signal, shape (channels, samples), as `AudioWriter` does, and return its warnings.

    Raises
    ------
    UsageError, FdnlearnError, OSError
        As `AudioWriter`.
    """
    signal = np.atleast_2d(np.asarray(samples, dtype=np.float64))
    with AudioWriter(path, sample_rate_hz, signal.shape[0], signal.shape[1]) as writer:
        writer.write(signal)
    return writer.warnings


class _Sink(Protocol):
    """What frames, shape (samples, channels), are written to."""

    def write(self, frames: npt.NDArray[Any]) -> None: ...

    def close(self) -> None: ...


class _FloatWav:
    """A float WAV, byte by byte SciPy's; RF64 (EBU Tech 3306) beyond 4 GiB.

    Not libsndfile's: it stamps the time of day into every float WAV.
    """

    def __init__(self, path: Path, sample_rate_hz: int, channels: int, frames: int) -> None:
        size = 4 * channels * frames
        rest = b"fmt " + struct.pack(
            "<IHHIIHHH", 18, 3, channels, sample_rate_hz, 4 * channels * sample_rate_hz, 4 * channels, 32, 0
        )
        rest += b"fact" + struct.pack("<II", 4, min(frames, _LARGEST_RIFF)) + b"data"
        whole = 4 + len(rest) + 4 + size
        if whole <= _LARGEST_RIFF:
            head = b"RIFF" + struct.pack("<I", whole) + b"WAVE" + rest + struct.pack("<I", size)
        else:
            sizes = b"ds64" + struct.pack("<IQQQI", 28, whole + 36, size, frames, 0)
            none = struct.pack("<I", _LARGEST_RIFF)
            head = b"RF64" + none + b"WAVE" + sizes + rest + none
        self._file = path.open("wb")
        self._file.write(head)

    def write(self, frames: npt.NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(frames.astype("<f4")).data)

    def close(self) -> None:
        self._file.close()


class _Libsndfile:
    """What libsndfile writes, its errors as ours."""

    def __init__(self, path: Path, sample_rate_hz: int, channels: int, container: str, subtype: str) -> None:
        import soundfile

        with _as_os_errors():
            self._file = soundfile.SoundFile(
                path, "w", sample_rate_hz, channels, subtype=subtype, format=container
            )

    def write(self, frames: npt.NDArray[Any]) -> None:
        with _as_os_errors():
            self._file.write(frames)

    def close(self) -> None:
        with _as_os_errors():
            self._file.close()


@contextmanager
def _as_os_errors() -> Iterator[None]:
    import soundfile

    try:
        yield
    except soundfile.LibsndfileError as error:
        raise OSError(0, str(error.error_string).rstrip(".")) from error
