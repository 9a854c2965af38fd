"""The folder that results are kept in: whole or not there, one run at a time, whatever ends a run."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import contents, environment

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.locks import exclusive, is_held
from fdnlearn.base.store import STAGING, Store
from fdnlearn.runs.folder import RESULTS, ResultFolder

FILES = ("a.wav", "sub/b.csv", "proof.json")

_HOLDER = """
import sys, time
from pathlib import Path
from fdnlearn.base.store import Store
with Store(Path(sys.argv[1]), "fit").held():
    (Path(sys.argv[1]) / ".fdnlearn-partial" / "half").write_text("half of a file")
    print("held", flush=True)
    time.sleep(300)
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process at work in a folder."""
    command = [sys.executable, "-c", _HOLDER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def write_all(folder: Path, text: str, names: tuple[str, ...] = FILES) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def stand(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything in a folder and the folder itself, with the times of the last change."""
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in (folder, *folder.rglob("*"))}


def publish(store: Store, text: str, missing: str | None = None) -> None:
    with store.staged() as staged:
        write_all(staged, text)
        if missing is not None:
            (staged / missing).unlink()
        store.publish(staged, FILES)


def publish_results(folder: ResultFolder) -> None:
    folder.publish(lambda staged: write_all(staged, "new", RESULTS))


