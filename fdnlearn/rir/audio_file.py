"""An audio file, in any format of `fdnlearn.base.formats`, that is open and read as far as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn, Self

import numpy as np

from fdnlearn.base.callbacks import calling_back
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import reading
from fdnlearn.base.formats import NAMES, is_lossy, is_read
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.rir.headers import whole_sound
from fdnlearn.rir.limits import AGAIN, LARGEST_SAMPLES, check_size
from fdnlearn.rir.mpeg import is_mpeg, overheard

#: libsndfile's words -> what they mean.
_IN_OTHER_WORDS = {
    "SF_INFO struct incomplete": "impossible sample rate, length or number of channels",
    "Unspecified internal error": "its header contradicts itself",
    "File does not exist or is not a regular file (possibly a pipe?)": "no sound is found in it",
}
_CODED = "The recording is coded with loss"
_NOT_AUDIO = f"give a {NAMES} file"


class AudioFile:
    """An open audio file; a context manager that closes it.

    Parameters
    ----------
    path : Path
        A file that is there (`fdnlearn.rir.limits.check_file`).
    longest_s : float
        A longer one is refused.
    largest_samples : float
        So is one that has more, all channels together.

    Attributes
    ----------
    frames, channels, sample_rate_hz : int
    encoding : str
        Human description of the format.
    warnings : tuple of str
        What is wrong with the file, and what was done about it.

    Raises
    ------
    FdnlearnError
        If it cannot be read, is no audio, or too long.
    """

    def __init__(self, path: Path, longest_s: float, largest_samples: float = LARGEST_SAMPLES) -> None:
        import soundfile

        self._path, self._subject = path, str(path)
        with ExitStack() as opened, reading(path):
            # Opened by Python: libsndfile refuses names that are no UTF-8.
            stream = opened.enter_context(path.open("rb"))
            self._whole, self.warnings = whole_sound(stream, self._subject)
            self._mpeg = is_mpeg(self._whole.read(4) or b"")
            self._whole.seek(0)
            try:
                with self._overheard():
                    self._file = opened.enter_context(soundfile.SoundFile(self._whole))
            except soundfile.SoundFileError as error:
                self._refuse(f"is not a readable audio file ({_words(error)})", _NOT_AUDIO)
            file = self._file
            if not is_read(file.format):
                raise FdnlearnError(self._subject, f"is {file.format}, which is not read", _NOT_AUDIO)
            self.frames, self.channels = int(file.frames), int(file.channels)
            self.sample_rate_hz = int(file.samplerate)
            check_size(
                self._subject, self.frames, self.channels, self.sample_rate_hz, longest_s, largest_samples
            )
            self.encoding = f"{file.format} {file.subtype}"
            if is_lossy(file.subtype):
                self.warnings += (
                    f"{_CODED} ({self.encoding}): its decay and noise are in part the coder's.",
                )
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @shapes_checked
    def read(self, frames: int) -> Float64[FloatArray, "channels frames"]:
        """The next `frames`.

        Raises
        ------
        FdnlearnError
            If the file is truncated or damaged, or cannot be read any more.
        """
        import soundfile

        with reading(self._path):
            try:
                with self._overheard():
                    samples = self._file.read(frames, dtype="float64", always_2d=True).T
            except soundfile.SoundFileError as error:
                self._refuse(f"is truncated or damaged ({_words(error)})", AGAIN)
            if samples.shape[1] < frames:
                self._refuse(f"is truncated ({self._file.tell()} of {self.frames} frames)", AGAIN)
        return np.ascontiguousarray(samples)

    @contextmanager
    def _overheard(self) -> Iterator[None]:
        """Within, what the decoder of MP3 writes to stderr becomes a warning, and interruptions wait."""
        listening: AbstractContextManager[list[str]] = overheard() if self._mpeg else nullcontext([])
        with calling_back(), listening as heard:
            yield
        self.warnings += tuple(one for one in heard if one not in self.warnings)

    def _refuse(self, problem: str, remedy: str) -> NoReturn:
        # What ended the reading comes first: libsndfile takes it for the end of the file.
        if self._whole.failure is not None:
            raise self._whole.failure from None
        raise FdnlearnError(self._subject, problem, remedy) from None


def _words(error: Exception) -> str:
    problem = str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
    return _IN_OTHER_WORDS.get(problem, problem)
