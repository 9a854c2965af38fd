"""Where audio files of several chunks keep their sound: WAV, RF64, W64, AIFF, AU and CAF."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Literal

#: More sound than this, where there is less, is no length but what a program writes that does not know it.
LARGEST_BYTES = 2_000_000_000
#: Beyond it a file is nothing but chunks.
_MOST_CHUNKS = 10_000
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
#: Names that are no accident where a pad byte might have been.
_KNOWN = {b"data", b"fmt ", b"fact", b"LIST", b"bext", b"SSND", b"COMM", b"MARK", b"INST"}
_Order = Literal["little", "big"]


@dataclass(frozen=True)
class Sound:
    """Where the sound of a file lies and what its header says of it.

    Attributes
    ----------
    start : int
        Its first byte.
    claimed : int
        Its length in bytes, as the header says.
    header : callable
        Bytes of sound -> a header that says so.
    size_missing : bool
        Whether what stands for the length of the whole file is none.
    pad_missing : bool
        Whether a chunk of odd length before the sound has no pad byte.
    closed : bool
        Whether a length of 0 is meant: proper chunks follow.
    """

    start: int
    claimed: int
    header: Callable[[int], bytes]
    size_missing: bool = False
    pad_missing: bool = False
    closed: bool = False


def find_sound(file: BinaryIO, size: int) -> Sound | None:
    """Where the sound of a file of `size` bytes is; None if it is no such file or holds none."""
    file.seek(0)
    read = _READERS.get(file.read(4))
    return read(file, size) if read else None


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    start: int
    length: int
    pad_missing: bool


def _chunks(
    file: BinaryIO, at: int, order: _Order, *, width: int = 4, padded: bool = True
) -> Iterator[_Chunk]:
    """Chunks of a file, the file being left at the content of each."""
    lost = False
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(4 + width)
        if len(head) < 4 + width:
            return
        length, start = int.from_bytes(head[4:], order), at + 4 + width
        yield _Chunk(head[:4], start, length, lost)
        # A seek could not go there: nothing follows.
        if start + length > 1 << 62:
            return
        at = start + length
        if padded and length % 2:
            file.seek(at)
            following = file.read(5)
            unpadded = following[:4] in _KNOWN or (_is_name(following[:4]) and not _is_name(following[1:]))
            lost = lost or unpadded
            at += not unpadded


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def _closed(file: BinaryIO, at: int, size: int, order: _Order, *, width: int = 4) -> bool:
    """Whether nothing but whole chunks lie from here to the end."""
    end = at
    for chunk in _chunks(file, at, order, width=width, padded=width == 4):
        if not _is_name(chunk.name):
            return False
        end = chunk.start + chunk.length
    return at < size and size <= end + 1 and end <= size


def _is_no_length(claimed: int, size: int) -> bool:
    return claimed == 0 or claimed > max(LARGEST_BYTES, size)


def _wav(file: BinaryIO, size: int) -> Sound | None:
    """WAV (Microsoft, IBM: Multimedia Programming Interface 1.0, 1991) and RF64 (EBU Tech 3306)."""
    file.seek(0)
    head = file.read(12)
    if head[8:] != b"WAVE":
        return None
    order: _Order = "big" if head[:4] == b"RIFX" else "little"
    outer, long_data, form = int.from_bytes(head[4:8], order), None, b""
    for chunk in _chunks(file, 12, order):
        if chunk.name == b"ds64" and head[:4] == b"RF64":
            sizes = file.read(16)
            outer, long_data = int.from_bytes(sizes[:8], order), int.from_bytes(sizes[8:], order)
        elif chunk.name == b"fmt ":
            form = file.read(min(chunk.length, 1 << 16))
        elif chunk.name == b"data":
            claimed = chunk.length if long_data is None or chunk.length < 0xFFFFFFFF else long_data

            return Sound(
                chunk.start,
                claimed,
                partial(_wav_header, form, order),
                size_missing=_is_no_length(outer, size),
                pad_missing=chunk.pad_missing,
                closed=claimed == 0 and _closed(file, chunk.start, size, order),
            )
    return None


def _wav_header(form: bytes, order: _Order, length: int) -> bytes:
    inner = b"WAVE" + _chunk(b"fmt ", form, order) + b"data" + _u32(length, order)
    return (b"RIFX" if order == "big" else b"RIFF") + _u32(len(inner) + length, order) + inner


def _aiff(file: BinaryIO, size: int) -> Sound | None:
    """AIFF and AIFF-C (Apple, 1989 and 1991)."""
    file.seek(0)
    head = file.read(12)
    if head[8:] not in (b"AIFF", b"AIFC"):
        return None
    version, common = b"", b""
    for chunk in _chunks(file, 12, "big"):
        if chunk.name == b"FVER":
            version = _chunk(b"FVER", file.read(min(chunk.length, 1 << 16)), "big")
        elif chunk.name == b"COMM":
            common = file.read(min(chunk.length, 1 << 16))
        elif chunk.name == b"SSND":
            skipped = int.from_bytes(file.read(8)[:4], "big")
            return Sound(
                chunk.start + 8 + skipped,
                max(0, chunk.length - 8 - skipped),
                partial(_aiff_header, version, common, head[8:]),
                size_missing=_is_no_length(int.from_bytes(head[4:8], "big"), size),
                pad_missing=chunk.pad_missing,
                closed=chunk.length == 8 + skipped,
            )
    return None


def _aiff_header(version: bytes, common: bytes, kind: bytes, length: int) -> bytes:
    frame_bytes = int.from_bytes(common[:2], "big") * -(-int.from_bytes(common[6:8], "big") // 8)
    frames = _u32(length // frame_bytes if frame_bytes else 0, "big")
    inner = kind + version + _chunk(b"COMM", common[:2] + frames + common[6:], "big")
    inner += b"SSND" + _u32(length + 8, "big") + bytes(8)
    return b"FORM" + _u32(len(inner) + length, "big") + inner


def _w64(file: BinaryIO, size: int) -> Sound | None:
    """Sony Wave64: chunks named by 16 bytes, their lengths counting their own heads, at multiples of 8 bytes."""
    file.seek(0)
    head = file.read(40)
    if len(head) < 40:
        return None
    at = 40
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        chunk = file.read(24)
        length = int.from_bytes(chunk[16:], "little")
        if chunk[:16] == b"data" + _W64_TAIL:
            missing = _is_no_length(int.from_bytes(head[16:24], "little"), size)
            header = _patched(file, at + 24, {16: at + 24, at + 16: 24}, 8, "little")
            return Sound(at + 24, max(0, length - 24), header, size_missing=missing, closed=length == 24)
        if len(chunk) < 24 or length < 24 or length > size:
            return None
        at += length + -length % 8
    return None


def _caf(file: BinaryIO, size: int) -> Sound | None:
    """Apple Core Audio Format 1.0; its sound chunk begins with an edit count of 4 bytes."""
    for chunk in _chunks(file, 8, "big", width=8, padded=False):
        if chunk.name == b"data":
            start = chunk.start + 4
            header = _patched(file, start, {chunk.start - 8: 4}, 8, "big")
            closed = chunk.length == 4 or (
                chunk.length == 0 and _closed(file, start - 4, size, "big", width=8)
            )
            return Sound(start, max(0, chunk.length - 4), header, closed=closed)
    return None


def _au(file: BinaryIO, size: int) -> Sound | None:
    """Sun and NeXT audio, in either order of bytes."""
    file.seek(0)
    head = file.read(24)
    order: _Order = "big" if head[:4] == b".snd" else "little"
    start = int.from_bytes(head[4:8], order)
    if len(head) < 24 or not 24 <= start <= size:
        return None
    claimed = int.from_bytes(head[8:12], order)
    return Sound(start, claimed, _patched(file, start, {8: 0}, 4, order))


def _patched(
    file: BinaryIO, start: int, sizes: dict[int, int], width: int, order: _Order
) -> Callable[[int], bytes]:
    """The header as it is, with sizes made right: place in it -> bytes that are counted besides the sound."""

    def header(length: int) -> bytes:
        file.seek(0)
        head = bytearray(file.read(start))
        for place, more in sizes.items():
            head[place : place + width] = min(length + more, 256**width - 1).to_bytes(width, order)
        return bytes(head)

    return header


def _u32(number: int, order: _Order) -> bytes:
    return min(number, 0xFFFFFFFF).to_bytes(4, order)


def _chunk(name: bytes, content: bytes, order: _Order) -> bytes:
    return name + _u32(len(content), order) + content + bytes(len(content) % 2)


_READERS = {
    b"RIFF": _wav,
    b"RIFX": _wav,
    b"RF64": _wav,
    b"FORM": _aiff,
    b"riff": _w64,
    b"caff": _caf,
    b".snd": _au,
    b"dns.": _au,
}
