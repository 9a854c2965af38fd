"""One file that appears whole: whatever ends its writer, it is what it was or what it should be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import contents, environment

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.replacing import replacing

_WRITER = """
import sys, time
from pathlib import Path
from fdnlearn.base.replacing import replacing
with replacing(Path(sys.argv[1])) as partial:
    partial.write_text("half of it")
    print("writes", flush=True)
    time.sleep(300)
"""


def write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        assert partial.parent == path.parent
        assert partial.suffix == path.suffix
        partial.write_text(text)


@pytest.mark.process
def test_what_a_killed_writer_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "wet [1]*.wav"
    path.write_text("earlier")
    command = [sys.executable, "-c", _WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writes\n"
            write(path, "mine")  # does not touch what is being written
            assert len(list(tmp_path.iterdir())) == 2
            process.send_signal(signal.SIGKILL)
        finally:
            process.kill()
    write(tmp_path / "other.wav", "another file's are left alone")
    assert len(list(tmp_path.iterdir())) == 3
    write(path, "again")
    assert {name: content.decode() for name, content in contents(tmp_path).items()} == {
        path.name: "again",
        "other.wav": "another file's are left alone",
    }


def test_of_two_writers_the_last_one_to_end_wins(tmp_path: Path) -> None:
    path = tmp_path / "fdn.json"
    with replacing(path) as first:
        first.write_text("first")
        write(path, "second")
        assert path.read_text() == "second"
    assert contents(tmp_path) == {"fdn.json": b"first"}


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "fdn.json"
    path.write_text("earlier")
    with pytest.raises(FdnlearnError, match="is a directory"), replacing(path) as partial:
        partial.write_bytes(partial.parent.read_bytes())
    assert contents(tmp_path) == {"fdn.json": b"earlier"}


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with (
        pytest.raises(FdnlearnError, match=r"cannot be written \(no such file or directory\)"),
        replacing(tmp_path / "none" / "a"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such mask")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_who_may_read_it_is_what_the_user_has_set(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write(tmp_path / "fdn.json", "{}")
    finally:
        os.umask(before)
    assert (tmp_path / "fdn.json").stat().st_mode & 0o777 == mode
