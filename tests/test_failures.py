"""Everything a user can get wrong, through the command line: one line on stderr, an exit code, nothing written."""

from __future__ import annotations

import errno
import os
import resource
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import QUICK, contents, decay, launch, record, run

from fdnlearn import FdnlearnError, FitConfig, fit_recording

Maker = Callable[[Path], object]


def _noise(path: Path) -> None:
    record(path, 0.1 * np.random.default_rng(0).standard_normal(16000))


def _truncated(path: Path) -> None:
    record(path)
    path.write_bytes(path.read_bytes()[:2000])


def _lying_header(path: Path) -> None:
    """A header that promises a gigabyte."""
    form = struct.pack("<HHIIHH", 1, 1, 48000, 96000, 2, 16)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", 1 << 30)
    path.write_bytes(b"RIFF" + struct.pack("<I", 1 << 30) + b"WAVE" + chunks + bytes(1000))


def _with(value: float) -> Maker:
    def make(path: Path) -> None:
        samples = decay()
        samples[1000] = value
        record(path, samples)

    return make


REFUSED: dict[str, Maker] = {
    "missing file": lambda path: None,
    "directory": lambda path: path.mkdir(),
    "empty file": lambda path: path.touch(),
    "text": lambda path: path.write_text("This is not audio.\n" * 100),
    "binary rubbish": lambda path: path.write_bytes(np.random.default_rng(1).bytes(5000)),
    "truncated": _truncated,
    "lying header": _lying_header,
    "zero samples": lambda path: record(path, np.zeros(0)),
    "one sample": lambda path: record(path, np.ones(1)),
    "silence": lambda path: record(path, np.zeros(16000)),
    "direct current": lambda path: record(path, np.full(16000, 0.3)),
    "NaN": _with(np.nan),
    "infinity": _with(np.inf),
    "noise without decay": _noise,
    "named pipe": os.mkfifo,
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("command", ["fit", "analyze"])
def test_a_bad_recording_is_refused_in_one_line(tmp_path: Path, kind: str, command: str) -> None:
    recording = tmp_path / "my room.wav"
    REFUSED[kind](recording)
    out = tmp_path / "deep" / "out"
    outcome = run(command, recording, *(["-o", out, *QUICK] if command == "fit" else []))
    assert outcome.code == 1
    assert str(recording) in outcome.complaint
    assert ";" in outcome.complaint, "no remedy"
    assert not out.parent.exists()


def test_a_file_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    outcome = run("analyze", tmp_path / "red\x1b[31m.wav")
    assert r"red\x1b[31m.wav: does not exist" in outcome.complaint


def test_no_name_is_named(tmp_path: Path) -> None:
    outcome = run("render", "", record(tmp_path / "dry.wav"), "-o", tmp_path / "wet.wav")
    assert outcome.complaint == "fdnlearn: '': there is no such file; check the path"


def test_a_file_name_cannot_break_the_line(tmp_path: Path) -> None:
    outcome = run("analyze", tmp_path / "two\nlines.wav")
    assert outcome.code == 1
    assert "two lines.wav" in outcome.complaint


@pytest.mark.process
def test_a_real_process_says_the_same(tmp_path: Path) -> None:
    outcome = launch("fit", tmp_path / "none.wav", cwd=tmp_path)
    assert outcome.code == 1
    assert outcome.complaint == f"fdnlearn: {tmp_path / 'none.wav'}: does not exist; check the path"
    assert not any(tmp_path.iterdir())


def test_debug_adds_the_traceback(tmp_path: Path) -> None:
    outcome = run("analyze", tmp_path / "none.wav", "--debug")
    assert outcome.code == 1
    assert outcome.stderr.startswith("Traceback")
    assert outcome.stderr.splitlines()[-1].startswith("fdnlearn: ")


USAGE = {
    "no lines": ["--lines", "0"],
    "negative lines": ["--lines", "-1"],
    "a million lines": ["--lines", "1e6"],
    "a million lines as an integer": ["--lines", "1000000"],
    "no iterations": ["--iterations", "0"],
    "fractional iterations": ["--iterations", "2.5"],
    "no budget": ["--budget", "0"],
    "negative budget": ["--budget", "-1"],
    "budget that is no number": ["--budget", "nan"],
    "endless budget": ["--budget", "inf"],
    "no restarts": ["--restarts", "0"],
    "negative seed": ["--seed", "-1"],
    "no sample rate": ["--sample-rate", "0"],
    "unknown model": ["--model", "magic"],
    "unknown method": ["--method", "magic"],
    "unknown device": ["--device", "abacus"],
    "unknown delays": ["--delays", "rubber"],
    "channel before the first": ["--channel", "0"],
    "channel that is no number": ["--channel", "left"],
    "channel beyond the last": ["--channel", "5"],
    "unknown option": ["--wet", "3"],
    "option without its value": ["--lines"],
    "two recordings": ["another.wav"],
    "contradictory options": ["--resume", "--force"],
}


@pytest.mark.parametrize("kind", USAGE)
def test_wrong_usage_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    recording = record(tmp_path / "room.wav")
    outcome = run("fit", recording, "-o", tmp_path / "out", *USAGE[kind])
    assert outcome.code == 2
    assert USAGE[kind][0].removeprefix("another.wav") in outcome.complaint or "channel" in outcome.complaint
    assert list(tmp_path.iterdir()) == [recording]


@pytest.mark.parametrize(
    "arguments", [["fit"], ["analyze"], ["render"], ["play"], ["--nonsense"], ["schema", "fdn", "extra"]]
)
def test_incomplete_or_unknown_commands_are_usage_errors(arguments: list[str]) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert "--help" in outcome.complaint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lines = 0", "--lines"),
        ("lines = 6.5", "--lines"),
        ("lines = true", "--lines"),
        ("seed = [1, 2]", "not a single value"),
        ("line = 6", "did you mean lines?"),
        ("[fit]\nlines = 6", "unknown key 'fit'"),
        ("lines == 6", "is not TOML"),
        ("o = 'elsewhere'", "unknown key 'o'"),
        ("config = 'other.toml'", "unknown key 'config'"),
    ],
)
def test_a_bad_configuration_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "fit.toml"
    config.write_text(text)
    outcome = run("fit", record(tmp_path / "room.wav"), "-o", tmp_path / "out", "--config", config)
    assert outcome.code == (1 if "TOML" in said else 2)
    assert outcome.complaint.startswith(f"fdnlearn: {config}: ")
    assert said in outcome.complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"a." * 5000 + b"a = 1"])
