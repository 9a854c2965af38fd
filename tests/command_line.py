"""Run the real command line, in this process or in its own, and make recordings for it to read."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from click.testing import CliRunner

import fdnlearn
from fdnlearn.cli.main import cli

#: A fit that ends in about a second.
QUICK = ("--model", "homogeneous", "--lines", "4", "--iterations", "6", "--restarts", "2")


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """The one line of a failure."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, f"expected one line, got: {self.stderr!r} (stdout {self.stdout!r})"
        assert self.stdout == ""
        assert lines[0].startswith("fdnlearn: ")
        return lines[0]


def run(*args: object) -> Outcome:
    """One command line in this process."""
    result = CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="fdnlearn")
    return Outcome(result.exit_code, result.stdout, result.stderr)


def program(*args: object) -> list[str]:
    """The same as a command for a process of its own."""
    return [sys.executable, "-m", "fdnlearn", *(str(arg) for arg in args)]


def environment() -> dict[str, str]:
    """Variables with which a process finds the package that is being tested, wherever it starts."""
    return {**os.environ, "PYTHONPATH": str(Path(fdnlearn.__file__).parent.parent)}


def launch(*args: object, timeout: float = 120, **options: Any) -> Outcome:
    """One command line in a process of its own."""
    done = subprocess.run(
        program(*args),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=environment(),
        **options,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def start(*args: object) -> subprocess.Popen[str]:
    """One command line in a process of its own, left running."""
    return subprocess.Popen(
        program(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def decay(seconds: float = 0.4, rate: int = 16000, silence_s: float = 0.005, seed: int = 0) -> np.ndarray:
    """A direct sound and exponentially decaying noise (T60 0.3 s) over a floor at -75 dB."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    h = 0.2 * rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / (0.3 * rate))
    h[0] = 1.0
    h = np.concatenate((np.zeros(round(silence_s * rate)), h))
    return 0.5 * h + 0.5 * 10 ** (-75 / 20) * rng.standard_normal(h.size)


def record(path: Path, samples: np.ndarray | None = None, rate: int = 16000, subtype: str = "FLOAT") -> Path:
    """Write a WAV; an ordinary room by default."""
    soundfile.write(path, decay(rate=rate) if samples is None else samples, rate, subtype=subtype)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
