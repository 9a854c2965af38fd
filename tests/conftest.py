"""Fixtures that several test files share, and the rule that in CI nothing is skipped in silence.

Measured rooms are found through the environment variable FDNLEARN_ROOMS, a folder of WAV files; without it
the tests that need them are skipped with that reason. With FDNLEARN_REQUIRE_ALL=1 every skip is a failure,
except where the hardware is absent: such a test skips with a reason that begins with `NO_GPU`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

# Read when the types are first imported: this process checks shapes, those that it starts are a user's.
os.environ["FDNLEARN_CHECK_SHAPES"] = "1"

from fdnlearn.base.types import FloatArray

del os.environ["FDNLEARN_CHECK_SHAPES"]

# Read when Triton is imported: without a GPU the kernels for it run in its interpreter.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

from audition_room import Room, browser, running_room
from brief_fits import RATE_HZ
from command_line import QUICK, record, run
from hypothesis import settings
from player_tools import Core, Programs, build_plugins, can_compile
from playwright.sync_api import Browser
from targets import target_of
from tiers import MARKERS, OTHERS, Guard, make_scheduler, sort_into_tiers

from fdnlearn.rir import Target

# Where everything is required a change is judged by the same examples every time; elsewhere the search goes on.
settings.register_profile("required", derandomize=True)
if os.environ.get("FDNLEARN_REQUIRE_ALL") == "1":
    settings.load_profile("required")

#: Start of the reason of a skip that FDNLEARN_REQUIRE_ALL forgives.
NO_GPU = "no GPU"


_guard = Guard()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tier", choices=["fast", "slow"], help="tests that start nothing, or the others")


def pytest_configure(config: pytest.Config) -> None:
    for name, says in ({name: f"starts {what}" for name, what in MARKERS.items()} | OTHERS).items():
        config.addinivalue_line("markers", f"{name}: {says}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return make_scheduler(config, log)


# Before pytest's own, which deselects by marker.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = sort_into_tiers(items, config.getoption("--tier"))
    if left_out:
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _guard.item = item
    try:
        return (yield)
    finally:
        _guard.item = None


@pytest.fixture(scope="session")
def rooms() -> dict[str, Path]:
    """Measured rooms by name (the file name without its suffix)."""
    folder = os.environ.get("FDNLEARN_ROOMS")
    if not folder:
        pytest.skip("FDNLEARN_ROOMS names no folder of measured rooms")
    found = {path.stem: path for path in sorted(Path(folder).glob("*.wav"))}
    if not found:
        pytest.fail(f"FDNLEARN_ROOMS={folder} holds no WAV files")
    return found


@pytest.fixture
def make_room() -> Callable[..., FloatArray]:
    """A synthetic response: exponentially decaying Gaussian noise behind a direct sound, plus a noise floor."""

    def make(
        *,
        sample_rate_hz: int = 16000,
        seconds: float = 1.0,
        reverberation_time_s: float = 0.5,
        direct: float = 0.5,
        noise_db: float | None = -70.0,
        lead_s: float = 0.0,
        channels: int = 1,
        seed: int = 1,
    ) -> FloatArray:
        """Shape (channels, samples); `noise_db` is re 0.1, the start of the decay."""
        rng = np.random.default_rng(seed)
        t = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
        h = 0.1 * rng.standard_normal((channels, t.size)) * 10.0 ** (-3.0 * t / reverberation_time_s)
        h[:, 0] = direct
        h = np.concatenate((np.zeros((channels, round(lead_s * sample_rate_hz))), h), axis=1)
        if noise_db is not None:
            h = h + 0.1 * 10.0 ** (noise_db / 20.0) * rng.standard_normal(h.shape)
        return h

    return make


@pytest.fixture
def target(make_room: Callable[..., FloatArray]) -> Target:
    """A small one, for brief fits."""
    room = make_room(sample_rate_hz=RATE_HZ, seconds=0.3, reverberation_time_s=0.2)
    return target_of(room, RATE_HZ)


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording on disk."""
    return record(tmp_path_factory.mktemp("room") / "room.wav")


@pytest.fixture(scope="session")
def fitted(room: Path) -> Path:
    """The folder of one quick fit of `room` by the command line."""
    folder = room.parent / "fit"
    outcome = run("fit", room, "-o", folder, *QUICK)
    assert outcome.code == 0, outcome.stderr
    return folder


@pytest.fixture(scope="session")
def built_player() -> Generator[Path | None, None, None]:
    """The folder of the player's plugins, where exports then find them; None where they cannot be built."""
    folder = build_plugins()
    with pytest.MonkeyPatch.context() as patch:
        if folder is not None:
            patch.setenv("FDNLEARN_PLAYER", str(folder))
        yield folder


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Generator[Programs, None, None]:
    """The test programs of the player's core."""
    if not can_compile():
        pytest.skip("g++ is not installed")
    compiling = Programs(tmp_path_factory.mktemp("programs"))
    yield compiling
    compiling.close()


@pytest.fixture
def core(programs: Programs, tmp_path: Path) -> Core:
    """The player's core, ready to play."""
    return Core(programs["play"], tmp_path)


@pytest.fixture
def short_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing the report takes ten times as long as these fits; `fitted` and the real processes keep theirs."""
    monkeypatch.setattr("fdnlearn.runs.outputs.write_report", lambda path, data: path.write_text("page"))


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where all tests are required."""
    if os.environ.get("FDNLEARN_REQUIRE_ALL") != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if reason.removeprefix("Skipped: ").startswith(NO_GPU):
        return
    report.outcome = "failed"
    report.longrepr = f"skipped although FDNLEARN_REQUIRE_ALL=1: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.fixture(scope="session")
def listening_room(tmp_path_factory: pytest.TempPathFactory) -> Generator[Room, None, None]:
    """The real command, running."""
    with running_room(tmp_path_factory.mktemp("audition")) as room:
        yield room


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser, None, None]:
    """A browser; not for the whole session, because its driver keeps an event loop in the thread of the tests."""
    with browser() as driven:
        yield driven
