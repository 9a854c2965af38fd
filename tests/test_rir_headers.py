"""Headers against files: sizes that nobody entered are made up for, what was cut short is refused."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.rir import prepare_target, read_recording

RATE_HZ = 16000
STEREO = np.random.default_rng(0).uniform(-0.5, 0.5, (1500, 2))
_EDITED = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass(frozen=True)
class Container:
    """A format, and where its header has the length of the sound, that of the file, and the rate."""

    format: str
    subtype: str
    endian: str
    #: Struct format, mark that is sought, bytes from its beginning.
    sound: tuple[str, bytes, int]
    outer: tuple[str, bytes, int] | None
    rate: tuple[str, bytes, int] | None
    #: Bytes that the length of the sound counts besides it.
    more: int = 0


W64_DATA = b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a")
CONTAINERS = {
    "wav": Container("WAV", "PCM_16", "FILE", ("<I", b"data", 4), ("<I", b"RIFF", 4), ("<I", b"fmt ", 12)),
    "wav-24": Container("WAV", "PCM_24", "FILE", ("<I", b"data", 4), ("<I", b"RIFF", 4), ("<I", b"fmt ", 12)),
    "wav-float": Container(
        "WAV", "FLOAT", "FILE", ("<I", b"data", 4), ("<I", b"RIFF", 4), ("<I", b"fmt ", 12)
    ),
    "wavex": Container(
        "WAVEX", "PCM_24", "FILE", ("<I", b"data", 4), ("<I", b"RIFF", 4), ("<I", b"fmt ", 12)
    ),
    "rifx": Container("WAV", "PCM_16", "BIG", (">I", b"data", 4), (">I", b"RIFX", 4), (">I", b"fmt ", 12)),
    "rf64": Container("RF64", "PCM_24", "FILE", ("<Q", b"ds64", 16), ("<Q", b"ds64", 8), ("<I", b"fmt ", 12)),
    "w64": Container("W64", "PCM_16", "FILE", ("<Q", W64_DATA, 16), ("<Q", b"riff", 16), None, 24),
    "au": Container("AU", "PCM_16", "FILE", (">I", b".snd", 8), None, (">I", b".snd", 16)),
    "au-little": Container("AU", "PCM_24", "LITTLE", ("<I", b"dns.", 8), None, ("<I", b"dns.", 16)),
    "aiff": Container("AIFF", "PCM_24", "FILE", (">I", b"SSND", 4), (">I", b"FORM", 4), None, 8),
    "aifc": Container("AIFF", "FLOAT", "FILE", (">I", b"SSND", 4), (">I", b"FORM", 4), None, 8),
    "caf": Container("CAF", "PCM_16", "FILE", (">Q", b"data", 4), None, (">d", b"desc", 12), 4),
    "caf-little": Container("CAF", "FLOAT", "LITTLE", (">Q", b"data", 4), None, (">d", b"desc", 12), 4),
}
#: What programs enter that do not know the length, in 32 bits.
NO_LENGTH = [
    0,
    0xFFFFFFFF,
    0x7FFFFFFF,
    0x7FFFF000,
    0x80000000,
    0x7F000000,
    0x7FFFFFDB,
    0xFFFF0000,
    0xFFFFFFDB,
]
every_container = pytest.mark.parametrize("kind", CONTAINERS)


def encoded(kind: str, samples: np.ndarray = STEREO) -> bytes:
    container, file = CONTAINERS[kind], io.BytesIO()
    soundfile.write(
        file, samples, RATE_HZ, format=container.format, subtype=container.subtype, endian=container.endian
    )
    return file.getvalue()


def with_number(data: bytes, place: tuple[str, bytes, int] | None, number: float) -> bytes:
    assert place is not None
    kind, mark, offset = place
    at = data.index(mark) + offset
    if kind[1] in "IQ":
        number = int(number) % (1 << 8 * struct.calcsize(kind))
    return data[:at] + struct.pack(kind, number) + data[at + struct.calcsize(kind) :]


def sound_starts(kind: str, data: bytes) -> int:
    """Where the sound begins in a file without chunks after it."""
    return len(data) - len(STEREO) * 2 * {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}[CONTAINERS[kind].subtype]


def complaint(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(FdnlearnError) as caught:
        read_recording(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@every_container
@pytest.mark.parametrize("length", NO_LENGTH)
def test_sound_of_no_length_is_read_to_the_end_of_the_file(tmp_path: Path, kind: str, length: int) -> None:
    path = tmp_path / "piped"
    path.write_bytes(encoded(kind))
    whole = read_recording(path)
    assert whole.warnings == ()
    path.write_bytes(with_number(encoded(kind), CONTAINERS[kind].sound, length))
    piped = read_recording(path)
    np.testing.assert_array_equal(piped.samples, whole.samples)
    assert piped.sample_rate_hz == RATE_HZ
    assert len(piped.warnings) == 1
    assert "read to the end of the file" in piped.warnings[0]


@pytest.mark.parametrize("kind", ["rf64", "w64", "caf"])
@pytest.mark.parametrize("length", [-1, -2, 0x7FFFFFFFFFFFFFFF, 1 << 62, 1 << 40])
def test_so_is_sound_of_no_length_in_64_bits(tmp_path: Path, kind: str, length: int) -> None:
    path = tmp_path / "piped"
    path.write_bytes(with_number(encoded(kind), CONTAINERS[kind].sound, length))
    piped = read_recording(path)
    np.testing.assert_allclose(piped.samples, STEREO.T, atol=2**-15)
    assert len(piped.warnings) == 1


@_EDITED
@given(
    kind=st.sampled_from([name for name, container in CONTAINERS.items() if container.outer]),
    outer=st.sampled_from(NO_LENGTH),
    sound=st.none() | st.sampled_from(NO_LENGTH),
)
def test_a_file_of_no_length_is_read_with_one_warning(
    tmp_path: Path, kind: str, outer: int, sound: int | None
) -> None:
    container, path = CONTAINERS[kind], tmp_path / "piped"
    data = with_number(encoded(kind), container.outer, outer)
    if sound is not None:
        data = with_number(data, container.sound, sound)
    path.write_bytes(data)
    recording = read_recording(path)
    np.testing.assert_allclose(recording.samples, STEREO.T, atol=2**-15)
    assert len(recording.warnings) == 1


@_EDITED
@given(kind=st.sampled_from(list(CONTAINERS)), more=st.integers(1, 512))
def test_a_length_that_is_a_little_too_large_is_told(tmp_path: Path, kind: str, more: int) -> None:
    container, path, data = CONTAINERS[kind], tmp_path / "miscounted", encoded(kind)
    length = len(data) - sound_starts(kind, data) + container.more
    path.write_bytes(with_number(data, container.sound, length + more))
    recording = read_recording(path)
    np.testing.assert_allclose(recording.samples, STEREO.T, atol=2**-15)
    assert recording.warnings == (
        f"The header promises {more} bytes more than there are: it was read to the end of the file.",
    )


@_EDITED
@given(kind=st.sampled_from(list(CONTAINERS)), kept=st.floats(0.0, 0.9))
def test_what_was_cut_short_is_refused(tmp_path: Path, kind: str, kept: float) -> None:
    data = encoded(kind)
    start = sound_starts(kind, data)
    cut = start + int(kept * (len(data) - start)) - 1
    said = complaint(tmp_path / "cut", data[:cut])
    assert f"truncated ({len(data) - cut} bytes are missing)" in said or cut < start


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize(("format", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("CAF", "ALAC_16")])
def test_so_is_what_was_cut_short_of_a_coded_file(
    tmp_path: Path, format: str, subtype: str, kept: float
) -> None:
    file = io.BytesIO()
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (30_000, 1))
    soundfile.write(file, samples, RATE_HZ, format=format, subtype=subtype)
    data = file.getvalue()
    assert "truncated" in complaint(tmp_path / "cut", data[: int(kept * len(data))])


def test_a_flac_stream_without_a_length_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", STEREO, RATE_HZ)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[21:26] = bytes([data[21] & 0xF0]) + bytes(4)
    assert "does not say how many samples" in complaint(tmp_path / "a.flac", bytes(data))


@pytest.mark.parametrize("name", [b"LIST", b"bext", b"abcd"])
@pytest.mark.parametrize("length", [1, 5, 31])
@pytest.mark.parametrize("kind", ["wav", "rifx", "aiff"])
def test_an_odd_chunk_without_its_pad_byte_is_read_over(
    tmp_path: Path, kind: str, length: int, name: bytes
) -> None:
    data, path = encoded(kind), tmp_path / "odd"
    order = "<I" if kind == "wav" else ">I"
    odd = name + struct.pack(order, length) + bytes(range(1, length + 1))
    for padding, warnings in ((b"\0", 0), (b"", 1)):
        path.write_bytes(data[:12] + odd + padding + data[12:])
        recording = read_recording(path)
        np.testing.assert_allclose(recording.samples, STEREO.T, atol=2**-15)
        assert len(recording.warnings) == warnings


def test_odd_sound_needs_no_pad_byte(tmp_path: Path) -> None:
    file = io.BytesIO()
    soundfile.write(file, STEREO[:999, 0], RATE_HZ, format="WAV", subtype="PCM_U8")
    data = file.getvalue()
    end = data.index(b"data") + 8 + 999
    for rest in (b"", b"\0", b"LIST" + struct.pack("<I", 4) + b"INFO"):
        (tmp_path / "odd.wav").write_bytes(data[:end] + rest)
        recording = read_recording(tmp_path / "odd.wav")
        assert recording.samples.shape == (1, 999)
        assert recording.warnings == ()


@every_container
def test_an_empty_file_stays_empty(tmp_path: Path, kind: str) -> None:
    empty = encoded(kind, np.zeros((0, 2)))
    assert "holds no samples" in complaint(tmp_path / "empty", empty)
    if kind in ("wav", "wav-24", "wavex"):
        chunk = b"LIST" + struct.pack("<I", 4) + b"INFO"
        assert "holds no samples" in complaint(tmp_path / "empty", empty + 2 * chunk)


@pytest.mark.parametrize("rate_hz", [0, 1, 999, 2_000_001, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", [name for name, container in CONTAINERS.items() if container.rate])
def test_an_impossible_rate_is_refused(tmp_path: Path, kind: str, rate_hz: int) -> None:
    said = complaint(tmp_path / "rate", with_number(encoded(kind), CONTAINERS[kind].rate, rate_hz))
    assert "sample rate" in said


@pytest.mark.parametrize("rate_hz", [-48000.0, float("nan"), float("inf"), 1e300, 1e-9])
def test_a_rate_that_is_no_number_is_refused(tmp_path: Path, rate_hz: float) -> None:
    said = complaint(tmp_path / "rate", with_number(encoded("caf"), CONTAINERS["caf"].rate, rate_hz))
    assert "sample rate" in said


@pytest.mark.parametrize(
    "rate", ["0000" + 16 * "0", "c00ebb80" + 12 * "0", "7fff8000" + 12 * "0", "43ff" + 16 * "f"]
)
def test_an_aiff_of_impossible_rate_is_refused(tmp_path: Path, rate: str) -> None:
    data = encoded("aiff")
    at = data.index(b"COMM") + 16
    said = complaint(tmp_path / "rate", data[:at] + bytes.fromhex(rate) + data[at + 10 :])
    assert "sample rate" in said


def test_a_warning_about_the_header_reaches_the_target(
    tmp_path: Path, make_room: Callable[..., np.ndarray]
) -> None:
    path = tmp_path / "piped.wav"
    soundfile.write(path, make_room().T, RATE_HZ)
    path.write_bytes(with_number(path.read_bytes(), CONTAINERS["wav"].sound, 0xFFFFFFFF))
    target = prepare_target(read_recording(path), sample_rate_hz=RATE_HZ)
    assert target.warnings[0].startswith("The header does not say how long the sound is")


@_EDITED
@given(
    kind=st.sampled_from(list(CONTAINERS)),
    at=st.integers(0, 120),
    junk=st.binary(min_size=1, max_size=12),
    keep=st.integers(0, 3000),
)
def test_no_header_of_any_container_crashes_the_reader(
    tmp_path: Path, kind: str, at: int, junk: bytes, keep: int
) -> None:
    data, path = encoded(kind), tmp_path / "damaged"
    start = sound_starts(kind, data)
    path.write_bytes((data[:at] + junk + data[at + len(junk) :])[: start + keep])
    said = ""
    try:
        assert read_recording(path).samples.ndim == 2
    except FdnlearnError as error:
        said = str(error)
    assert "\n" not in said
