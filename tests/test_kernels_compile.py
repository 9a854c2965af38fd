"""The GPU kernels compiled for a Hopper card where there is none: they fit it, and their code is what it should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.host

Launch = dict[str, Any]


@pytest.fixture(scope="module")
def launches() -> list[Launch]:
    """What a fit of few, of usual and of many lines launches, and what else there is."""
    script = Path(__file__).with_name("compile_kernels.py")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-W", "ignore", str(script), "90", "6,16,32"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_kernel_compiles(launches: list[Launch]) -> None:
    names = {
        "_solve",
        "_adjoint",
        "_respond",
        "_pull_back",
        "_profile",
        "_gradient",
        "_decay",
        "_compare",
        "_step",
    }
    assert {launch["kernel"] for launch in launches} == names


def test_nothing_spills(launches: list[Launch]) -> None:
    """But the arguments of sines and cosines in double, which carry code for huge angles that never come."""
    for launch in launches:
        in_double = launch["arithmetic"] == "fp64" or launch["kernel"] in ("_respond", "_pull_back")
        assert launch["stack"] <= (40 if in_double else 0), launch


def test_a_thread_solves_a_small_system_alone(launches: list[Launch]) -> None:
    """No masks, no exchange between threads: little more than the multiplications and sums of the elimination."""
    solves = [
        launch
        for launch in launches
        if launch["kernel"] == "_solve" and launch["lines"] == 6 and launch["arithmetic"] == "fp32"
    ]
    assert len(solves) == 2
    for solve in solves:
        assert solve["shuffles"] == solve["barriers"] == 0
        # 4 (6^3 + 2 6^2) = 1152 fused operations a bin are the algorithm's.
        assert solve["instructions"] * solve["warps"] * 32 / solve["block"] < 2.0 * 1152
