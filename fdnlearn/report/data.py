"""Everything one report tells, collected before any of it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fdnlearn.acoustics.grading import Metrics
from fdnlearn.base.types import FloatArray

if TYPE_CHECKING:
    from fdnlearn.fdn import FDN
    from fdnlearn.fitting.progress import Progress
    from fdnlearn.rir.target import Target


@dataclass(frozen=True)
class ReportData:
    """One fit, ready to be reported.

    Attributes
    ----------
    target : Target
        The prepared recording.
    fdn : FDN
        The network that was learned.
    fitted : ndarray, shape (channels, n)
        Its response at `target.sample_rate_hz`, on the scale of `target.samples`: without `fdn.gain`,
        `fdn.polarity` and pre-delay.
    metrics : mapping
        What `metrics.json` holds.
    history : tuple of Progress
        The loss, iteration by iteration.
    settings : mapping
        The resolved configuration of the fit, plain JSON values.
    warnings : tuple of str
        Of the fit; those of the recording come with `target`.
    version : str
        Of the program.
    unsnapped_metrics : mapping or None
        Metrics before the delays were rounded.
    """

    target: Target
    fdn: FDN
    fitted: FloatArray
    metrics: Metrics
    history: tuple[Progress, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    version: str = ""
    unsnapped_metrics: Metrics | None = None
