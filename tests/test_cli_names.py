"""Results that the user gives no name: two recordings never meet in one place."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest
from command_line import QUICK, contents, decay, record, run
from fdn_networks import network as some_network

from fdnlearn.base.store import STAGING
from fdnlearn.cli.names import candidates
from fdnlearn.fdn import save_fdn
from fdnlearn.rir import read_recording
from fdnlearn.runs.folder import CHECKPOINT, ResultFolder


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rooms(*names: str) -> list[Path]:
    """A recording of its own at each path."""
    made = []
    for seed, name in enumerate(names):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        made.append(record(Path(name), decay(seed=seed)))
    return made


def fitted(recording: Path, folder: str) -> None:
    """What a fit leaves, as far as names depend on it."""
    Path(folder).mkdir(exist_ok=True)
    network(Path(folder) / "fdn.json", read_recording(recording).sha256)


def network(path: Path, recording: str | None, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {"provenance": {"target": {"name": "room.wav", "sha256": recording}}} if recording else {}
    fdn = some_network(2, delays=(100, 300), seed=seed, **fields)
    save_fdn(fdn, path)
    return path


def first(source: str, ending: str = "-fdn", count: int = 4) -> list[str]:
    return list(itertools.islice(candidates(Path(source), ending), count))


class TestCandidates:
    def test_the_own_name_comes_first_then_the_folder_then_numbers(self) -> None:
        assert first("b/rir.wav") == ["rir-fdn", "b-rir-fdn", "b-rir-fdn-2", "b-rir-fdn-3"]

    def test_a_folder_is_known_where_the_path_does_not_say_it(self, tmp_path: Path) -> None:
        assert first("rir.wav", count=2) == ["rir-fdn", f"{tmp_path.name}-rir-fdn"]
        assert first("/rir.wav", count=3) == ["rir-fdn", "rir-fdn-2", "rir-fdn-3"]

    def test_a_network_is_named_by_its_folder(self) -> None:
        assert first("hall-fdn/fdn.json", "", 3) == ["fdn", "hall-fdn", "hall-fdn-2"]

    def test_names_beyond_ascii_stay_as_they_are(self) -> None:
        assert first("Räume/残響.wav", count=2) == ["残響-fdn", "Räume-残響-fdn"]
        assert first("r\udce4ume/k\udcfcche.wav", count=2) == ["k\udcfcche-fdn", "r\udce4ume-k\udcfcche-fdn"]

    def test_results_are_never_hidden_nor_nameless(self) -> None:
        assert first("a/.wav", count=2) == ["wav-fdn", "a-wav-fdn"]
        assert first("a/...", count=2) == ["room-fdn", "a-room-fdn"]

    def test_no_name_is_longer_than_a_file_system_allows(self) -> None:
        long = "残" * 83
        assert all(len(os.fsencode(name)) < 255 for name in first(f"{long}/{long}.wav"))


class TestFit:
    @pytest.fixture(autouse=True)
    def stopped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A fit ends where it would begin, and tells its folder."""

        def stop(recording: object, folder: Path, *args: object, **kwargs: object) -> None:
            raise FolderChosenError(str(folder))

        monkeypatch.setattr("fdnlearn.runs.fit_recording", stop)

    def chosen(self, *args: object) -> tuple[str, str]:
        outcome = run("fit", *args)
        told = outcome.stderr.splitlines()
        return told[-1].split("FolderChosenError: ")[1].split(";")[0], "\n".join(told[:-1])

    def test_another_room_of_the_same_name_goes_elsewhere_and_that_is_told(self) -> None:
        a, b, c = rooms("a/rir.wav", "b/rir.wav", "c/b/rir.wav")
        assert self.chosen(a) == ("rir-fdn", "")
        fitted(a, "rir-fdn")
        folder, told = self.chosen(b)
        assert folder == "b-rir-fdn"
        assert told == "fdnlearn: rir-fdn is of another recording; this one's results: b-rir-fdn"
        fitted(b, "b-rir-fdn")
        assert self.chosen(c)[0] == "b-rir-fdn-2"

    def test_names_that_differ_in_the_suffix_only_are_two(self, tmp_path: Path) -> None:
        wav, flac = rooms("room.wav", "room.flac.wav")
        flac = flac.rename("room.flac")
        fitted(wav, "room-fdn")
        assert self.chosen(flac)[0] == f"{tmp_path.name}-room-fdn"

    @pytest.mark.parametrize("option", [[], ["--resume"], ["--force"]])
    def test_a_recording_finds_its_own_results_again(self, option: list[str]) -> None:
        a, b = rooms("a/rir.wav", "b/rir.wav")
        fitted(a, "rir-fdn")
        fitted(b, "b-rir-fdn")
        assert self.chosen(a, *option) == ("rir-fdn", "")
        assert self.chosen(b, *option)[0] == "b-rir-fdn"

    def test_a_fit_that_runs_or_was_killed_says_whose_it_is(self) -> None:
        a, b = rooms("a/rir.wav", "b/rir.wav")
        with ResultFolder(Path("rir-fdn")).held(read_recording(a).sha256):
            assert self.chosen(a)[0] == "rir-fdn"
            assert self.chosen(b)[0] == "b-rir-fdn"
            # What a kill leaves: the marker as it is, and a checkpoint.
            Path("rir-fdn", CHECKPOINT).touch()
            left = Path("rir-fdn", STAGING).rename("left")
        left.rename(Path("rir-fdn", STAGING))
        assert self.chosen(a, "--resume")[0] == "rir-fdn"
        assert self.chosen(b)[0] == "b-rir-fdn"

    @pytest.mark.parametrize("there", ["", "{}", "[1]", '{"provenance": {"target": 3}}', "\xff"])
    def test_results_that_do_not_say_whose_they_are_are_left_to_the_fit_to_refuse(self, there: str) -> None:
        (room,) = rooms("rir.wav")
        Path("rir-fdn").mkdir()
        Path("rir-fdn", "fdn.json").write_text(there, encoding="latin-1")
        assert self.chosen(room) == ("rir-fdn", "")

    def test_a_named_folder_is_taken_as_it_is(self) -> None:
        a, b = rooms("a/rir.wav", "b/rir.wav")
        fitted(a, "rir-fdn")
        assert self.chosen(b, "-o", "rir-fdn") == ("rir-fdn", "")


