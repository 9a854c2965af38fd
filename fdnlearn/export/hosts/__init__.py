"""Programs that play exports: what `check` drives. Each file renders one kind of export in its real host.

None of these programs is a part of fdnlearn: they are looked for when a check is asked for, and run as programs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.network import ExportNetwork

#: No host takes longer for the response of a room.
TIMEOUT_S = 240.0


class HostMissing(FdnlearnError):
    """The program that would play an export is not installed here."""


@dataclass(frozen=True)
class HostJob:
    """One rendering: an impulse into one input of an export.

    Attributes
    ----------
    network : ExportNetwork
    files : tuple of Path
        The export, main file first.
    scratch : Path
        An empty folder.
    samples : int
        Length of the response.
    input_index : int
        Where the impulse goes.
    """

    network: ExportNetwork
    files: tuple[Path, ...]
    scratch: Path
    samples: int
    input_index: int


def find(program: str, install: str, *alternatives: str) -> str:
    """Path of a program.

    Raises
    ------
    HostMissing
        If neither it nor an alternative is installed; `install` says how to get it.
    """
    for name in (program, *alternatives):
        path = shutil.which(name)
        if path:
            return path
    raise HostMissing(program, "is not installed", install)


def run(command: Sequence[str | Path], folder: Path, **variables: str) -> str:
    """Run a program in a folder and return what it printed.

    Raises
    ------
    FdnlearnError
        If it fails or does not come to an end.
    """
    words = [str(word) for word in command]
    program = Path(words[0]).name
    try:
        outcome = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FdnlearnError(program, f"did not end within {TIMEOUT_S:g} s", "check it by hand") from None
    if outcome.returncode != 0:
        said = " ".join((outcome.stderr.strip() or outcome.stdout.strip()).split())[-300:]
        raise FdnlearnError(program, f"failed with code {outcome.returncode} ({said})", "check it by hand")
    return outcome.stdout + outcome.stderr


def impulse_file(job: HostJob, extra_samples: int = 0, *, at: int = 0) -> Path:
    """A float32 WAV with an impulse in the job's input, as long as the response and `extra_samples` more."""
    from scipy.io import wavfile

    signal = np.zeros((job.samples + extra_samples, job.network.inputs), dtype=np.float32)
    signal[at, job.input_index] = 1.0
    path = job.scratch / "impulse.wav"
    wavfile.write(path, job.network.sample_rate_hz, signal)
    return path


@shapes_checked
def recorded(path: Path, job: HostJob, *, start: int = 0) -> Float64[FloatArray, "outputs samples"]:
    """The response in an audio file that a host wrote, shape (O, samples), zeros where the file is too short."""
    import soundfile

    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    if rate != job.network.sample_rate_hz:
        raise FdnlearnError(path.name, f"was rendered at {rate} Hz", "check the host's settings")
    return shaped(samples.T[:, start:], job)


@shapes_checked
def raw_doubles(path: Path, job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """The response in a file of plain doubles, frame by frame."""
    return shaped(np.fromfile(path, dtype=np.float64).reshape(-1, job.network.outputs).T, job)


@shapes_checked
def shaped(
    samples: Float64[FloatArray, "channels rendered"], job: HostJob
) -> Float64[FloatArray, "outputs samples"]:
    """Cut or fill to the length asked for.

    Raises
    ------
    FdnlearnError
        If the number of outputs is wrong.
    """
    if samples.shape[0] != job.network.outputs:
        raise FdnlearnError(
            job.files[0].name,
            f"was rendered with {samples.shape[0]} channels where the network has {job.network.outputs} outputs",
            "check the host's settings",
        )
    response = np.zeros((job.network.outputs, job.samples))
    count = min(job.samples, samples.shape[1])
    response[:, :count] = samples[:, :count]
    return response