def fill_up(store: Store) -> None:
    with store.held(), store.staged() as staged:
        (staged / "half").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestLock:
    @pytest.mark.process
    def test_a_second_run_is_refused_and_changes_nothing(self, tmp_path: Path) -> None:
        with holder(tmp_path / "out"):
            before = stand(tmp_path)
            store = Store(tmp_path / "out", "fit")
            with pytest.raises(FdnlearnError, match=r"out: another fit is running in it; wait for it"):
                store.refuse_if_held()
            with pytest.raises(FdnlearnError, match="another fit is running"), store.held():
                pass
            assert stand(tmp_path) == before

    @pytest.mark.process
    def test_the_lock_dies_with_a_killed_process_and_its_leftovers_go(self, tmp_path: Path) -> None:
        with holder(tmp_path / "out") as process:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert set(contents(tmp_path)) == {f"out/{STAGING}/half"}
        store = Store(tmp_path / "out", "fit")
        store.refuse_if_held()
        with store.held():
            assert contents(tmp_path) == {}
        assert not (tmp_path / "out" / STAGING).exists()

    def test_who_waits_has_its_turn_although_what_it_waits_for_is_removed(self, tmp_path: Path) -> None:
        turns: list[int] = []

        def take(number: int) -> None:
            with Store(tmp_path / "out", "export").held(wait=True):
                turns.append(number)
                (tmp_path / "out" / STAGING / "mine").mkdir()  # fails if anybody else is in
                turns.append(number)

        threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert turns[::2] == turns[1::2]
        assert sorted(turns[::2]) == list(range(8))

    def test_looking_keeps_nobody_out(self, tmp_path: Path) -> None:
        with exclusive(tmp_path / "lock", wait=False, folder=True) as ours:
            assert ours
            assert is_held(tmp_path / "lock")
        assert not is_held(tmp_path / "lock")
        assert not is_held(tmp_path / "none")

    def test_where_there_are_no_locks_nobody_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unknown(*args: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr("fcntl.flock", unknown)
        with Store(tmp_path / "out", "fit").held(), Store(tmp_path / "out", "fit").held():
            pass

    def test_folders_that_were_made_go_if_nothing_is_put_in_them(self, tmp_path: Path) -> None:
        with Store(tmp_path / "new" / "out", "fit").held():
            assert (tmp_path / "new" / "out").is_dir()
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_written_is_named(self) -> None:
        # Root may write to any folder but those that the kernel invents.
        store = Store(Path("/proc/fdnlearn-out"), "fit")
        with pytest.raises(FdnlearnError, match=r"^/proc/fdnlearn-out: cannot be written"), store.held():
            pass


class TestPublishing:
    def test_files_replace_those_of_before_and_leave_others(self, tmp_path: Path) -> None:
        write_all(tmp_path, "old")
        (tmp_path / "notes.txt").write_text("mine")
        store = Store(tmp_path, "fit")
        with store.held():
            publish(store, "new")
        assert contents(tmp_path) == {**dict.fromkeys(FILES, b"new"), "notes.txt": b"mine"}
        assert not (tmp_path / STAGING).exists()

    @pytest.mark.parametrize("missing", FILES)
    def test_if_one_cannot_be_moved_all_is_as_it_was(self, tmp_path: Path, missing: str) -> None:
        write_all(tmp_path, "old")
        (tmp_path / "sub" / "b.csv").unlink()
        before = contents(tmp_path)
        store = Store(tmp_path, "fit")
        with store.held():
            with pytest.raises(FdnlearnError, match="cannot be written"):
                publish(store, "new", missing)
            assert contents(tmp_path) == before

    def test_the_proof_goes_first_and_comes_last(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_all(tmp_path, "old")
        seen: list[set[bytes]] = []
        real = os.replace

        def replace(*args: str) -> None:
            real(*args)
            if (tmp_path / FILES[-1]).exists():
                seen.append({(tmp_path / name).read_bytes() for name in FILES})

        monkeypatch.setattr("os.replace", replace)
        store = Store(tmp_path, "fit")
        with store.held():
            publish(store, "new")
        assert seen == [{b"new"}]

    def test_a_full_disk_is_one_line_and_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(FdnlearnError, match=r"out: cannot be written \(no space left on device\); free"):
            fill_up(Store(tmp_path / "out", "fit"))
        assert list(tmp_path.iterdir()) == []

    def test_a_whole_folder_appears_in_one_step_and_the_first_stays(self, tmp_path: Path) -> None:
        store = Store(tmp_path, "batch")
        with store.held():
            for text, replace, stays in (("1", False, "1"), ("2", False, "1"), ("3", True, "3")):
                with store.staged() as staged:
                    write_all(staged, text)
                    assert store.publish_folder(staged, tmp_path / "room", replace=replace) == (text == stays)
                assert set(contents(tmp_path / "room").values()) == {stays.encode()}
        assert [path.name for path in tmp_path.iterdir()] == ["room"]

    def test_other_settings_are_named(self, tmp_path: Path) -> None:
        store = Store(tmp_path, "fit")
        store.refuse_other_settings("a fit", {"seed": 1}, {"seed": 1})
        with pytest.raises(
            FdnlearnError, match=r"other settings \(lines None instead of 4, seed 1 instead of 2\)"
        ):
            store.refuse_other_settings("a fit", {"seed": 1, "rate": 8}, {"seed": 2, "rate": 8, "lines": 4})


class TestResultFolder:
    def test_results_that_appeared_meanwhile_are_kept(self, tmp_path: Path) -> None:
        folder = ResultFolder(tmp_path / "out")
        with folder.held():
            write_all(folder.path, "somebody else's", RESULTS)
            with pytest.raises(FdnlearnError, match="has got other results while this fit ran"):
                publish_results(folder)
        assert contents(folder.path) == dict.fromkeys(RESULTS, b"somebody else's")

    @pytest.mark.parametrize("change", ["written again", "removed"])
    def test_so_are_those_that_changed_under_a_fit_that_is_resumed(self, tmp_path: Path, change: str) -> None:
        folder = ResultFolder(tmp_path / "out", resume=True)
        write_all(folder.path, "interrupted", RESULTS)
        folder.checkpoint.touch()
        with folder.held():
            if change == "removed":
                (folder.path / "ir.wav").unlink()
            else:
                (folder.path / "ir.wav").write_text("another length")
            before = contents(folder.path)
            with pytest.raises(FdnlearnError, match="has got other results"):
                publish_results(folder)
        assert contents(folder.path) == before

    def test_force_replaces_them(self, tmp_path: Path) -> None:
        folder = ResultFolder(tmp_path / "out", force=True)
        with folder.held():
            write_all(folder.path, "somebody else's", RESULTS)
            publish_results(folder)
        assert contents(folder.path) == dict.fromkeys(RESULTS, b"new")

    def test_what_came_between_looking_and_holding_is_not_touched(self, tmp_path: Path) -> None:
        folder = ResultFolder(tmp_path / "out")
        folder.admit()
        write_all(folder.path, "somebody else's", RESULTS)
        before = contents(tmp_path)
        with pytest.raises(FdnlearnError, match="already holds results"), folder.held():
            pass
        assert contents(tmp_path) == before

    @pytest.mark.process
    def test_a_killed_fit_with_force_leaves_the_earlier_results(self, tmp_path: Path) -> None:
        write_all(tmp_path, "old", RESULTS)
        code = """
import os, signal, sys
from pathlib import Path
from fdnlearn.runs.folder import ResultFolder
folder = ResultFolder(Path(sys.argv[1]), force=True)
def write(staged):
    (staged / "ir.wav").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
with folder.held():
    folder.publish(write)
"""
        killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment(), check=False)
        assert killed.returncode == -signal.SIGKILL
        assert {name: (tmp_path / name).read_text() for name in RESULTS} == dict.fromkeys(RESULTS, "old")
        with ResultFolder(tmp_path, force=True).held():
            pass
        assert set(contents(tmp_path)) == set(RESULTS)
