"""How a fit stops: signals, kills, and going on from a checkpoint."""

from __future__ import annotations

import inspect
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import soundfile
from command_line import QUICK, contents, environment, run, start
from processes import wait_until

from fdnlearn import FitConfig, example_path, fit_recording
from fdnlearn.base.store import Store
from fdnlearn.cli.interrupt import TOGETHER_S, Interruptible
from fdnlearn.fdn import load_fdn
from fdnlearn.fitting import Status
from fdnlearn.rir import headers, read_recording
from fdnlearn.runs.folder import CHECKPOINT, RESULTS

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("short_report")]


class TestStopping:
    def fit(self, folder: Path, iterations: int, *more: str) -> list[object]:
        size = ("--model", "homogeneous", "--lines", "4", "--restarts", "2", "--iterations", iterations)
        return ["fit", example_path("small_room"), "-o", folder, *size, *more]

    def test_ctrl_c_keeps_the_best_so_far(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        with start(*self.fit(out, 100_000)) as process:
            try:
                deadline = time.monotonic() + 120
                while not (out / CHECKPOINT).exists():
                    assert process.poll() is None, process.communicate()
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                process.send_signal(signal.SIGINT)
                _, stderr = process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == 130, stderr
        assert "fdnlearn: stopping, the best network so far is kept; once more to end at once\n" in stderr
        assert "interrupted" in stderr
        assert set(contents(out)) == {*RESULTS, CHECKPOINT}
        assert load_fdn(out / "fdn.json").lines == 4
        assert json.loads((out / "metrics.json").read_text())["status"] == "interrupted"

    @pytest.mark.parametrize("more", [(), ("--iterations", "40", "--restarts", "2")])
    def test_a_killed_fit_resumes_to_the_same_network(self, tmp_path: Path, more: tuple[str, ...]) -> None:
        whole, killed = tmp_path / "whole", tmp_path / "killed"
        assert run(*self.fit(whole, 40)).code == 0
        code = f"""
import os, signal
from fdnlearn import FitConfig, fit_recording
fit_recording(
    {str(example_path("small_room"))!r}, {str(killed)!r},
    FitConfig.for_model("homogeneous", lines=4, restarts=2, iterations=40),
    checkpoint_every_s=0,
    callback=lambda progress: progress.iteration == 33 and os.kill(os.getpid(), signal.SIGKILL),
)"""
        done = subprocess.run([sys.executable, "-c", code], env=environment(), check=False)
        assert done.returncode == -signal.SIGKILL
        assert set(contents(killed)) == {CHECKPOINT}
        refused = run(*self.fit(killed, 40))
        assert refused.code == 1
        assert "--resume" in refused.complaint
        foreign = run(*self.fit(killed, 40, "--resume", "--seed", "7"))
        assert foreign.code == 1
        assert (
            f"{killed}: holds an unfinished fit with other settings (seed 0 instead of 7)"
            in foreign.complaint
        )
        other = run("fit", example_path("hall"), "-o", killed, "--resume")
        assert other.code == 1
        assert f"{killed / CHECKPOINT}: belongs to a fit of another recording" in other.complaint
        assert set(contents(killed)) == {CHECKPOINT}
        # Its settings are in the folder: those that are named have to be the same, none has to be named.
        resumed = run("fit", example_path("small_room"), "-o", killed, "--resume", *more)
        assert resumed.code == 0, resumed.stderr
        assert contents(killed)["fdn.json"] == contents(whole)["fdn.json"]
        assert set(contents(killed)) == set(RESULTS)

    def test_a_second_fit_into_the_same_folder_is_refused_at_its_start(
        self, room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out = tmp_path / "out"
        with start(*self.fit(out, 100_000)) as process:
            try:
                wait_until(lambda: (out / CHECKPOINT).exists() or process.poll() is not None, "a checkpoint")
                with monkeypatch.context() as patch:
                    patch.setattr("fdnlearn.rir.read_recording", None)
                    for more in ((), ("--force",), ("--resume",)):
                        second = run("fit", room, "-o", out, *QUICK, *more)
                        assert second.code == 1
                        assert f"{out}: another fit is running in it; wait for it" in second.complaint
                process.send_signal(signal.SIGKILL)
            finally:
                process.kill()
        assert set(contents(out)) <= {CHECKPOINT, f"{CHECKPOINT}.partial"}
        assert run("fit", room, "-o", out, *QUICK, "--force").code == 0
        assert {path.name for path in out.iterdir()} == set(RESULTS)

    def test_recordings_of_one_name_meet_in_one_folder_and_the_second_is_refused(
        self, room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with Store(Path(f"{room.stem}-fdn"), "fit").held():
            refused = run("fit", room, *QUICK)
        assert refused.code == 1
        assert f"{room.stem}-fdn: another fit is running in it" in refused.complaint
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
    def test_a_fit_stopped_anywhere_resumes_to_the_same_network(
        self, room: Path, fitted: Path, tmp_path: Path, share: float
    ) -> None:
        config = FitConfig.for_model("homogeneous", lines=4, iterations=6, restarts=2)
        stopped = fit_recording(
            room,
            tmp_path,
            config,
            callback=lambda progress: progress.iteration >= share * progress.total_iterations,
        )
        assert stopped.evaluation.solution.status is Status.INTERRUPTED
        assert set(contents(tmp_path)) == {*RESULTS, CHECKPOINT}
        assert run("fit", room, "-o", tmp_path, "--resume", *QUICK).code == 0
        assert contents(tmp_path)["fdn.json"] == contents(fitted)["fdn.json"]
        assert set(contents(tmp_path)) == set(RESULTS)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_the_first_signal_asks_and_the_second_ends(
        self, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = signal.getsignal(number)
        with Interruptible() as interruptible:
            interruptible.begun("stopping")
            signal.raise_signal(number)
            assert interruptible.requested
            signal.raise_signal(number)  # so close together they are one
            monkeypatch.setattr("fdnlearn.cli.interrupt.TOGETHER_S", 0.0)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        assert signal.getsignal(number) is before

    @pytest.mark.parametrize("second", [False, True])
    def test_signals_are_answered_where_no_handler_can_run(self, second: bool) -> None:
        """A long call into a library, here one that waits: the line comes in time, a second signal is obeyed."""
        code = """
import ctypes, sys
from fdnlearn.cli.interrupt import Interruptible
with Interruptible() as interruptible:
    interruptible.begun("stopping")
    print("ready", flush=True)
    ctypes.CDLL(None).pthread_mutex_lock(locked := ctypes.create_string_buffer(64))
    ctypes.CDLL(None).pthread_mutex_lock(locked)
"""
        command = [sys.executable, "-c", code]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stderr is not None
                assert process.stdout.readline() == "ready\n"
                process.send_signal(signal.SIGTERM)
                assert process.stderr.readline() == "fdnlearn: stopping; once more to end at once\n"
                if second:
                    time.sleep(1.5 * TOGETHER_S)
                    process.send_signal(signal.SIGINT)
                    ended = "fdnlearn: ended at once; what had been finished before is kept\n"
                    assert process.stderr.readline() == ended
                    assert process.wait(30) == 130
            finally:
                process.kill()

    def test_a_signal_before_there_is_anything_to_keep_ends_at_once(self) -> None:
        with Interruptible(), pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    @pytest.mark.parametrize("suffix", [".wav", ".flac"])
    def test_a_signal_while_a_library_reads_is_not_taken_for_the_end_of_a_file(
        self,
        room: Path,
        tmp_path: Path,
        suffix: str,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """It calls functions of ours, and what those raise is lost."""
        path = tmp_path / f"room{suffix}"
        soundfile.write(path, soundfile.read(room)[0], 16000)
        read = headers._Spliced.readinto
        answers: list[int] = []

        def interrupted(*args: Any) -> Any:
            if not answers and inspect.stack()[1].function == "vio_read":  # of soundfile
                signal.raise_signal(signal.SIGTERM)
                answers.append(read(*args))
                return answers[-1]
            return read(*args)

        monkeypatch.setattr(headers._Spliced, "readinto", interrupted)
        with Interruptible(), pytest.raises(KeyboardInterrupt):
            read_recording(path)
        assert len(answers) == 1
        assert capfd.readouterr() == ("", "")
        assert read_recording(path).samples.shape[0] == 1

    def test_the_end_of_an_interrupted_command_is_one_line(
        self, room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*args: object, **kwargs: object) -> None:
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr("fdnlearn.fitting.solve", interrupted)
        outcome = run("fit", room, "-o", tmp_path / "out", *QUICK)
        assert outcome.code == 130
        assert outcome.complaint == "fdnlearn: interrupted; nothing was written"
        assert not (tmp_path / "out").exists()