class FolderChosenError(Exception):
    pass


@pytest.mark.fit
@pytest.mark.usefixtures("short_report")
def test_two_fits_without_a_name_are_both_kept() -> None:
    a, b = rooms("a/küche.wav", "b/küche.wav")
    assert run("fit", a, *QUICK).code == 0
    before = contents(Path("küche-fdn"))
    assert run("fit", b, *QUICK).code == 0
    assert contents(Path("küche-fdn")) == before
    assert set(contents(Path("b-küche-fdn"))) == set(before)
    assert "already holds results" in run("fit", b, *QUICK).stderr


class TestExport:
    def test_networks_of_two_recordings_are_not_written_over_each_other(self) -> None:
        a, b = network(Path("a-fdn/fdn.json"), "aa"), network(Path("b-fdn/fdn.json"), "bb", 1)
        assert run("export", a, "--to", "wav", "-o", "out").stderr == ""
        before = contents(Path("out"))
        outcome = run("export", b, "--to", "wav", "-o", "out", "--json")
        assert outcome.stderr == "fdnlearn: fdn is of another recording; this one's results: b-fdn\n"
        assert Path(json.loads(outcome.stdout)[0]["files"][0]).name == "b_fdn.wav"
        assert before.items() <= contents(Path("out")).items()

    def test_another_fit_of_the_same_recording_replaces_the_export(self) -> None:
        for seed in (0, 1):
            assert (
                run("export", network(Path("fdn.json"), "aa", seed), "--to", "wav", "-o", "out").stderr == ""
            )
        assert set(contents(Path("out"))) == {"fdn.wav", "fdn.wav.cert.json"}

    def test_networks_that_do_not_say_where_they_come_from_go_by_their_file(self) -> None:
        for seed in (0, 1):
            assert run("export", network(Path("fdn.json"), None, seed), "--to", "wav", "-o", "out").code == 0
        assert set(contents(Path("out"))) == {"fdn.wav", "fdn.wav.cert.json"}