def test_an_unreadable_configuration_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    config = tmp_path / "fit.toml"
    if content is not None:
        config.write_bytes(content)
    outcome = run("fit", record(tmp_path / "room.wav"), "--config", config)
    assert outcome.code in (1, 2)
    assert outcome.complaint.startswith(f"fdnlearn: {config}: ")


@pytest.mark.parametrize("name", ["fdn.json", "metrics.json", "ir.wav", "checkpoint.safetensors"])
def test_existing_results_are_not_overwritten(tmp_path: Path, name: str) -> None:
    recording = record(tmp_path / "room.wav")
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_bytes(b"precious")
    outcome = run("fit", recording, "-o", out, *QUICK)
    assert outcome.code == 1
    assert str(out) in outcome.complaint
    assert "--force" in outcome.complaint
    assert contents(out) == {name: b"precious"}


def test_a_finished_fit_is_not_resumed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "fdn.json").write_bytes(b"precious")
    outcome = run("fit", record(tmp_path / "room.wav"), "-o", out, "--resume", *QUICK)
    assert outcome.code == 1
    assert "nothing to resume" in outcome.complaint
    assert contents(out) == {"fdn.json": b"precious"}


def test_a_file_in_place_of_the_output_folder_is_refused(tmp_path: Path) -> None:
    recording = record(tmp_path / "room.wav")
    for out in (recording, recording / "below"):
        outcome = run("fit", recording, "-o", out, *QUICK)
        assert outcome.code == 1
        assert str(out) in outcome.complaint
    assert list(tmp_path.iterdir()) == [recording]


def test_an_unwritable_output_folder_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # root may write to any folder but those that the kernel invents
        out = Path("/proc/fdnlearn-out")
    else:
        out = tmp_path / "locked" / "out"
        out.parent.mkdir(mode=0o555)
    outcome = run("fit", record(tmp_path / "room.wav"), "-o", out, *QUICK)
    assert outcome.code == 1
    assert f"{out}: cannot be written" in outcome.complaint
    assert not out.exists()


