"""fdnlearn: a measured room goes in, a small stable Feedback Delay Network comes out.

The public names below are imported when they are first used, so that ``import fdnlearn`` costs nothing.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from fdnlearn.base.version import __version__

# GNU OpenMP's workers spin for milliseconds at every barrier: beside another busy process a gradient step of 3 ms took
# 30 to 60. A short spin costs nothing on an idle machine. The library reads this once, when torch or Numba loads it.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from fdnlearn.acoustics.parameters import room_parameters
    from fdnlearn.base.errors import FdnlearnError, UsageError
    from fdnlearn.config import FitConfig
    from fdnlearn.examples import example_path
    from fdnlearn.fdn import FDN, load_fdn, save_fdn
    from fdnlearn.fitting import Solution, solve
    from fdnlearn.layer import FeedbackDelayNetwork, NetworkTensors, network_response, process_audio
    from fdnlearn.options import Banded, Gradient, Homogeneous
    from fdnlearn.render import impulse_response
    from fdnlearn.rir import Target, load_target
    from fdnlearn.runs import fit_recording

#: Public name -> module that defines it.
_PUBLIC = {
    "Banded": "fdnlearn.options",
    "FDN": "fdnlearn.fdn",
    "FdnlearnError": "fdnlearn.base.errors",
    "FeedbackDelayNetwork": "fdnlearn.layer",
    "FitConfig": "fdnlearn.config",
    "Gradient": "fdnlearn.options",
    "Homogeneous": "fdnlearn.options",
    "NetworkTensors": "fdnlearn.layer",
    "Solution": "fdnlearn.fitting",
    "Target": "fdnlearn.rir",
    "UsageError": "fdnlearn.base.errors",
    "example_path": "fdnlearn.examples",
    "fit_recording": "fdnlearn.runs",
    "impulse_response": "fdnlearn.render",
    "load_fdn": "fdnlearn.fdn",
    "load_target": "fdnlearn.rir",
    "network_response": "fdnlearn.layer",
    "process_audio": "fdnlearn.layer",
    "room_parameters": "fdnlearn.acoustics.parameters",
    "save_fdn": "fdnlearn.fdn",
    "solve": "fdnlearn.fitting",
}

__all__ = [
    "__version__",
    "Banded",
    "FDN",
    "FdnlearnError",
    "FeedbackDelayNetwork",
    "FitConfig",
    "Gradient",
    "Homogeneous",
    "NetworkTensors",
    "Solution",
    "Target",
    "UsageError",
    "example_path",
    "fit_recording",
    "impulse_response",
    "load_fdn",
    "load_target",
    "network_response",
    "process_audio",
    "room_parameters",
    "save_fdn",
    "solve",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
