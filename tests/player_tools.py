"""The player under test: its core in small programs, and the plugins as users build them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fdn_networks import FloatArray, head_of, network
from numpy.random import Generator

from fdnlearn.base.locks import exclusive
from fdnlearn.export.hosts.clap import DPF
from fdnlearn.export.player import fit_text, source_folder
from fdnlearn.fdn import FDN

SOURCE = source_folder()
#: As the plugins are compiled, warnings added.
FLAGS = ("-std=c++17", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror")
#: Octave knots of the banded networks below.
KNOTS_HZ = tuple(1000.0 * 2.0**k for k in range(-5, 5))
_LOOP = SOURCE.parents[1] / "fdnlearn" / "export" / "c"


def can_compile() -> bool:
    return shutil.which("g++") is not None


#: Program -> source and flags, in the order in which the tests want them.
PROGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "design": ("design", ("-O1",)),
    "play": ("play", ("-O2",)),
    "stress": ("stress", ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")),
    "threads": ("stress", ("-O1", "-fsanitize=thread")),
    "counted_play": ("play", ("-O1", str(SOURCE / "tests" / "offences.c"))),
    "bound": ("bound", ("-O1",)),
}


class Programs:
    """The player's test programs, compiled two at a time as soon as the first is wanted."""

    def __init__(self, folder: Path) -> None:
        self._pool = ThreadPoolExecutor(2)
        self._made = {
            name: self._pool.submit(_compile, folder / name, source, flags)
            for name, (source, flags) in PROGRAMS.items()
        }

    def __getitem__(self, name: str) -> Path:
        return self._made[name].result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _compile(program: Path, source: str, flags: tuple[str, ...]) -> Path:
    objects = []
    for extra in (flag for flag in flags if flag.endswith(".c")):
        objects.append(str(program.with_suffix(".o")))
        subprocess.run(["gcc", "-O1", "-c", extra, "-o", objects[-1]], check=True)
    flags = tuple(flag for flag in flags if not flag.endswith(".c"))
    command = ["g++", *FLAGS, *flags, "-I", str(_LOOP), str(SOURCE / "tests" / f"{source}.cpp"), *objects]
    done = subprocess.run(
        [*command, "-o", str(program), "-pthread"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return program


def build_plugins() -> Path | None:
    """The folder of the built plugins; None where compiler or DPF are missing."""
    dpf = Path(os.environ.get("DPF_PATH", DPF))
    if not (can_compile() and shutil.which("make") and shutil.which("patch") and dpf.is_dir()):
        return None
    # Two processes that run tests build one after the other.
    with exclusive(SOURCE / ".building", wait=True):
        done = subprocess.run(["make", "-j2", "-C", str(SOURCE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr
    return SOURCE / "bin"


def written(fdn: FDN, folder: Path, name: str = "fit") -> Path:
    path = folder / f"{name}.json"
    path.write_text(fit_text(fdn), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Core:
    """The player's core as a program."""

    program: Path
    folder: Path

    def play(self, x: FloatArray, rate: int, script: Sequence[str], block: int = 64) -> FloatArray:
        """Stereo in, stereo out, (2, frames); a line of `script` is ``FRAME load FILE`` or ``FRAME set NAME VALUE``."""
        into, out = self.folder / "in.raw", self.folder / "out.raw"
        np.ascontiguousarray(x.T.astype("<f4")).tofile(into)
        done = subprocess.run(
            [self.program, str(rate), str(block), into, out],
            input="".join(f"{line}\n" for line in script),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return np.fromfile(out, dtype="<f4").reshape(-1, 2).T.astype(np.float64)

    def response(
        self, fdn: FDN, rate: int, seconds: float, *, block: int = 64, settings: Sequence[str] = ()
    ) -> FloatArray:
        """What an impulse in both channels sounds like."""
        x = np.zeros((2, round(seconds * rate)))
        x[:, 0] = 1.0
        path = written(fdn, self.folder)
        return self.play(x, rate, [*(f"-1 set {s}" for s in settings), f"-1 load {path}"], block)


def designed(program: Path, fit: Path, rate: int, decay: float = 1.0, size: float = 1.0) -> dict[str, Any]:
    """What the core makes of a fit at a rate."""
    command = [program, fit, str(rate), repr(decay), repr(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def banded(
    lines: int = 16,
    outputs: int = 2,
    *,
    sample_rate_hz: int = 48000,
    times_s: tuple[float, float] = (1.6, 0.6),
    seed: int = 1,
    **fields: Any,
) -> FDN:
    """What a stereo fit of the banded model looks like: two slopes, direct sound with its colour, taps, equaliser."""
    rng = np.random.default_rng(seed)
    knots = [hz for hz in KNOTS_HZ if hz < sample_rate_hz / 2]
    curve = np.linspace(np.log(times_s[0]), np.log(times_s[1]), len(knots))
    usual: dict[str, Any] = {
        "absorption": {
            "kind": "reverberation_time",
            "family": "peq-1",
            "frequencies_hz": knots,
            "times_s": np.exp(curve + 0.1 * rng.standard_normal((2, len(knots)))).tolist(),
            "line_groups": [i % 2 for i in range(lines)],
        },
        "tone": [
            {"type": "low_shelf", "frequency_hz": 90.0, "gain_db": 3.0, "q": 0.7},
            {"type": "peaking", "frequency_hz": 1000.0, "gain_db": -4.0, "q": 1.4},
            {"type": "high_shelf", "frequency_hz": 0.15 * sample_rate_hz, "gain_db": -6.0, "q": 0.7},
        ],
        "early": [_taps(rng, o, sample_rate_hz) for o in range(outputs)],
        "late_delay_samples": round(0.008 * sample_rate_hz),
        "pre_delay_s": 0.001,
        "gain": 0.3,
        "polarity": -1,
    }
    delays = round(0.006 * sample_rate_hz), round(0.06 * sample_rate_hz)
    return network(
        lines, 1, outputs, sample_rate_hz=sample_rate_hz, delays=delays, seed=seed, **(usual | fields)
    )


def _taps(rng: Generator, output: int, rate: int) -> dict[str, Any]:
    places = [*range(1, 40), *sorted(rng.choice(np.arange(50, rate // 25), 60, replace=False).tolist())]
    taps = [
        {"samples": int(at), "gain": 0.3 * float(g)}
        for at, g in zip(places, rng.standard_normal(99), strict=True)
    ]
    return {"kind": "sparse", "output": output, "input": 0, "taps": taps}


def six() -> FDN:
    """What a default fit looks like."""
    return network(6, reverberation_time_s=0.9, delays=(100, 600))


def dense() -> FDN:
    """A measured early part, which begins before the direct sound at other rates."""
    gains = 0.1 * np.random.default_rng(4).standard_normal(200)
    return banded(
        4, early=[{"kind": "fir", "output": 1, "input": 0, "coefficients": gains.tolist()}], pre_delay_s=0.0
    )


def two_inputs() -> FDN:
    return network(8, 2, 2, sample_rate_hz=44100, reverberation_time_s=1.4, delays=(300, 2500))


def headed(**fields: Any) -> FDN:
    """What a fit of the banded model looks like: a head in each output, echoes behind it."""
    rng = np.random.default_rng(6)
    places = np.sort(rng.choice(np.arange(100, 1900), 60, replace=False))
    early = [
        {"kind": "sparse", "output": o, "input": 0}
        | {"taps": [{"samples": int(at), "gain": 0.3 * float(rng.standard_normal())} for at in places]}
        for o in (0, 1)
    ]
    direct = {"direct_gains": [[0.0], [0.0]]}
    return banded(8, **direct | {"early": early} | head_of(222, 150, 2) | fields)


FITS = {"six": six, "banded": banded, "dense": dense, "two_inputs": two_inputs, "headed": headed}
