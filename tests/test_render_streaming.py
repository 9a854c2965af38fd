"""Long files: what is rendered piece by piece is what would be rendered whole."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fdn_networks import network
from scipy.io import wavfile

from fdnlearn.base.audio import AudioWriter, write_audio
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import save_fdn
from fdnlearn.render import render, tail_length_s
from fdnlearn.rir import streaming
from fdnlearn.rir.resampling import resample
from fdnlearn.rir.stream_resampling import StreamResampler, resampled
from fdnlearn.runs.rendering import render_file

NOISE = 0.1 * np.random.default_rng(0).standard_normal((2, 30_000))


def pieces(x: FloatArray, size: int) -> list[FloatArray]:
    return [x[:, at : at + size] for at in range(0, x.shape[1], size)]


@pytest.mark.parametrize("size", [1000, 7919, 1 << 16])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff"])
def test_a_file_in_pieces_is_the_file_rendered_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, channels: int, suffix: str
) -> None:
    fdn, x = network(5, reverberation_time_s=0.4), NOISE[:channels]
    save_fdn(fdn, tmp_path / "fdn.json")
    soundfile.write(tmp_path / "dry.wav", x.T, 16000, subtype="DOUBLE")
    monkeypatch.setattr(streaming, "PIECE_FRAMES", size)
    done = render_file(tmp_path / "fdn.json", tmp_path / "dry.wav", tmp_path / f"wet{suffix}", dry_db=-6.0)
    whole = np.concatenate([render(fdn, row, 16000) for row in x])
    whole[:, : x.shape[1]] += 10 ** (-6.0 / 20) * x
    write_audio(tmp_path / f"whole{suffix}", whole, 16000)
    assert done.samples == whole.shape[1] == x.shape[1] + round(16000 * tail_length_s(fdn))
    assert done.peak == np.max(np.abs(whole))
    assert (tmp_path / f"wet{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


@pytest.mark.parametrize(
    "rates", [(44100, 48000), (11025, 96000), (96000, 11025), (44056, 48000), (44101, 48000)]
)
def test_pieces_are_resampled_as_the_whole(rates: tuple[int, int]) -> None:
    whole = np.concatenate(list(resampled(iter([NOISE]), *rates, 2)), axis=1)
    for size in (997, 16384):
        parts = np.concatenate(list(resampled(iter(pieces(NOISE, size)), *rates, 2)), axis=1)
        assert np.array_equal(parts, whole)
    if max(rates) < 1000 * np.gcd(*rates):
        expected = resample(NOISE, *rates)
        assert whole.shape == expected.shape
        assert 20 * np.log10(np.max(np.abs(whole - expected)) / np.max(np.abs(expected))) < -140.0


def test_unrelated_rates_keep_a_sine() -> None:
    x = np.sin(2 * np.pi * 997.0 * np.arange(44101) / 44101 + 0.3)[None]
    resampler = StreamResampler(44101, 48000, 1)
    y = np.concatenate([*resampler.process(x), *resampler.finish()], axis=1)[0]
    wanted = np.sin(2 * np.pi * 997.0 * np.arange(y.size) / 48000 + 0.3)
    assert y.size == 48000
    assert 10 * np.log10(np.mean((y - wanted)[2000:-2000] ** 2) / 0.5) < -140.0


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
