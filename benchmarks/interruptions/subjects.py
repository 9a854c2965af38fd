"""Commands that are interrupted, and what has to hold of what they leave."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from processes import run

RATE_HZ = 16000
TINY = ("--model", "homogeneous", "--lines", "4", "--restarts", "2", "--iterations", "20")
#: Commands that leave results.
NAMES = ("fit", "batch", "compare", "export", "render")
#: Commands that leave none: only how they end is looked at.
FLEETING = ("analyze", "audition")
#: Results of a fit, and what of hidden files may stay after a run that came to its end.
RESULTS = {"target.wav", "ir.wav", "history.csv", "metrics.json", "fdn.json"}
STAYS = {".lock"}
_TARGETS = ("wav", "c99", "faust", "webaudio")
#: What is there after a run that came to its end.
_EXPECTED = {
    "fit": ["fdn.json"],
    "batch": ["summary.csv", "overview.html", "rooms"],
    "compare": ["summary.json", "report.html"],
    "export": [f"fdn.{target}.cert.json" for target in _TARGETS],
    "render": ["wet.wav"],
}


def prepare(folder: Path) -> None:
    """Write what the commands are given: two recordings, a network, a dry file, a folder for temporary ones."""
    for seed, name in enumerate(("a.wav", "b.wav")):
        _record(folder / name, seed)
    dry = 0.1 * np.random.default_rng(9).standard_normal((20 * RATE_HZ, 2))
    soundfile.write(folder / "dry.wav", dry, RATE_HZ, subtype="FLOAT")
    (folder / "tmp").mkdir()
    os.environ["TMPDIR"] = str(folder / "tmp")
    made = run(["fit", str(folder / "a.wav"), "-o", str(folder / "net"), *TINY])
    assert made.code == 0, made.stderr


def _record(path: Path, seed: int) -> None:
    """A direct sound and exponentially decaying noise, T60 0.3 s."""
    rng = np.random.default_rng(seed)
    h = 0.1 * rng.standard_normal(6400) * 10 ** (-3 * np.arange(6400) / 4800)
    h[0] = 0.5
    soundfile.write(path, h + 1e-4 * rng.standard_normal(6400), RATE_HZ, subtype="FLOAT")


class Subject:
    """A command that is interrupted.

    Parameters
    ----------
    name : str
    folder : Path
        As `prepare` has left it. Results go to ``place/out``.
    dice : random.Random
        Decides what of a command is chosen at random: whether it replaces earlier results.

    Attributes
    ----------
    command : list of str
    """

    def __init__(self, name: str, folder: Path, dice: random.Random) -> None:
        self.name, self.folder = name, folder
        self.place, self.out = folder / "place", folder / "place" / "out"
        rooms = [str(folder / "a.wav"), str(folder / "b.wav")]
        network, out = str(folder / "net" / "fdn.json"), str(self.out)
        self.command = {
            "fit": ["fit", rooms[0], "-o", out, *TINY],
            "batch": ["batch", *rooms, "-o", out, "--workers", "2", *TINY],
            "compare": [
                *("compare", rooms[0], "-o", out, "--methods", "gradient,analytic"),
                *("--seeds", "1", "--budget", "0.5", "--lines", "4"),
            ],
            "export": ["export", network, "--to", ",".join(_TARGETS), "-o", out],
            "render": ["render", network, str(folder / "dry.wav"), "-o", str(self.out / "wet.wav")],
            "analyze": ["analyze", dice.choice(rooms)],
            "audition": ["audition", "--port", "0", *dice.choice(([], [str(folder / "net")]))],
        }[name]

    def rival(self) -> list[str]:
        """Another command that writes the same results; a fit's are others, so that a mixture would be seen."""
        return [*self.command, "--seed", "1"] if self.name == "fit" else self.command

    def again(self) -> list[str] | None:
        """The command that goes on where one was interrupted, if there is anything to go on with."""
        if self.name in FLEETING:
            return None
        if self.name == "fit" and (self.out / "checkpoint.safetensors").exists():
            return ["fit", str(self.folder / "a.wav"), "-o", str(self.out), "--resume"]
        if self.name == "fit" and (self.out / "fdn.json").exists():
            return [*self.command, "--force"]
        return [*self.command, "--resume"] if self.name == "compare" else self.command

    def results(self) -> dict[Path, int]:
        """Networks that are there, and which files they are."""
        return {path: path.stat().st_ino for path in self.out.rglob("fdn.json") if ".work" not in path.parts}

    def breaches(self, *, over: bool) -> Iterator[str]:
        """What is wrong with what is there; `over` after a run that came to its end."""
        for path in self.out.rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(self.out).parts)
            if hidden:
                if over and path.name not in STAYS:
                    yield f"left over: {path.relative_to(self.out)}"
            elif path.is_file() and (what := _what_is_half(path)):
                yield f"half a file: {path.relative_to(self.out)}: {what}"
        folders = [path.parent for path in self.results()]
        if self.name in ("fit", "batch"):
            for folder in folders:
                if not {path.name for path in folder.iterdir()} >= RESULTS:
                    yield f"a network without the rest: {folder.relative_to(self.out)}"
                elif len(seeds := _seeds(folder)) != 1:
                    yield f"results of several fits, seeds {seeds}: {folder.relative_to(self.out)}"
        if over and self.name in _EXPECTED:
            yield from (f"missing: {name}" for name in _EXPECTED[self.name] if not (self.out / name).exists())
            if self.name == "batch" and len(folders) != 2:
                yield f"{len(folders)} rooms of 2"

    def litter(self) -> Iterator[str]:
        """Temporary files that were left."""
        yield from (f"temporary: {path.name}" for path in (self.folder / "tmp").iterdir())


def _seeds(folder: Path) -> set[int]:
    network, metrics = (json.loads((folder / name).read_text()) for name in ("fdn.json", "metrics.json"))
    return {network["provenance"]["seed"], metrics["settings"]["seed"]}


def _what_is_half(path: Path) -> str:
    """Why a file is not whole; empty if it is."""
    whole = True
    try:
        match path.suffix:
            case ".wav":
                whole = bool(soundfile.read(path)[0].size)
            case ".json":
                whole = json.loads(path.read_text()) is not None
            case ".html":
                whole = path.read_text().rstrip().endswith("</html>")
            case ".csv":
                whole = path.read_text().endswith("\n")
            case ".safetensors":
                from safetensors import safe_open

                with safe_open(path, framework="np") as file:
                    whole = bool(list(file.keys()))
    except Exception as error:
        return str(error)[:100]
    return "" if whole else f"{path.stat().st_size} bytes"
