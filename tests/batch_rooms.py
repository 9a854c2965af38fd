"""Small rooms for batches, the briefest of fits, and an engine that fits them in this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from command_line import decay, environment, record

from fdnlearn.base.processes import thread_limits
from fdnlearn.fitting import FitConfig
from fdnlearn.runs.many.engine import BatchOrder, Outcomes
from fdnlearn.runs.many.one import fit_room
from fdnlearn.runs.pipeline import Job


def options_of(config: FitConfig) -> tuple[str | int, ...]:
    """What asks for a fit of gradient descent on the command line."""
    settings = config.settings()
    asked = {
        "--model": settings["model"],
        "--lines": settings["lines"],
        "--iterations": settings["iterations"],
        "--restarts": settings["restarts"],
        "--sample-rate": settings["sample_rate_hz"],
    }
    return tuple(word for option in asked.items() for word in option)


#: A fit of a tenth of a second.
TINY = Job(FitConfig.for_model("homogeneous", lines=2, iterations=2, restarts=1, sample_rate_hz=8000))
TINY_OPTIONS = options_of(TINY.config)


def make_rooms(folder: Path, count: int, seconds: float = 0.3) -> Path:
    """Rooms ``r000.wav`` and so on, each its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        record(folder / f"r{number:03d}.wav", decay(seconds, rate=8000, seed=number), rate=8000)
    return folder


def published(out: Path) -> dict[str, bytes]:
    """The network of every finished room."""
    return {path.parent.name: path.read_bytes() for path in (out / "rooms").glob("*/fdn.json")}


_SINGLES = """
import sys
from pathlib import Path
from fdnlearn import FitConfig, fit_recording
import fdnlearn.runs.outputs
fdnlearn.runs.outputs.write_report = lambda path, data: path.write_text("page")
rooms, out = Path(sys.argv[1]), Path(sys.argv[2])
for path in sorted(rooms.glob("*.wav")):
    fit_recording(path, out / path.stem, FitConfig.for_model(**eval(sys.argv[3])))
"""


def single_fits(rooms: Path, config: FitConfig) -> dict[str, bytes]:
    """The networks of single fits, in a process of one thread: figures in a network's provenance depend on it."""
    with TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            _SINGLES,
            str(rooms),
            scratch,
            repr(config.settings()),
        ]
        subprocess.run(command, check=True, env=environment() | thread_limits(1), timeout=250)
        return {path.parent.name: path.read_bytes() for path in Path(scratch).glob("*/fdn.json")}


def outcomes(order: BatchOrder) -> Outcomes:
    """An engine without processes."""
    for room in order.rooms:
        if order.stopping():
            return
        yield fit_room(room, order.job, order.folder)
        yield None
