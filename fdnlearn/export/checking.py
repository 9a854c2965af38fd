"""Playing an export in its real host: an impulse goes in, what comes out is compared with the learned response."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.exporting import Export
from fdnlearn.export.hosts import HostJob, HostMissing
from fdnlearn.registry import load

#: Longest response that is compared, seconds.
LONGEST_S = 2.0


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Attributes
    ----------
    target : str
    host : str
    error_db : float or None
        Largest difference to the expected response re its peak; None where nothing was rendered.
    tolerance_db : float
    reason : str
        Why nothing was rendered, otherwise empty.
    """

    target: str
    host: str
    error_db: float | None
    tolerance_db: float
    reason: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the error keeps the tolerance; None where nothing was rendered."""
        return None if self.error_db is None else self.error_db <= self.tolerance_db


def check(exported: Export, *, longest_s: float = LONGEST_S) -> Check:
    """Render an impulse from every input through an export in its host.

    Parameters
    ----------
    exported : Export
    longest_s : float
        How much of the response is compared; less where the host would take too long.

    Raises
    ------
    FdnlearnError
        If the host is there but fails.
    """
    target, network = exported.target, exported.network
    tolerance = target.tolerance_of(network)
    host = target.proof.host
    if target.proof.renderer is None:
        return Check(target.name, host, None, tolerance, f"no host: {host}")
    render = load(f"fdnlearn.export.hosts.{target.proof.renderer}")
    expected = network.impulse_response(min(longest_s, target.compared_s(network)))
    response = np.empty_like(expected)
    try:
        for k in range(network.inputs):
            with tempfile.TemporaryDirectory(prefix="fdnlearn-") as scratch:
                files = tuple(path.resolve() for path in exported.files)
                response[:, k] = render(HostJob(network, files, Path(scratch), expected.shape[2], k))
    except HostMissing as missing:
        return Check(target.name, host, None, tolerance, str(missing))
    return Check(target.name, host, error_db(response, expected), tolerance)


@shapes_checked
def error_db(
    response: Float64[FloatArray, "*channels samples"],
    expected: Float64[FloatArray, "*channels samples"],
) -> float:
    """Largest difference between two responses re the peak of the expected one, dB; -400 where they are equal."""
    peak = float(np.max(np.abs(expected), initial=0.0)) or 1.0
    difference = float(np.max(np.abs(response - expected), initial=0.0))
    if not math.isfinite(difference):
        return math.inf
    return max(20.0 * math.log10(difference / peak), -400.0) if difference > 0.0 else -400.0
