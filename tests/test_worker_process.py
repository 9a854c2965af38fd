"""A worker process: what it starts with, and that it is gone whoever ends it and however often."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import pytest
from processes import alive, wait_until

from fdnlearn.base.processes import WorkerProcess, thread_limits


def echo(pipe: Connection, *names: str) -> None:
    """Say what the environment holds, then answer until the pipe is closed."""
    pipe.send([os.environ.get(name) for name in names])
    try:
        while True:
            pipe.send(pipe.recv())
    except EOFError:
        return


def sleep(pipe: Connection) -> None:
    """Work that does not look at the pipe."""
    pipe.send("asleep")
    time.sleep(300)


def test_it_starts_with_its_own_environment_and_ours_stays() -> None:
    before = dict(os.environ)
    name, value = next(iter(thread_limits(3).items()))
    process = WorkerProcess(echo, name, environment={name: value})
    try:
        assert process.pipe.recv() == ["3"]
        process.pipe.send("hello")
        assert process.pipe.recv() == "hello"
        assert dict(os.environ) == before
    finally:
        process.end(10.0)


@pytest.mark.parametrize("kills", [0, 1, 2])
def test_it_can_be_killed_and_ended_more_than_once(kills: int) -> None:
    process = WorkerProcess(sleep)
    assert process.pipe.recv() == "asleep"
    pid = process.pid
    assert process.alive
    for _ in range(kills):
        process.kill()
        wait_until(lambda: not alive(pid), "the end of the process", 10.0)
        with pytest.raises(EOFError):
            process.pipe.recv()
    process.end()
    process.end()
    process.kill()
    assert not process.alive
    assert not alive(pid)


def test_several_threads_may_end_it_at_once() -> None:
    for _ in range(3):
        process = WorkerProcess(sleep)
        assert process.pipe.recv() == "asleep"
        pid, together = process.pid, threading.Barrier(8)

        def end(process: WorkerProcess = process, together: threading.Barrier = together) -> bool:
            together.wait()
            process.end()
            return process.alive

        with ThreadPoolExecutor(8) as pool:
            assert not any(future.result() for future in [pool.submit(end) for _ in range(8)])
        assert not alive(pid)
