"""A limit on memory that the libraries do not fit into: one line, and no waiting for ever."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import launch, record

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.cli import memory

resource = pytest.importorskip("resource")


def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_limits", lambda: {"-v": 2 * 10**9, "-d": 10**9})


def test_without_a_limit_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_limits", dict)
    monkeypatch.setattr(memory.subprocess, "run", None)
    memory.require_memory("import nothing_that_is_there")


@pytest.mark.process
class TestProbe:
    def test_libraries_that_fail_or_never_come_are_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        limited(monkeypatch)
        monkeypatch.setattr(memory, "_PROCESSOR_S", 1)
        for libraries in ("raise MemoryError", "while True: pass", "import os; os.abort()"):
            with pytest.raises(FdnlearnError) as refused:
                memory.require_memory(libraries)
            told = "memory: limited to 1.0 GB (ulimit -d), where the numeric libraries do not fit in; raise the limit"
            assert str(refused.value).startswith(told)

    def test_libraries_that_fit_are_no_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        limited(monkeypatch)
        memory.require_memory(memory.RUNNING)

    @pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="limits on address space are kept on Linux only"
    )
    @pytest.mark.parametrize("command", ["fit", "analyze"])
    def test_a_process_says_so(self, tmp_path: Path, command: str) -> None:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))

        outcome = launch(command, record(tmp_path / "room.wav"), preexec_fn=limit)
        assert outcome.code == 1
        assert "fdnlearn: memory: limited to 0.4 GB (ulimit -v)" in outcome.complaint
