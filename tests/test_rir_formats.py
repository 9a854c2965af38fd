"""One list of formats: what is read, what is found in folders, what the page takes and what texts say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fdnlearn.base import formats
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.cli.fit import command as fit
from fdnlearn.cli.main import cli
from fdnlearn.rir import load_target, read_recording
from fdnlearn.rir.mpeg import DAMAGED
from fdnlearn.runs.many.sources import find_rooms

ROOT = Path(__file__).resolve().parents[1]
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 4000)
#: Name of the list -> what libsndfile calls it and a coding.
WRITTEN = {
    "WAV": ("WAV", "PCM_24"),
    "W64": ("W64", "PCM_24"),
    "FLAC": ("FLAC", "PCM_24"),
    "AIFF": ("AIFF", "PCM_24"),
    "CAF": ("CAF", "ALAC_24"),
    "AU": ("AU", "PCM_24"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
    "Ogg": ("OGG", "VORBIS"),
}


def write(path: Path, format: str, subtype: str, samples: np.ndarray = NOISE) -> Path:
    soundfile.write(path, samples, 16000, format=format, subtype=subtype)
    return path


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_in_the_list_is_read_whatever_its_suffix(tmp_path: Path, name: str) -> None:
    for suffix in (*{**formats.FORMATS, **formats.LOSSY_FORMATS}[name], ".bin"):
        recording = read_recording(write(tmp_path / f"a{suffix}", *WRITTEN[name]))
        assert recording.samples.shape == (1, len(NOISE))
        assert bool(recording.warnings) == (name in formats.LOSSY_FORMATS)


def test_what_the_decoder_of_mp3_says_of_damage_is_one_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.mp3", *WRITTEN["MP3"])
    assert DAMAGED not in read_recording(path).warnings
    content = bytearray(path.read_bytes())
    content[500:504] = bytes(4)
    path.write_bytes(content)
    assert read_recording(path).warnings[-1] == DAMAGED
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("format", ["VOC", "NIST", "IRCAM", "AVR", "MAT5", "PVF", "SVX"])
def test_what_is_not_in_the_list_is_refused(tmp_path: Path, format: str) -> None:
    with pytest.raises(FdnlearnError, match="which is not read; give a WAV"):
        read_recording(write(tmp_path / "a.wav", format, "PCM_16"))


@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        ("MP3", "MPEG_LAYER_III"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("WAV", "IMA_ADPCM"),
        ("WAV", "ULAW"),
        ("WAV", "GSM610"),
        ("AIFF", "ALAW"),
        ("AU", "G721_32"),
        ("CAF", "ULAW"),
    ],
)
def test_coding_with_loss_is_told_before_anything_is_measured(
    tmp_path: Path, make_room: Callable[..., np.ndarray], format: str, subtype: str
) -> None:
    path = write(tmp_path / "a", format, subtype, np.pad(make_room()[0], 2000))
    assert load_target(path, sample_rate_hz=16000).warnings[0].startswith("The recording is coded with loss")


def test_a_folder_is_searched_for_the_whole_list(tmp_path: Path) -> None:
    wanted = [suffix for suffix in formats.SUFFIXES if suffix != ".sofa"]
    for suffix in (*wanted, ".txt", ".voc"):
        (tmp_path / f"room{suffix}").touch()
    found = {Path(room.source).suffix for room in find_rooms([str(tmp_path)], apart=tmp_path / "fitted")}
    assert found == set(wanted)


def test_every_text_names_the_list() -> None:
    texts = {
        path: " ".join((ROOT / path).read_text("utf-8").split()) for path in ("README.md", "docs/audition.md")
    }
    texts |= {command.name or "": " ".join((command.help or "").split()) for command in (cli, fit)}
    for place, text in texts.items():
        assert formats.NAMES in text, place
    assert f"{formats.LOSSY_NAMES} are read with a warning" in texts["README.md"]


def test_the_page_shows_the_list_that_it_is_given() -> None:
    page = (ROOT / "apps/audition/fdnlearn_audition/web/fit.js").read_text("utf-8")
    assert "offer.formats" in page
    assert "offer.suffixes" in page
    assert "AIFF" not in page
