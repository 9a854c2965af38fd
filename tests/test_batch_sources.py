"""What a batch is about: files, folders, patterns, manifests, SOFA files with many measurements."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import sofar
from batch_rooms import TINY
from command_line import decay
from hypothesis import given
from hypothesis import strategies as st

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.runs.many.names import folder_name
from fdnlearn.runs.many.one import fit_room
from fdnlearn.runs.many.sources import find_rooms
from fdnlearn.runs.many.task import BatchRoom


def write_sofa(path: Path, measurements: int, receivers: int = 1, rate: int = 8000) -> Path:
    """A SOFA file of small rooms; receivers of one measurement differ in their noise."""
    sofa = sofar.Sofa("GeneralFIR" if receivers != 2 else "SimpleFreeFieldHRIR")
    rooms = [decay(0.3, rate, seed=seed) for seed in range(measurements * receivers)]
    sofa.Data_IR = np.array(rooms).reshape(measurements, receivers, -1)
    sofa.Data_SamplingRate = rate
    sofa.Data_Delay = np.zeros((1, receivers))
    sofa.ReceiverPosition = np.zeros((receivers, 3))
    sofa.SourcePosition = np.ones((measurements, 3))
    sofar.write_sofa(str(path), sofa)
    return path


def find(*inputs: object, apart: Path = Path("nowhere")) -> list[BatchRoom]:
    return find_rooms([str(given) for given in inputs], apart=apart)


def names(*inputs: object) -> list[str]:
    return [room.name for room in find(*inputs)]


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_folder_is_searched_to_its_ends_in_a_fixed_order(tmp_path: Path) -> None:
    touch(
        *(
            tmp_path / name
            for name in ("b.wav", "a.WAV", "hall/c.wav", "notes.txt", ".hidden.wav", ".git/d.wav")
        )
    )
    found = find(tmp_path)
    assert [Path(room.source).name for room in found] == ["a.WAV", "b.wav", "c.wav"]
    assert [room.name for room in found][:2] == ["a", "b"]


def test_results_are_no_recordings(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav", tmp_path / "a-fdn" / "ir.wav", tmp_path / "a-fdn" / "fdn.json")
    touch(tmp_path / "out" / "rooms" / "a" / "target.wav")
    assert [room.name for room in find(tmp_path, apart=tmp_path / "out")] == ["a"]


def test_a_pattern_names_rooms_by_what_varies_in_it(tmp_path: Path) -> None:
    touch(tmp_path / "rooms" / "hall.wav", tmp_path / "rooms" / "deep" / "cave.wav", tmp_path / "other.wav")
    assert names(tmp_path / "rooms" / "*.wav") == ["hall"]
    found = names(tmp_path / "rooms" / "**" / "*.wav")
    assert len(found) == 2
    assert "hall" in found
    assert any(name.startswith("deep-cave-") for name in found)


def test_what_is_named_twice_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    with pytest.raises(FdnlearnError, match="is named twice"):
        find(tmp_path / "a.wav", tmp_path / "a.wav")


@pytest.mark.parametrize("given", ["empty", "none*.wav"])
def test_an_input_without_recordings_is_refused(tmp_path: Path, given: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FdnlearnError, match="names no recordings"):
        find(tmp_path / given)
    with pytest.raises(UsageError, match="no recording is named"):
        find()


def test_a_missing_file_is_a_room_that_will_fail(tmp_path: Path) -> None:
    (room,) = find(tmp_path / "none.wav")
    assert room.source == str(tmp_path / "none.wav")


def test_names_that_no_file_can_have_are_rooms_that_will_fail(tmp_path: Path) -> None:
    manifest = tmp_path / "rooms.csv"
    names = ["x" * 300 + ".sofa", "x" * 300 + ".wav", "a\0b.wav"]
    manifest.write_text("path,channel\n" + "".join(f"{name},\n" for name in names) + f"a.wav,{'9' * 5000}\n")
    rooms = find(manifest)
    outcomes = [fit_room(room, TINY, tmp_path / "out") for room in rooms]
    told = ["not a readable SOFA file", "cannot be read", "does not exist", "'9{40}' is no channel"]
    assert all(re.search(words, one.problem) for words, one in zip(told, outcomes, strict=True))
    assert not any("report it" in one.problem for one in outcomes)


class TestManifest:
    TABLE = "path,name,channel,measurement,owner\na.wav,Hall,,,me\nsub/b.wav,,1,,\nc.sofa,,all,2,\n,,,,\nd.wav,,x,,\n"

    def check(self, found: list[BatchRoom], folder: Path) -> None:
        a, b, c, empty, wrong = found
        assert a == BatchRoom("Hall", str(folder / "a.wav"))
        assert (b.source, b.channel) == (str(folder / "sub" / "b.wav"), 1)
        assert b.name.endswith("-ch1")
        assert (c.channel, c.measurement) == ("all", 2)
        assert empty.fault is not None
        assert "row 4: names no recording" in empty.fault
        assert wrong.fault is not None
        assert "'x' is no channel; write whole numbers from 1" in wrong.fault

    def test_csv(self, tmp_path: Path) -> None:
        manifest = tmp_path / "rooms.csv"
        manifest.write_text("\ufeff" + self.TABLE, encoding="utf-8")
        self.check(find(manifest), tmp_path)

    def test_parquet(self, tmp_path: Path) -> None:
        arrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        columns = {
            "path": ["a.wav", "sub/b.wav", "c.sofa", None, "d.wav"],
            "name": ["Hall", None, None, None, None],
            "channel": [None, "1", "all", None, "x"],
            "measurement": [None, None, 2, None, None],
            "position": [[0.0, 1.0]] * 5,
        }
        parquet.write_table(arrow.table(columns), tmp_path / "rooms.parquet")
        self.check(find(tmp_path / "rooms.parquet"), tmp_path)

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"file,room\na.wav,b\n", "no column path"),
            (b"\xff\xfe\x00", "UTF-8"),
            (b"path\n", "names no recordings"),
        ],
    )
    def test_one_that_is_none_is_refused(self, tmp_path: Path, content: bytes, said: str) -> None:
        manifest = tmp_path / "rooms.csv"
        manifest.write_bytes(content)
        with pytest.raises(FdnlearnError, match=said):
            find(manifest)

    @pytest.mark.parametrize("name", ["rooms.csv", "rooms.parquet"])
    def test_a_missing_or_broken_one_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(FdnlearnError, match="cannot be read"):
            find(tmp_path / name)
        (tmp_path / "rooms.parquet").write_bytes(b"PAR1 rubbish")
        with pytest.raises(FdnlearnError, match="cannot be read"):
            find(tmp_path / "rooms.parquet")

    def test_damaged_parquet_is_refused_in_our_words(self, tmp_path: Path) -> None:
        arrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        whole = tmp_path / "rooms.parquet"
        parquet.write_table(arrow.table({"path": ["room-1.wav"]}), whole, use_dictionary=False)
        content = whole.read_bytes()
        for damaged in (content.replace(b"room-1", b"\x80oom-1"), b"PAR1" + content[20:]):
            whole.write_bytes(damaged)
            with pytest.raises(FdnlearnError, match=r"cannot be read \(no parquet, or damaged\); give a CSV"):
                find(whole)

    def test_a_path_longer_than_any_is_a_fault_of_its_row(self, tmp_path: Path) -> None:
        manifest = tmp_path / "rooms.csv"
        manifest.write_text(f"path\n{'x' * 100_000}\n{'y' * 300}.wav\n")
        too_long, possible = find(manifest)
        said = f"{manifest}, row 1: names a recording by 100000 characters; write at most 4096 into path"
        assert too_long.fault == said
        assert possible.fault is None


def test_every_measurement_of_a_sofa_file_is_a_room(tmp_path: Path) -> None:
    path = write_sofa(tmp_path / "many.sofa", 3)
    found = find(path)
    assert [room.measurement for room in found] == [0, 1, 2]
    assert len({room.name for room in found}) == 3
    (tmp_path / "text.sofa").write_text("no SOFA")
    (broken,) = find(tmp_path / "text.sofa")
    assert broken.fault is not None
    assert "not a readable SOFA file" in broken.fault


@given(st.text(min_size=1, max_size=300))
def test_a_folder_name_is_safe_whatever_the_label(label: str) -> None:
    name = folder_name(label)
    assert name == folder_name(label)
    assert name.isascii()
    assert 0 < len(name) <= 100
    assert not set(name) & set('/\\:*?"<>| \n\0')
    assert name[0] not in ".-"


@pytest.mark.parametrize(
    "label", ["con", "NUL.txt", "aux.wav", "a/Com1.wav", "lpt9.a.b", f"{'x' * 90}/con.flac"]
)
def test_a_folder_name_is_no_device_of_windows(label: str) -> None:
    name = folder_name(label, "-ch1")
    assert name.endswith("-ch1")
    assert name.split(".")[0].lower() not in {"con", "nul", "aux", "com1", "lpt9"}


@pytest.mark.parametrize("label", ["concert", "com10", "auxiliary.wav", "console.1"])
def test_names_that_only_begin_like_a_device_stay(label: str) -> None:
    assert folder_name(label) == label.removesuffix(".wav")


def test_labels_that_clean_up_to_the_same_stay_apart() -> None:
    labels = ["a b.wav", "a-b.wav", "a/b.wav", "a_b.wav", "a-b.flac", "ä.wav", "ö.wav"]
    assert len({folder_name(label) for label in labels}) == len(labels)
    assert folder_name("a-b.wav") == "a-b"
