"""Processes that compile kernels are over when whoever started them is."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

CHILD = "from fdnlearn.base.processes import end_with_parent; end_with_parent(); import time; time.sleep(60)"
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(60)
"""


def _state(pid: int) -> str:
    """As the kernel tells it; nothing of a process that is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_child_is_over_when_its_parent_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(1.0)
        assert _state(child) not in ("", "Z")
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 10.0
        while _state(child) not in ("", "Z") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _state(child) in ("", "Z")
