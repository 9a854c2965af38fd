"""The other commands on good input: what they print and write, and what all commands have in common."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import decay, record, run, start

from fdnlearn import example_path
from fdnlearn.fdn import FDN, json_schema, load_fdn, save_fdn
from fdnlearn.render import impulse_response
from fdnlearn.rir import metrics_document

pytestmark = pytest.mark.usefixtures("short_report")


class TestAnalyze:
    def test_json_holds_values_and_what_counts(self) -> None:
        outcome = run("analyze", example_path("hall"), "--json")
        assert outcome.code == 0
        document = json.loads(outcome.stdout)
        assert 1.5 < document["target"]["broadband"]["t30_s"] < 3
        assert document["measurable"]["broadband"]["t30"]["counts"] is True
        assert set(document["target"]["octave"]) == {"125", "250", "500", "1000", "2000", "4000", "8000"}
        assert document["recording"]["sample_rate_hz"] == 48000

    def test_the_table_says_why_a_value_does_not_count(self, tmp_path: Path) -> None:
        noisy = decay() + 0.5 * 10 ** (-45 / 20) * np.random.default_rng(9).standard_normal(decay().size)
        outcome = run("analyze", record(tmp_path / "noisy.wav", noisy))
        assert outcome.code == 0
        assert "In parentheses: does not count." in outcome.stdout
        assert "impulse-to-noise ratio" in outcome.stdout
        assert "T30" in outcome.stderr

    def test_measured_rooms_are_analysed(self, rooms: dict[str, Path]) -> None:
        for name in ("living_room_noisy", "jack_lyons_concert_hall"):
            outcome = run("analyze", rooms[name], "--json")
            assert outcome.code == 0, outcome.stderr
            json.loads(outcome.stdout)


class TestRender:
    def network(self, path: Path, inputs: int = 1, outputs: int = 1, gain: float = 1.0) -> Path:
        fdn = FDN.from_arrays(
            sample_rate_hz=16000,
            delays=[101, 211],
            feedback_matrix=[[0.6, 0.8], [-0.8, 0.6]],
            input_gains=np.ones((2, inputs)),
            output_gains=np.full((outputs, 2), 0.2),
            direct_gains=np.ones((outputs, inputs)),
            line_gains=[0.9, 0.8],
            gain=gain,
        )
        save_fdn(fdn, path)
        return path

    @pytest.mark.parametrize(
        ("dry", "inputs", "outputs", "wet"),
        [(1, 1, 1, 1), (2, 1, 1, 2), (1, 1, 2, 2), (2, 1, 2, 2), (1, 2, 2, 2), (2, 2, 2, 2)],
    )
    def test_channels_are_matched(
        self, tmp_path: Path, dry: int, inputs: int, outputs: int, wet: int
    ) -> None:
        network = self.network(tmp_path / "fdn.json", inputs, outputs)
        recording = record(tmp_path / "dry.wav", 0.1 * np.ones((100, dry)))
        outcome = run("render", network, recording, "-o", tmp_path / "wet.wav", "--json")
        assert outcome.code == 0, outcome.stderr
        assert json.loads(outcome.stdout)["channels"] == wet
        assert soundfile.info(tmp_path / "wet.wav").channels == wet

    def test_three_channels_do_not_fit_two_inputs(self, tmp_path: Path) -> None:
        network = self.network(tmp_path / "fdn.json", 2, 2)
        recording = record(tmp_path / "dry.wav", np.ones((100, 3)))
        outcome = run("render", network, recording, "-o", tmp_path / "wet.wav")
        assert outcome.code == 1
        assert "has 3 channels where the network has 2 inputs" in outcome.complaint

    def test_a_stereo_recording_keeps_its_sides_apart(self, tmp_path: Path) -> None:
        network = self.network(tmp_path / "fdn.json")
        left = np.zeros((100, 2))
        left[0, 0] = 1
        assert (
            run("render", network, record(tmp_path / "dry.wav", left), "-o", tmp_path / "wet.wav").code == 0
        )
        wet, _ = soundfile.read(tmp_path / "wet.wav")
        expected = impulse_response(load_fdn(network))[0]
        np.testing.assert_allclose(wet[: expected.size, 0], expected, atol=1e-7)
        assert not wet[:, 1].any()

    def test_the_tail_is_kept_and_the_rate_is_that_of_the_dry_file(self, tmp_path: Path) -> None:
        network = self.network(tmp_path / "fdn.json")
        dry = record(tmp_path / "dry.wav", 0.1 * np.ones(4410), rate=44100)
        assert run("render", network, dry, "-o", tmp_path / "wet.wav").code == 0
        info = soundfile.info(tmp_path / "wet.wav")
        assert info.samplerate == 44100
        assert info.subtype == "FLOAT"
        assert info.frames > 2 * 4410

    def test_music_may_be_longer_than_an_impulse_response(self, tmp_path: Path) -> None:
        network = self.network(tmp_path / "fdn.json")
        dry = record(tmp_path / "dry.wav", np.zeros(200 * 8000), rate=8000)
        assert run("render", network, dry, "-o", tmp_path / "wet.wav").code == 0
        assert run("analyze", dry).code == 1

    def test_another_rate_can_be_asked_for(self, tmp_path: Path) -> None:
        network = self.network(tmp_path / "fdn.json")
        dry = record(tmp_path / "dry.wav", 0.1 * np.ones(1600))
        assert run("render", network, dry, "-o", tmp_path / "wet.wav", "--sample-rate", 48000).code == 0
        assert soundfile.info(tmp_path / "wet.wav").samplerate == 48000

    def test_wet_and_dry_are_levels_in_decibels(self, tmp_path: Path) -> None:
        network = self.network(tmp_path / "fdn.json")
        impulse = np.zeros(50)
        impulse[0] = 0.1
        dry = record(tmp_path / "dry.wav", impulse)
        peaks = {}
        for name, options in {
            "plain": [],
            "quiet": ["--wet", "-20"],
            "both": ["--wet", "-20", "--dry", "-6"],
        }.items():
            assert run("render", network, dry, "-o", tmp_path / f"{name}.wav", *options).code == 0
            peaks[name] = soundfile.read(tmp_path / f"{name}.wav")[0][0]
        assert peaks["plain"] == pytest.approx(0.1, rel=1e-6)
        assert peaks["quiet"] == pytest.approx(0.01, rel=1e-6)
        assert peaks["both"] == pytest.approx(0.01 + 0.1 * 10 ** (-6 / 20), rel=1e-6)

    def test_decay_lengthens_the_tail(self, tmp_path: Path) -> None:
        network = self.network(tmp_path / "fdn.json")
        dry = record(tmp_path / "dry.wav", 0.1 * np.ones(10))
        frames = []
        for decay_factor in (0.5, 1, 2):
            out = tmp_path / f"{decay_factor}.wav"
            assert run("render", network, dry, "-o", out, "--decay", decay_factor).code == 0
            frames.append(soundfile.info(out).frames)
        assert frames == sorted(set(frames))

    def test_what_no_file_can_hold_is_refused(self, tmp_path: Path) -> None:
        network = self.network(tmp_path / "fdn.json", gain=1e300)
        dry = record(tmp_path / "dry.wav", np.full(100, 0.5))
        outcome = run("render", network, dry, "-o", tmp_path / "wet.wav")
        assert outcome.code == 1
        assert "more than a file can hold; lower the gains" in outcome.complaint
        assert not (tmp_path / "wet.wav").exists()

    @pytest.mark.parametrize("suffix", [".flac", ".aiff", ".aif", ".WAV"])
    def test_the_suffix_decides_the_format_and_clipping_is_told(self, tmp_path: Path, suffix: str) -> None:
        network = self.network(tmp_path / "fdn.json")
        dry = record(tmp_path / "dry.wav", np.full(100, 2.0))
        outcome = run("render", network, dry, "-o", tmp_path / f"wet{suffix}")
        assert outcome.code == 0
        assert "exceed full scale" in outcome.stderr
        info = soundfile.info(tmp_path / f"wet{suffix}")
        assert info.subtype == ("FLOAT" if suffix == ".WAV" else "PCM_24")

    def test_an_existing_file_is_replaced_whole(self, tmp_path: Path) -> None:
        network = self.network(tmp_path / "fdn.json")
        (tmp_path / "wet.wav").write_bytes(b"old")
        assert run("render", network, record(tmp_path / "dry.wav"), "-o", tmp_path / "wet.wav").code == 0
        assert soundfile.info(tmp_path / "wet.wav").frames > 0
        assert {path.name for path in tmp_path.iterdir()} == {"fdn.json", "dry.wav", "wet.wav"}


class TestTheRest:
    @pytest.mark.parametrize("options", [[], ["--json"]])
    def test_schema_prints_the_schema(self, options: list[str]) -> None:
        outcome = run("schema", *options)
        assert outcome.code == 0
        assert json.loads(outcome.stdout) == json_schema()

    def test_schema_prints_that_of_the_metrics_too(self) -> None:
        outcome = run("schema", "metrics", "--json")
        assert outcome.code == 0
        assert json.loads(outcome.stdout) == metrics_document.json_schema()
        assert json.loads(run("schema", "fdn").stdout) == json_schema()

    @pytest.mark.parametrize("command", [[], ["fit"], ["analyze"], ["render"], ["schema"]])
    def test_every_command_explains_itself(self, command: list[str]) -> None:
        outcome = run(*command, "--help")
        assert outcome.code == 0
        assert "Usage: fdnlearn" in outcome.stdout

    def test_the_version_is_told(self) -> None:
        outcome = run("--version")
        assert outcome.code == 0
        assert outcome.stdout.startswith("fdnlearn ")

    @pytest.mark.process
    def test_a_reader_that_leaves_is_no_failure_to_talk_about(self) -> None:
        with start("schema") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == ""

    def test_the_choices_are_what_the_code_offers(self) -> None:
        from fdnlearn import fitting, registry

        for model in registry.MODELS.values():
            assert all(callable(registry.load(reference)) for reference in (model.build, model.design))
            terms = registry.load(model.loss)
            assert terms
            assert all(callable(term.prepare) and term.weights for term in terms)
            assert set(model.methods) <= set(registry.METHODS)
        assert all(callable(registry.load(method.solver)) for method in registry.METHODS.values())
        assert callable(fitting.solve)
