"""Files in, samples out; what is no recording is refused in one line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.rir import read_recording

Damage = Callable[[bytes], bytes]


def write(path: Path, samples: np.ndarray, rate: int = 16000, subtype: str | None = "PCM_24") -> Path:
    soundfile.write(path, np.atleast_2d(samples).T, rate, subtype=subtype)
    return path


@pytest.fixture
def wav(tmp_path: Path, make_room: Callable[..., np.ndarray]) -> Path:
    return write(tmp_path / "room.wav", make_room())


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_U8", 2**-7),
        ("a.wav", "PCM_16", 2**-15),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "PCM_32", 2**-31),
        ("a.wav", "FLOAT", 2**-24),
        ("a.wav", "DOUBLE", 0.0),
        ("a.flac", "PCM_24", 2**-23),
        ("a.aiff", "PCM_24", 2**-23),
        ("a.aiff", "FLOAT", 2**-24),
        ("Größe ß 部屋 1.wav", "PCM_16", 2**-15),
    ],
)
def test_every_width_and_container_reads_back(
    tmp_path: Path, name: str, subtype: str, tolerance: float
) -> None:
    x = np.random.default_rng(0).uniform(-0.9, 0.9, (2, 500))
    recording = read_recording(write(tmp_path / name, x, 44100, subtype))
    assert recording.name == name
    assert recording.sample_rate_hz == 44100
    assert recording.samples.shape == (2, 500)
    np.testing.assert_allclose(recording.samples, x, atol=tolerance)


def test_sofa_reads_measurements_times_receivers(tmp_path: Path) -> None:
    import sofar

    sofa = sofar.Sofa("GeneralFIR")
    data = np.random.default_rng(0).standard_normal((3, 2, 64))
    sofa.Data_IR, sofa.Data_SamplingRate, sofa.Data_Delay = data, 48000.0, np.zeros((1, 2))
    sofa.SourcePosition, sofa.ReceiverPosition = np.zeros((3, 3)), np.zeros((2, 3))
    sofar.write_sofa(str(tmp_path / "a.sofa"), sofa)
    recording = read_recording(tmp_path / "a.sofa")
    assert recording.sample_rate_hz == 48000
    np.testing.assert_allclose(recording.samples, data.reshape(6, 64))
    assert "GeneralFIR" in recording.encoding


def test_the_hash_is_that_of_the_bytes(wav: Path) -> None:
    import hashlib

    assert read_recording(wav).sha256 == hashlib.sha256(wav.read_bytes()).hexdigest()


def test_a_wav_of_unknown_length_is_read(wav: Path) -> None:
    whole = read_recording(wav).samples
    data = bytearray(wav.read_bytes())
    at = data.find(b"data")
    data[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    wav.write_bytes(bytes(data))
    np.testing.assert_array_equal(read_recording(wav).samples, whole)


def _with_data_length(data: bytes, length: int) -> bytes:
    at = data.find(b"data")
    return data[: at + 4] + struct.pack("<I", length) + data[at + 8 :]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda _: b"", "empty"),
        (lambda _: b"hello world\n" * 50, "not a readable audio file"),
        (lambda data: data[: len(data) // 2], "truncated"),
        (lambda data: data[:20], "not a readable audio file"),
        (lambda data: data[:44], "truncated"),
        (lambda data: _with_data_length(data, 1 << 30), "truncated"),
        (lambda data: data[:24] + struct.pack("<I", 0) + data[28:], "not a readable audio file"),
        (lambda data: data[:22] + struct.pack("<H", 60000) + data[24:], "not a readable audio file"),
    ],
)
def test_a_damaged_wav_is_refused_in_one_line(wav: Path, damage: Damage, problem: str) -> None:
    wav.write_bytes(damage(wav.read_bytes()))
    with pytest.raises(FdnlearnError, match=problem) as caught:
        read_recording(wav)
    assert "\n" not in str(caught.value)
    assert str(wav) in str(caught.value)


@pytest.mark.parametrize("suffix", ["flac", "aiff"])
def test_a_truncated_file_is_refused(
    tmp_path: Path, suffix: str, make_room: Callable[..., np.ndarray]
) -> None:
    path = write(tmp_path / f"room.{suffix}", make_room())
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(FdnlearnError, match=r"truncated|damaged"):
        read_recording(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FdnlearnError, match="does not exist"):
        read_recording(tmp_path / "nothing.wav")
    with pytest.raises(FdnlearnError, match="is a folder"):
        read_recording(tmp_path)
    (tmp_path / "text.sofa").write_text("hello")
    with pytest.raises(FdnlearnError, match="not a readable SOFA file"):
        read_recording(tmp_path / "text.sofa")


def test_no_samples_and_too_many_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FdnlearnError, match="no samples"):
        read_recording(write(tmp_path / "none.wav", np.zeros((1, 0))))
    with pytest.raises(FdnlearnError, match="too long"):
        read_recording(write(tmp_path / "long.wav", np.zeros((1, 200_000)), rate=1000, subtype="PCM_U8"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 60), junk=st.binary(min_size=1, max_size=12), keep=st.integers(0, 3000))
def test_no_header_crashes_the_reader(wav: Path, at: int, junk: bytes, keep: int) -> None:
    """Whatever the header says: a recording or one clear line."""
    data = _HEADERS.setdefault(wav.parent, wav.read_bytes())[: 44 + keep]
    path = wav.with_name("damaged.wav")
    path.write_bytes(data[:at] + junk + data[at + len(junk) :])
    message = ""
    try:
        assert read_recording(path).samples.ndim == 2
    except FdnlearnError as error:
        message = str(error)
    assert "\n" not in message


_HEADERS: dict[Path, bytes] = {}
