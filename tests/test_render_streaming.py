"""Long files: what is rendered piece by piece is what would be rendered whole."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command_line import record, run
from fdn_networks import network
from scipy.io import wavfile

from fdnlearn.base.audio import AudioWriter, write_audio
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import save_fdn
from fdnlearn.render import render, tail_length_s
from fdnlearn.rir import headers, stream_resampling, streaming
from fdnlearn.rir.resampling import resample
from fdnlearn.rir.stream_resampling import resampled
from fdnlearn.runs.rendering import render_file

NOISE = 0.1 * np.random.default_rng(0).standard_normal((2, 30_000))


def pieces(x: FloatArray, size: int) -> list[FloatArray]:
    return [x[:, at : at + size] for at in range(0, x.shape[1], size)]


@pytest.mark.parametrize("size", [1000, 7919, 1 << 17])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff"])
def test_a_file_in_pieces_is_the_file_rendered_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, channels: int, suffix: str
) -> None:
    fdn, x = network(5, reverberation_time_s=0.4), NOISE[:channels]
    save_fdn(fdn, tmp_path / "fdn.json")
    soundfile.write(tmp_path / "dry.wav", x.T, 16000, subtype="DOUBLE")
    monkeypatch.setattr(streaming, "PIECE_SAMPLES", size)
    done = render_file(tmp_path / "fdn.json", tmp_path / "dry.wav", tmp_path / f"wet{suffix}", dry_db=-6.0)
    whole = np.concatenate([render(fdn, row, 16000) for row in x])
    whole[:, : x.shape[1]] += 10 ** (-6.0 / 20) * x
    write_audio(tmp_path / f"whole{suffix}", whole, 16000)
    assert done.samples == whole.shape[1] == x.shape[1] + round(16000 * tail_length_s(fdn))
    assert done.peak == np.max(np.abs(whole))
    assert (tmp_path / f"wet{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("rates", [(44100, 48000), (11025, 32000), (32000, 11025), (1999, 2003)])
def test_pieces_are_resampled_as_the_whole(
    monkeypatch: pytest.MonkeyPatch, rates: tuple[int, int], kept: bool
) -> None:
    if not kept:
        monkeypatch.setattr(stream_resampling, "_KEPT_BYTES", 0)
    x = NOISE[:, :9000]
    whole = np.concatenate(list(resampled(iter([x]), *rates, 2)), axis=1)
    parts = np.concatenate(list(resampled(iter(pieces(x, 997)), *rates, 2)), axis=1)
    assert np.array_equal(parts, whole)
    expected = resample(x, *rates)
    assert whole.shape == expected.shape
    assert 20 * np.log10(np.max(np.abs(whole - expected)) / np.max(np.abs(expected))) < -140.0


def test_a_rate_of_its_own_is_that_of_the_result(tmp_path: Path) -> None:
    fdn = network(5, reverberation_time_s=0.2)
    save_fdn(fdn, tmp_path / "fdn.json")
    soundfile.write(tmp_path / "dry.wav", NOISE[0], 44056, subtype="DOUBLE")
    render_file(tmp_path / "fdn.json", tmp_path / "dry.wav", tmp_path / "wet.wav", sample_rate_hz=48000)
    wet, rate = soundfile.read(tmp_path / "wet.wav")
    expected = render(fdn, resample(NOISE[:1], 44056, 48000), 48000)[0]
    assert rate == 48000
    np.testing.assert_allclose(wet, expected, atol=1e-6)


def test_a_float_wav_is_the_bytes_of_scipys(tmp_path: Path) -> None:
    write_audio(tmp_path / "ours.wav", NOISE, 48000)
    wavfile.write(tmp_path / "theirs.wav", 48000, NOISE.T.astype(np.float32))
    assert (tmp_path / "ours.wav").read_bytes() == (tmp_path / "theirs.wav").read_bytes()


def test_beyond_four_gibibytes_the_header_is_that_of_rf64(tmp_path: Path) -> None:
    frames = 600_000_000
    with AudioWriter(tmp_path / "long.wav", 48000, 2, frames) as writer:
        writer.write(NOISE)
    head = (tmp_path / "long.wav").read_bytes()[:48]
    assert head[:4] == b"RF64"
    assert head[12:16] == b"ds64"
    whole, sound, counted = struct.unpack("<QQQ", head[20:44])
    assert (sound, counted) == (8 * frames, frames)
    assert whole == 8 * frames + (12 - 8) + 36 + 26 + 12 + 8


def test_damage_late_in_a_file_leaves_nothing(tmp_path: Path) -> None:
    save_fdn(network(3), tmp_path / "fdn.json")
    x = np.zeros(200_000)
    x[-1] = np.nan
    soundfile.write(tmp_path / "dry.wav", x, 16000, subtype="DOUBLE")
    with pytest.raises(FdnlearnError, match="NaN"):
        render_file(tmp_path / "fdn.json", tmp_path / "dry.wav", tmp_path / "wet.wav")
    assert {path.name for path in tmp_path.iterdir()} == {"fdn.json", "dry.wav"}


def test_a_disk_that_fails_late_names_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_fdn(network(3), tmp_path / "fdn.json")
    soundfile.write(tmp_path / "dry.wav", np.zeros(200_000), 16000)
    whole = headers._Spliced._read_into

    def failing(spliced: Any, view: memoryview) -> int:
        if spliced.tell() > 300_000:
            raise OSError(errno.EIO, "Input/output error")
        return whole(spliced, view)

    monkeypatch.setattr(headers._Spliced, "_read_into", failing)
    with pytest.raises(FdnlearnError) as caught:
        render_file(tmp_path / "fdn.json", tmp_path / "dry.wav", tmp_path / "wet.wav")
    assert str(caught.value).startswith(f"{tmp_path / 'dry.wav'}: cannot be read (input/output error)")
    assert {path.name for path in tmp_path.iterdir()} == {"fdn.json", "dry.wav"}


def test_an_interruption_while_a_file_is_read_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "dry.wav", np.zeros(200_000), 16000)

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    with streaming.streamed_recording(tmp_path / "dry.wav", longest_s=60.0) as recording:
        monkeypatch.setattr(headers._Spliced, "_read_into", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(recording.pieces)


def test_what_a_format_cannot_hold_is_told_of_the_file_that_was_asked_for(tmp_path: Path) -> None:
    partial, wanted = tmp_path / ".partial.aiff", tmp_path / "wet.aiff"
    with pytest.raises(FdnlearnError, match=r"wet\.aiff: AIFF cannot hold more than 4 GiB"):
        AudioWriter(partial, 48000, 2, 800_000_000, about=wanted)
    with pytest.raises(FdnlearnError, match=r"wet\.flac: FLAC cannot hold 9 channels"):
        AudioWriter(tmp_path / ".partial.flac", 48000, 9, 10, about=tmp_path / "wet.flac")
    with pytest.raises(FdnlearnError, match="cannot hold 20000 channels"):
        AudioWriter(tmp_path / "wet.wav", 48000, 20_000, 10)
    assert not (tmp_path / "wet.wav").exists()


def test_a_recording_that_is_too_long_is_told_how_much_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "dry.wav", np.zeros(9000), 1000)
    with (
        pytest.raises(FdnlearnError, match=r"is 9 s of 1 channels, too long; .*at most 5 s"),
        streaming.streamed_recording(tmp_path / "dry.wav", longest_s=5.0),
    ):
        pass


def test_where_a_tail_is_cut_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_fdn(network(5, reverberation_time_s=0.6), tmp_path / "fdn.json")
    monkeypatch.setattr("fdnlearn.render.offline.MAX_TAIL_S", 0.5)
    dry = record(tmp_path / "dry.wav", 0.01 * np.ones(100))
    rendered = run("render", tmp_path / "fdn.json", dry, "-o", tmp_path / "wet.wav")
    exported = run("export", tmp_path / "fdn.json", "--to", "wav", "-o", tmp_path / "room")
    for outcome in (rendered, exported):
        assert outcome.code == 0
        assert "its tail is cut after 0.5 s, where it has fallen by 50 dB" in outcome.stderr
