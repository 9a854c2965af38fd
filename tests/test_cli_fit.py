"""`fdnlearn fit` on good input: what it prints and writes, and which unusual recordings it takes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import soundfile
from command_line import QUICK, contents, decay, record, run

from fdnlearn import FitConfig, fit_recording
from fdnlearn.fdn import load_fdn
from fdnlearn.fitting import Status
from fdnlearn.render import impulse_response
from fdnlearn.rir import Recording, read_recording
from fdnlearn.rir.metrics_document import json_schema, load_metrics
from fdnlearn.runs.folder import RESULTS

pytestmark = [pytest.mark.fit, pytest.mark.usefixtures("short_report")]


class TestFit:
    def test_the_folder_holds_exactly_the_results(self, fitted: Path) -> None:
        assert set(contents(fitted)) == set(RESULTS)

    def test_the_report_is_a_page_about_the_recording(self, fitted: Path, room: Path) -> None:
        page = (fitted / "report.html").read_text()
        assert page.startswith("<!doctype html>")
        assert room.name in page

    def test_the_audio_is_float32_at_the_rate_of_the_fit(self, fitted: Path) -> None:
        for name in ("ir.wav", "target.wav"):
            info = soundfile.info(fitted / name)
            assert (info.subtype, info.samplerate, info.channels) == ("FLOAT", 16000, 1)

    def test_the_response_is_what_the_network_renders(self, fitted: Path) -> None:
        written, _ = soundfile.read(fitted / "ir.wav", dtype="float32")
        rendered = impulse_response(load_fdn(fitted / "fdn.json"))[0]
        np.testing.assert_array_equal(written, rendered.astype(np.float32))

    def test_target_and_response_have_the_level_of_the_recording(self, fitted: Path, room: Path) -> None:
        recording, _ = soundfile.read(room)
        target, _ = soundfile.read(fitted / "target.wav")
        np.testing.assert_allclose(np.abs(target).max(), np.abs(recording).max(), rtol=0.05)
        response, _ = soundfile.read(fitted / "ir.wav")
        energy = np.sum(response**2) / np.sum(target**2)
        assert 0.2 < energy < 5

    def test_metrics_hold_what_the_documentation_promises(self, fitted: Path, room: Path) -> None:
        metrics = json.loads((fitted / "metrics.json").read_text())
        jsonschema.validate(metrics, json_schema())
        assert load_metrics(fitted / "metrics.json").to_json() == metrics
        assert {"target", "fitted", "error", "measurable", "seconds", "iterations", "status"} <= set(metrics)
        assert metrics["status"] == "completed"
        assert metrics["recording"]["name"] == room.name
        assert metrics["settings"]["lines"] == 4
        assert metrics["settings"]["seed"] == 0
        assert {"t20_percent", "c80_db", "edp_rms", "edc_rms_db"} <= set(metrics["error"]["broadband"])
        assert set(metrics["target"]["octave"]) == set(metrics["fitted"]["octave"])

    def test_history_has_a_row_for_every_iteration(self, fitted: Path) -> None:
        metrics = json.loads((fitted / "metrics.json").read_text())
        rows = list(csv.DictReader((fitted / "history.csv").read_text().splitlines()))
        assert len(rows) == metrics["iterations"]
        assert {"stage", "iteration", "total_iterations", "seconds", "loss", "best_loss"} <= set(rows[0])
        assert all(float(row["loss"]) >= 0 for row in rows)

    def test_provenance_tells_everything_but_the_time(self, fitted: Path, room: Path) -> None:
        provenance = load_fdn(fitted / "fdn.json").provenance
        assert provenance["program"].startswith("fdnlearn ")
        assert provenance["method"] == "gradient"
        assert provenance["target"]["name"] == room.name
        assert len(provenance["target"]["sha256"]) == 64
        assert provenance["metrics"]["after_snapping"] is not None
        assert "seconds" not in json.dumps(provenance)

    def test_delays_end_on_whole_samples(self, fitted: Path) -> None:
        assert all(delay.is_integer() for delay in load_fdn(fitted / "fdn.json").delays_samples)

    def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
        self, fitted: Path, room: Path, tmp_path: Path
    ) -> None:
        assert run("fit", room, "-o", tmp_path / "again", *QUICK).code == 0
        assert run("fit", room, "-o", tmp_path / "other", "--seed", 1, *QUICK).code == 0
        first = contents(fitted)
        assert contents(tmp_path / "again")["fdn.json"] == first["fdn.json"]
        assert contents(tmp_path / "again")["ir.wav"] == first["ir.wav"]
        assert contents(tmp_path / "other")["fdn.json"] != first["fdn.json"]

    def test_the_recording_is_read_once_and_its_target_is_shown_before_the_fit(
        self, room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[object] = []

        def reading(path: Path, **more: object) -> Recording:
            calls.append(path)
            return read_recording(path)

        monkeypatch.setattr("fdnlearn.rir.read_recording", reading)
        config = FitConfig.for_model("homogeneous", lines=4, iterations=6, restarts=2)
        done = fit_recording(
            room,
            tmp_path / "out",
            config,
            on_prepared=calls.append,
            callback=lambda progress: len(calls) > 2,
        )
        assert calls == [room, done.evaluation.solution.target]
        assert done.evaluation.solution.status is Status.COMPLETED

    def test_json_is_one_document_and_nothing_else(self, room: Path, tmp_path: Path) -> None:
        outcome = run("fit", room, "-o", tmp_path / "out", "--json", *QUICK)
        assert outcome.code == 0
        document = json.loads(outcome.stdout)
        assert document["folder"] == str(tmp_path / "out")
        assert outcome.stderr == ""

    def test_without_json_a_table_and_the_report_are_shown(self, room: Path, tmp_path: Path) -> None:
        outcome = run("fit", room, "-o", tmp_path / "out", *QUICK)
        assert "T30" in outcome.stdout
        assert "4 lines, 11 iterations (explore 1, thin out 2, snap 2, settle 6) in" in outcome.stdout
        assert str(tmp_path / "out" / "report.html") in outcome.stdout
        assert "\x1b" not in outcome.stdout

    def test_the_folder_is_named_after_the_recording(
        self, room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert run("fit", room, *QUICK).code == 0
        assert [path.name for path in tmp_path.iterdir()] == ["room-fdn"]

    def test_force_replaces_results_and_leaves_other_files(self, room: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        for name in (*RESULTS, "checkpoint.safetensors", "notes.txt"):
            (out / name).write_bytes(b"old")
        assert run("fit", room, "-o", out, "--force", *QUICK).code == 0
        assert set(contents(out)) == {*RESULTS, "notes.txt"}
        assert [name for name, data in contents(out).items() if data == b"old"] == ["notes.txt"]

    def test_resume_without_an_unfinished_fit_starts_from_the_beginning(
        self, fitted: Path, room: Path, tmp_path: Path
    ) -> None:
        outcome = run("fit", room, "-o", tmp_path / "out", "--resume", *QUICK)
        assert outcome.code == 0
        assert f"warning: {tmp_path / 'out'}: holds nothing to resume: this fit begins anew" in outcome.stderr
        assert contents(tmp_path / "out")["fdn.json"] == contents(fitted)["fdn.json"]

    def test_flags_override_the_configuration_file(self, room: Path, tmp_path: Path) -> None:
        config = tmp_path / "fit.toml"
        config.write_text(
            "lines = 3\niterations = 4\nrestarts = 2\nmodel = 'homogeneous'\nsample-rate = 8000\n"
        )
        outcome = run("fit", room, "-o", tmp_path / "out", "--config", config, "--lines", 2, "--json")
        settings = json.loads(outcome.stdout)["settings"]
        assert settings["lines"] == 2
        assert settings["iterations"] == 4
        assert settings["sample_rate_hz"] == 8000

    def test_all_channels_become_outputs(self, tmp_path: Path) -> None:
        stereo = record(tmp_path / "stereo.wav", np.stack([decay(seed=1), decay(seed=2)], axis=1))
        assert run("fit", stereo, "-o", tmp_path / "out", "--channel", "all", *QUICK).code == 0
        assert load_fdn(tmp_path / "out" / "fdn.json").outputs == 2
        assert soundfile.info(tmp_path / "out" / "ir.wav").channels == 2

    def test_fractional_delays_are_kept_and_warned_about(self, room: Path, tmp_path: Path) -> None:
        outcome = run("fit", room, "-o", tmp_path / "out", "--delays", "fractional", *QUICK)
        assert outcome.code == 0
        assert "every renderer rounds them" in outcome.stderr
        assert not all(delay.is_integer() for delay in load_fdn(tmp_path / "out" / "fdn.json").delays_samples)


ACCEPTED = {
    "clipped": (np.clip(30 * decay(), -0.5, 0.5), 16000, "clipped"),
    "inverted": (-decay(), 16000, "polarity is inverted"),
    "8 kHz": (decay(rate=8000), 8000, "not at 16000 Hz"),
    "192 kHz": (decay(rate=192000), 192000, ""),
    "late": (decay(silence_s=0.136), 16000, "starts late"),
    "64 channels": (np.stack([decay(seed=seed) for seed in range(64)], axis=1), 16000, "has 64 channels"),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_unusual_recordings_are_fitted_with_a_warning(tmp_path: Path, kind: str) -> None:
    samples, rate, said = ACCEPTED[kind]
    recording = record(tmp_path / "Küche (2) – 残響.wav", samples, rate)
    outcome = run("fit", recording, "-o", tmp_path / "Ergebnis für später", *QUICK)
    assert outcome.code == 0, outcome.stderr
    assert said in outcome.stderr
    assert all(str(recording) in line for line in outcome.stderr.splitlines())
    assert set(contents(tmp_path / "Ergebnis für später")) == set(RESULTS)


def test_a_chosen_channel_is_fitted_without_a_warning(tmp_path: Path) -> None:
    channels = np.stack([decay(seed=seed) for seed in range(64)], axis=1)
    recording = record(tmp_path / "array.wav", channels)
    outcome = run("fit", recording, "-o", tmp_path / "out", "--channel", 64, *QUICK)
    assert (outcome.code, outcome.stderr) == (0, "")


def test_a_name_that_is_no_unicode_is_read(tmp_path: Path) -> None:
    recording = tmp_path / "r\udce4um.wav"
    recording.write_bytes(record(tmp_path / "room.wav").read_bytes())
    outcome = run("fit", recording, "-o", tmp_path / "out", *QUICK)
    assert outcome.code == 0, outcome.stderr
    assert load_fdn(tmp_path / "out" / "fdn.json").lines == 4