@pytest.mark.process
def test_a_place_without_room_is_refused_before_the_fit(tmp_path: Path) -> None:
    """The process may write no file beyond 64 KiB: the system's own refusal, not a pretended one."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))

    recording = record(tmp_path / "room.wav")
    outcome = launch("fit", recording, "-o", tmp_path / "new" / "out", *QUICK, preexec_fn=limit)
    assert outcome.code == 1
    assert f"{tmp_path / 'new' / 'out'}: cannot be written" in outcome.complaint
    assert list(tmp_path.iterdir()) == [recording]


def _full(*args: object, **kwargs: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.fit
@pytest.mark.parametrize("writer", ["write_audio", "write_text", "write_report", "save_fdn"])
def test_a_disk_that_fills_up_costs_no_earlier_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    recording = record(tmp_path / "room.wav")
    out = tmp_path / "out"
    out.mkdir()
    (out / "fdn.json").write_bytes(b"precious")
    monkeypatch.setattr(f"fdnlearn.runs.outputs.{writer}", _full)
    outcome = run("fit", recording, "-o", out, "--force", *QUICK)
    assert outcome.code == 1
    assert "cannot be written (no space left on device); free some space" in outcome.complaint
    assert contents(out)["fdn.json"] == b"precious"
    assert set(contents(out)) <= {"fdn.json", "checkpoint.safetensors"}


@pytest.mark.fit
def test_a_checkpoint_that_cannot_be_written_ends_the_fit(tmp_path: Path) -> None:
    recording = record(tmp_path / "room.wav")
    out = tmp_path / "out"
    (out / "checkpoint.safetensors.partial").mkdir(parents=True)
    config = FitConfig.for_model("homogeneous", lines=2, iterations=6, restarts=1)
    with pytest.raises(FdnlearnError, match=r"out: cannot be written \(is a directory\)"):
        fit_recording(recording, out, config, checkpoint_every_s=0)
    assert contents(out) == {}


def test_a_bug_is_one_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("float division\nby zero")

    monkeypatch.setattr("fdnlearn.fitting.solve", broken)
    outcome = run("fit", record(tmp_path / "room.wav"), "-o", tmp_path / "out", *QUICK)
    assert outcome.code == 1
    assert (
        "internal error: ZeroDivisionError: float division by zero; run again with --debug"
        in outcome.complaint
    )
    assert not (tmp_path / "out").exists()


def test_lack_of_memory_is_one_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(*args: object, **kwargs: object) -> None:
        raise MemoryError

    monkeypatch.setattr("fdnlearn.fitting.solve", hungry)
    outcome = run("fit", record(tmp_path / "room.wav"), "-o", tmp_path / "out", *QUICK)
    assert outcome.code == 1
    assert "not enough" in outcome.complaint


#: No impulse responses, but nothing is wrong with playing them.
PLAYABLE = {"one sample", "silence", "direct current", "noise without decay"}


class TestRender:
    @pytest.fixture
    def network(self, tmp_path: Path) -> Path:
        from fdnlearn.fdn import FDN, save_fdn

        path = tmp_path / "fdn.json"
        save_fdn(
            FDN.from_arrays(
                sample_rate_hz=16000,
                delays=[101, 211],
                feedback_matrix=np.eye(2),
                input_gains=[[1], [1]],
                output_gains=[[0.1, 0.1]],
                direct_gains=[[1]],
                line_gains=[0.9, 0.8],
            ),
            path,
        )
        return path

    @pytest.mark.parametrize("kind", [kind for kind in REFUSED if kind not in PLAYABLE])
    def test_a_bad_dry_file_is_refused(self, tmp_path: Path, network: Path, kind: str) -> None:
        dry = tmp_path / "dry.wav"
        REFUSED[kind](dry)
        outcome = run("render", network, dry, "-o", tmp_path / "wet.wav")
        assert outcome.code == 1
        assert str(dry) in outcome.complaint
        assert not (tmp_path / "wet.wav").exists()

    @pytest.mark.parametrize("content", [None, "", "{", "[]", '{"format": "other"}', "NaN", "\0"])
    def test_a_bad_network_is_refused(self, tmp_path: Path, content: str | None) -> None:
        network = tmp_path / "broken.json"
        if content is not None:
            network.write_text(content)
        outcome = run("render", network, record(tmp_path / "dry.wav"), "-o", tmp_path / "wet.wav")
        assert outcome.code == 1
        assert str(network) in outcome.complaint
        assert not (tmp_path / "wet.wav").exists()

    @pytest.mark.parametrize(
        "options",
        [
            ["--decay", "0"],
            ["--size", "-1"],
            ["--wet", "nan"],
            ["--dry", "loud"],
            ["--sample-rate", "1"],
        ],
    )
    def test_values_out_of_range_are_usage_errors(
        self, tmp_path: Path, network: Path, options: list[str]
    ) -> None:
        dry = record(tmp_path / "dry.wav")
        outcome = run("render", network, dry, "-o", tmp_path / "wet.wav", *options)
        assert outcome.code == 2
        assert options[0] in outcome.complaint
        assert not (tmp_path / "wet.wav").exists()

    def test_an_unknown_output_format_is_a_usage_error(self, tmp_path: Path, network: Path) -> None:
        outcome = run("render", network, record(tmp_path / "dry.wav"), "-o", tmp_path / "wet.mp3")
        assert outcome.code == 2
        assert "wet.mp3" in outcome.complaint

    def test_the_inputs_are_never_overwritten(self, tmp_path: Path, network: Path) -> None:
        dry = record(tmp_path / "dry.wav")
        before = dry.read_bytes()
        outcome = run("render", network, dry, "-o", dry)
        assert outcome.code == 1
        assert "is one of the inputs" in outcome.complaint
        assert dry.read_bytes() == before

    def test_an_output_that_cannot_be_written_is_refused(self, tmp_path: Path, network: Path) -> None:
        dry = record(tmp_path / "dry.wav")
        (tmp_path / "file").touch()
        for wet in (tmp_path / "file" / "wet.wav", tmp_path / "file" / "deeper" / "wet.flac"):
            outcome = run("render", network, dry, "-o", wet)
            assert outcome.code == 1
            assert f"{wet}: cannot be written" in outcome.complaint

    def test_a_disk_that_fills_up_leaves_the_old_file(
        self, tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wet = tmp_path / "wet.wav"
        wet.write_bytes(b"precious")
        monkeypatch.setattr("fdnlearn.runs.rendering.AudioWriter", _full)
        outcome = run("render", network, record(tmp_path / "dry.wav"), "-o", wet)
        assert outcome.code == 1
        assert "no space left" in outcome.complaint
        assert wet.read_bytes() == b"precious"
        assert {path.name for path in tmp_path.iterdir()} == {"fdn.json", "dry.wav", "wet.wav"}
