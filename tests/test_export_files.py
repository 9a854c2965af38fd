"""What exporting writes, certifies, lists and refuses."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from command_line import contents, run
from export_networks import headed_stereo, mono, shelves_known, stereo
from fdn_networks import head_of, network

from fdnlearn import registry
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import AudioArray
from fdnlearn.export import export
from fdnlearn.export.certificate import LONGEST_S, response_hash
from fdnlearn.export.network import describe
from fdnlearn.fdn import FDN, dumps_fdn, save_fdn
from fdnlearn.render import BlockRenderer, impulse_response, tail_length_s
from fdnlearn.rir import read_recording


@pytest.fixture(autouse=True)
def families() -> Iterator[None]:
    with shelves_known():
        yield


@pytest.fixture
def fdn_file(tmp_path: Path) -> Path:
    save_fdn(mono(), tmp_path / "fdn.json")
    return tmp_path / "fdn.json"


class TestCommand:
    def test_every_target_is_listed_with_its_proof(self) -> None:
        outcome = run("export", "--list")
        assert outcome.code == 0
        for name in registry.TARGETS:
            assert f"\n{name} " in "\n" + outcome.stdout
        rows = json.loads(run("export", "--list", "--json").stdout)
        assert [row["target"] for row in rows] == list(registry.TARGETS)
        assert [row["target"] for row in rows if not row["verified"]] == ["jsfx"]

    def test_all_targets_at_once_have_a_certificate_each(self, fdn_file: Path, tmp_path: Path) -> None:
        outcome = run("export", fdn_file, "--to", "all", "-o", tmp_path / "out", "--name", "hall")
        assert outcome.code == 0, outcome.stderr
        written = contents(tmp_path / "out")
        assert {f"hall.{name}.cert.json" for name in registry.TARGETS} <= set(written)
        assert not [name for name in written if "partial" in name]

    def test_a_check_prints_the_error(self, fdn_file: Path, tmp_path: Path) -> None:
        outcome = run("export", fdn_file, "--to", "wav,sofa", "-o", tmp_path / "out", "--check", "--json")
        assert outcome.code == 0
        wav, sofa = json.loads(outcome.stdout)
        assert wav["check"]["passed"]
        assert -170 < wav["check"]["error_db"] <= -140
        assert sofa["check"]["error_db"] == -400

    def test_a_failed_check_fails(
        self, fdn_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def silent(job):  # type: ignore[no-untyped-def]
            return np.zeros((job.network.outputs, job.samples))

        monkeypatch.setattr("fdnlearn.export.hosts.audio_file.render_wav", silent)
        outcome = run("export", fdn_file, "--to", "wav", "-o", tmp_path / "out", "--check")
        assert outcome.code == 1
        assert "wav 0.0 dB" in outcome.stderr

    def test_a_missing_host_is_told(
        self, fdn_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        outcome = run("export", fdn_file, "--to", "csound", "-o", tmp_path / "out", "--check")
        assert outcome.code == 1
        assert "nothing was checked: csound: is not installed" in outcome.stderr
        assert "not checked (csound: is not installed; apt-get install csound)" in outcome.stdout


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["--to", "vst9", "-o", "out"], "'vst9' is no export target"),
            (["--to", ",", "-o", "out"], "names no export target"),
            (["-o", "out"], "--to: is missing"),
            (["--to", "wav"], "-o: is missing"),
            (["--to", "wav", "-o", "out", "--sample-rate", "12"], "--sample-rate"),
        ],
    )
    def test_wrong_usage(
        self, fdn_file: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], complaint: str
    ) -> None:
        monkeypatch.chdir(fdn_file.parent)
        outcome = run("export", fdn_file, *arguments)
        assert outcome.code == 2
        assert complaint in outcome.complaint
        assert not Path("out").exists()

    def test_no_network(self) -> None:
        outcome = run("export", "--to", "wav", "-o", "out")
        assert outcome.code == 2
        assert "FDN.json: is missing" in outcome.complaint

    def test_a_file_that_is_no_network(self, tmp_path: Path) -> None:
        (tmp_path / "bad.json").write_text("[]")
        outcome = run("export", tmp_path / "bad.json", "--to", "wav", "-o", tmp_path / "out")
        assert outcome.code == 1
        assert "bad.json" in outcome.complaint

    def test_a_folder_that_cannot_be_made(self, fdn_file: Path) -> None:
        outcome = run("export", fdn_file, "--to", "wav", "-o", fdn_file / "out")
        assert outcome.code == 1
        assert "cannot be written" in outcome.complaint

    def test_a_full_disk_leaves_nothing_behind(
        self, fdn_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("fdnlearn.export.exporting.write_certificate", full)
        outcome = run("export", fdn_file, "--to", "csound", "-o", tmp_path / "out" / "deep")
        assert outcome.code == 1
        assert "no space left" in outcome.complaint
        assert not (tmp_path / "out").exists()

    def test_a_rate_at_which_a_delay_vanishes(self, tmp_path: Path) -> None:
        save_fdn(network(4, sample_rate_hz=48000, delays=(3, 9)), tmp_path / "short.json")
        arguments = ("--to", "wav", "-o", tmp_path / "out", "--sample-rate", 4000)
        outcome = run("export", tmp_path / "short.json", *arguments)
        assert outcome.code == 1
        assert "vanishes" in outcome.complaint
        assert "--sample-rate" in outcome.complaint

    def test_a_response_that_no_target_could_play(self, tmp_path: Path) -> None:
        save_fdn(network(2, delays=(50, 200), gain=1e300), tmp_path / "loud.json")
        outcome = run("export", tmp_path / "loud.json", "--to", "wav,c99", "-o", tmp_path / "out")
        assert outcome.code == 1
        assert re.search(r"its response reaches \S+e\+\d{3}, more than a target can play", outcome.complaint)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("name", ["faust", "puredata", "supercollider", "csound", "jsfx"])
    def test_too_many_lines(self, tmp_path: Path, name: str) -> None:
        save_fdn(network(70, delays=(200, 2000)), tmp_path / "large.json")
        outcome = run("export", tmp_path / "large.json", "--to", f"wav,{name}", "-o", tmp_path / "out")
        assert outcome.code == 1
        assert re.search(rf"{name}: carries at most \d+ delay lines, not 70", outcome.complaint)
        assert not (tmp_path / "out").exists()


class TestFiles:
    def test_the_certificate_can_be_checked_again(self, tmp_path: Path) -> None:
        fdn = stereo()
        exported = export(fdn, "csound", tmp_path, name="hall")[0]
        proof = json.loads(exported.certificate.read_text())
        for name, digest in proof["files"].items():
            assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
        assert hashlib.sha256(dumps_fdn(fdn).encode()).hexdigest() == proof["network_sha256"]
        response = describe(fdn, "hall").impulse_response(LONGEST_S)
        assert proof["expected"]["samples"] == response.shape[2]
        assert response_hash(response) == proof["expected"]["response_sha256"]
        assert proof["stability"]["loop_gain_bound"] <= proof["stability"]["allowed"]
        octaves = {row["frequency_hz"]: row for row in proof["stability"]["octaves"]}
        assert octaves[62.5]["reverberation_time_s"] == pytest.approx(1.2, rel=0.05)
        assert octaves[16000]["reverberation_time_s"] == pytest.approx(0.5, rel=0.2)
        assert max(row["largest_gain"] for row in octaves.values()) <= proof["stability"]["loop_gain_bound"]

    def test_the_hash_forgives_last_bits_and_nothing_more(self) -> None:
        response = describe(mono(), "room").impulse_response(LONGEST_S)
        assert response_hash(response * (1 + 1e-15)) == response_hash(response)
        other = response.copy()
        other[0, 0, 400] += 1e-5 * np.max(np.abs(other))
        assert response_hash(other) != response_hash(response)

    def test_true_stereo_channels_come_input_by_input(self, tmp_path: Path) -> None:
        fdn = stereo()
        export(fdn, "wav", tmp_path, name="hall")
        samples, _ = soundfile.read(tmp_path / "hall.wav", always_2d=True)
        for k in (0, 1):
            expected = impulse_response(fdn, input_index=k)
            assert np.allclose(samples.T[2 * k : 2 * k + 2], expected, atol=1e-7)

    def test_the_sofa_file_is_a_recording_again(self, tmp_path: Path) -> None:
        export(mono(), "sofa", tmp_path)
        recording = read_recording(tmp_path / "fdn.sofa")
        assert recording.sample_rate_hz == 16000
        assert np.array_equal(recording.samples[0], impulse_response(mono())[0])

    def test_equal_networks_give_equal_files(self, tmp_path: Path) -> None:
        names = [name for name in registry.TARGETS if name != "sofa"]  # that one carries the date
        for folder in ("a", "b"):
            export(mono(), names, tmp_path / folder)
        assert contents(tmp_path / "a") == contents(tmp_path / "b")

    @pytest.mark.host
    def test_the_response_is_rendered_once_for_all_exports_and_their_checks(
        self, fdn_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rendered: list[int] = []
        process = BlockRenderer.process

        def counted(self: BlockRenderer, block: npt.ArrayLike) -> AudioArray:
            rendered.append(np.shape(block)[-1])
            return process(self, block)

        monkeypatch.setattr(BlockRenderer, "process", counted)
        arguments = ("--to", "c99,wav,webaudio,sofa", "-o", tmp_path / "out", "--check", "--json")
        outcome = run("export", fdn_file, *arguments)
        assert outcome.code == 0, outcome.stderr
        assert len(json.loads(outcome.stdout)) == 4
        assert sum(rendered) == round(tail_length_s(mono()) * mono().sample_rate_hz)

    def test_pieces_of_runs_are_the_taps(self) -> None:
        exported = describe(headed_stereo(), "hall", 16000)
        taps = [(t.output, t.input, t.delay_samples, t.gain) for t in exported.taps]
        for longest in (1, 3, 7, 1000):
            pieces = exported.pieces(longest)
            assert max(len(piece.gains) for piece in pieces) <= longest
            assert taps == [
                (p.output, p.input, p.delay_samples + late, gain)
                for p in pieces
                for late, gain in enumerate(p.gains)
            ]
        assert exported.pieces(1000) == exported.runs

    def test_a_head_counts_by_what_a_target_takes_at_once(self, tmp_path: Path) -> None:
        fdn = network(4, **head_of(1500, 700))
        assert export(fdn, ["supercollider", "puredata"], tmp_path)
        with pytest.raises(FdnlearnError, match="pyfdn: carries at most 512 lines of early taps, not 1499"):
            export(fdn, "pyfdn", tmp_path)

    def test_a_response_that_grew_is_the_response(self) -> None:
        exported = describe(stereo(), "hall")
        short, whole = exported.impulse_response(0.01), exported.impulse_response()
        columns = [impulse_response(stereo(), input_index=k) for k in range(2)]
        assert np.array_equal(whole, np.stack(columns, axis=1))
        assert np.array_equal(short, whole[..., : short.shape[2]])

    def test_exports_of_one_name_at_once_do_not_mix(self, tmp_path: Path) -> None:
        """Each is of its own network: beside the certificate lies what it speaks of."""
        networks = [mono(), stereo()] * 4
        barrier = threading.Barrier(len(networks))

        def write(fdn: FDN) -> None:
            barrier.wait()
            export(fdn, "csound", tmp_path, name="hall")

        with ThreadPoolExecutor(len(networks)) as threads:
            list(threads.map(write, networks))
        proof = json.loads((tmp_path / "hall.csound.cert.json").read_text())
        for name, digest in proof["files"].items():
            assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
        assert {path.name for path in tmp_path.iterdir()} == {*proof["files"], "hall.csound.cert.json"}

    def test_an_earlier_export_is_replaced(self, tmp_path: Path) -> None:
        export(mono(), "c99", tmp_path)
        before = contents(tmp_path)
        export(stereo(), "c99", tmp_path)
        after = contents(tmp_path)
        assert before.keys() == after.keys()
        assert before != after


class TestJsfxSyntax:
    """What REAPER's compiler would refuse or misread."""

    @pytest.fixture
    def code(self, tmp_path: Path) -> str:
        export(stereo(), "jsfx", tmp_path, name="hall")
        return (tmp_path / "hall.jsfx").read_text()

    def test_numbers_have_no_exponents(self, code: str) -> None:
        assert not re.search(r"\d\.?e[-+]?\d", code, re.IGNORECASE)

    def test_identifiers_do_not_differ_by_case_alone(self, code: str) -> None:
        body = re.sub(r"//[^\n]*", "", code.split("@init")[1])
        words = set(re.findall(r"\b[A-Za-z_]\w*", body))
        assert len({word.lower() for word in words}) == len(words)

    def test_brackets_are_balanced(self, code: str) -> None:
        pairs = {")": "(", "]": "["}
        for section in re.split(r"^@\w+$", code, flags=re.MULTILINE)[1:]:
            open_: list[str] = []
            for character in re.sub(r"//[^\n]*", "", section):
                if character in "([":
                    open_.append(character)
                elif character in ")]":
                    assert open_.pop() == pairs[character]
            assert not open_

    def test_every_channel_has_a_pin(self, code: str) -> None:
        assert code.count("in_pin:") == 2
        assert code.count("out_pin:") == 2
