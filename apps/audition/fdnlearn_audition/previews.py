"""Networks of a fit under way, to be heard before it ends: its process writes them, the server plays them.

They lie in a folder of their own, one folder each and the recording above them, so that they sound the way results do;
when the fit ends, however it does, all of them go.
"""

from __future__ import annotations

import dataclasses
import math
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fdnlearn import FitConfig
    from fdnlearn.fdn import FDN
    from fdnlearn.rir import Target

#: A network is worth another hearing if its loss is at most this much of that of the one before.
_BETTER = 0.98
#: How many stay: a page may still be fetching the one that it was told of before.
_KEPT = 3
_KEY = re.compile(r"preview-[1-9][0-9]*")


def find(folder: str, key: str) -> Path | None:
    """The folder of one of them by its key, or None if it is not there (any more)."""
    path = Path(folder) / key
    return path if _KEY.fullmatch(key) and (path / "fdn.json").is_file() else None


class Previews:
    """What the process of a fit writes.

    Parameters
    ----------
    folder : str
        Made here; all of this fit's.
    target : Target
        Written at once: the room is heard beside its networks.
    widened_by : int or None
        Seed of the second output that a fit of one channel is to get.
    """

    def __init__(self, folder: str, target: Target, widened_by: int | None = None) -> None:
        from fdnlearn.runs.outputs import write_recording

        self._folder = Path(folder)
        self._widened_by = widened_by
        self._count = 0
        self._loss = math.inf
        # Its parent is the visitor's: if that has gone, so has whoever would listen.
        self._folder.mkdir()
        write_recording(self._folder / "target.wav", target)

    def wants(self, loss: float) -> bool:
        """Whether a network of that loss is worth hearing after those before it."""
        return math.isfinite(loss) and loss < _BETTER * self._loss

    def add(self, fdn: FDN, loss: float) -> dict[str, Any]:
        """Write a network, drop what has long been followed by better ones, and say what the page needs to know."""
        from fdnlearn.fdn import save_fdn
        from fdnlearn.render.stereo import widened

        if self._widened_by is not None:
            fdn = widened(fdn, self._widened_by)
        self._count += 1
        self._loss = loss
        folder = self._folder / f"preview-{self._count}"
        folder.mkdir()
        save_fdn(fdn, folder / "fdn.json")
        shutil.rmtree(self._folder / f"preview-{self._count - _KEPT}", ignore_errors=True)
        return {"key": folder.name, "loss": loss, "sample_rate_hz": fdn.sample_rate_hz, "has_room": True}


def design(target: Target, config: FitConfig) -> tuple[FDN, float] | None:
    """The design in closed form and its loss: there in a moment, and better than the first steps of a descent.

    None where there is no such design of the room; the fit will say what is wrong with it, if anything is.
    """
    from fdnlearn.fitting import solve
    from fdnlearn.options import Analytic

    try:
        solution = solve(target, dataclasses.replace(config, method=Analytic()))
    except Exception:  # nothing that happens here may end the fit
        return None
    return solution.fdn, solution.loss
