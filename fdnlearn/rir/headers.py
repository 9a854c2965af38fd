"""What the header of an audio file says of its length, against the length that the file has.

Programs that write to a pipe cannot go back and enter sizes: they leave 0, or a number as large as fits. Others count a
few bytes too many, or forget a pad byte. libsndfile reads some of these as empty and some not at all, and what was cut
short it reads without a word.
"""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.rir.containers import LARGEST_BYTES, find_sound
from fdnlearn.rir.limits import AGAIN

#: A header may promise this much more than there is, and a tenth of the whole: counted wrongly, not cut.
_MISCOUNTED_BYTES = 512


def whole_sound(file: BinaryIO, subject: str) -> tuple[_Spliced, tuple[str, ...]]:
    """A file as libsndfile reads it whole.

    Parameters
    ----------
    file : binary file
        WAV, RF64, W64, AIFF, AU, CAF, FLAC or Ogg; anything else is read as it is.
    subject : str
        File that the error is about.

    Returns
    -------
    file : binary file
        What is in it, or its sound under a header that tells the true length.
    warnings : tuple of str
        What was wrong and what was done about it: at most one sentence.

    Raises
    ------
    FdnlearnError
        If a part of the sound is missing.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    magic = file.read(4)
    if magic == b"fLaC":
        _check_flac(file, subject)
    elif magic == b"OggS":
        _check_ogg(file, size, subject)
    # Damaged headers point before the beginning and far beyond the end, where a file of the system would not go.
    plain = _Spliced(b"", file, 0, size)
    sound = find_sound(cast(BinaryIO, plain), size)
    plain.seek(0)
    if sound is None:
        return plain, ()
    available = max(0, size - sound.start)
    missing = sound.claimed - available
    if sound.claimed > max(LARGEST_BYTES, available) or (
        sound.claimed == 0 and available and not sound.closed
    ):
        warning = "The header does not say how long the sound is: it was read to the end of the file."
    elif missing > min(_MISCOUNTED_BYTES, sound.claimed // 10):
        raise FdnlearnError(subject, f"is truncated ({missing} bytes are missing)", AGAIN)
    elif missing > 0:
        warning = (
            f"The header promises {missing} bytes more than there are: it was read to the end of the file."
        )
    else:
        available = sound.claimed
        if sound.size_missing:
            warning = "The header does not say how long the file is: it was read as far as its sound goes."
        elif sound.pad_missing:
            warning = "A chunk of odd length lacks its pad byte: what follows it was read all the same."
        else:
            return plain, ()
    return _Spliced(sound.header(available), file, sound.start, available), (warning,)


class _Spliced(io.RawIOBase):
    """A header, and after it a part of a file.

    Attributes
    ----------
    failure : BaseException or None
        What ended the last reading. libsndfile reads from C, where an exception would be printed and lost.
    """

    def __init__(self, head: bytes, file: BinaryIO, start: int, length: int) -> None:
        super().__init__()
        self._head, self._file, self._start = head, file, start
        self._length, self._at = len(head) + length, 0
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            return self._read_into(memoryview(buffer).cast("B"))
        except BaseException as error:
            self.failure = error
            return 0

    def _read_into(self, view: memoryview) -> int:
        count = max(0, min(len(view), self._length - self._at))
        own = self._head[self._at : self._at + count]
        view[: len(own)] = own
        if count > len(own):
            self._file.seek(self._start + self._at + len(own) - len(self._head))
            rest = self._file.read(count - len(own))
            view[len(own) : len(own) + len(rest)] = rest
            count = len(own) + len(rest)
        self._at += count
        return count


def _check_flac(file: BinaryIO, subject: str) -> None:
    """Refuse a stream that was never finished: libsndfile cannot read it (RFC 9639, section 8.2)."""
    file.seek(0)
    head = file.read(26)
    if len(head) == 26 and int.from_bytes(head[21:26], "big") % (1 << 36) == 0:
        raise FdnlearnError(subject, "does not say how many samples it has", "decode it to WAV first")


def _check_ogg(file: BinaryIO, size: int, subject: str) -> None:
    """Refuse a stream without its last page (RFC 3533, section 6)."""
    # A page has at most 65 307 bytes.
    file.seek(max(0, size - (1 << 17)))
    tail = file.read()
    at = tail.rfind(b"OggS")
    page = tail[at:] if at >= 0 else b""
    lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
    if not lengths or not page[5] & 4 or len(page) < 27 + len(lengths) + sum(lengths):
        raise FdnlearnError(subject, "is truncated (its last page is missing)", AGAIN)
