"""Everything one report tells, collected before any of it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fdnlearn.base.types import FloatArray

# The table alone needs none of what these import.
if TYPE_CHECKING:
    from fdnlearn.fdn import FDN
    from fdnlearn.fitting.progress import Progress
    from fdnlearn.rir.metrics_document import Metrics
    from fdnlearn.rir.target import Target


@dataclass(frozen=True)
class ReportData:
    """One fit, ready to be reported.

    Attributes
    ----------
    target : Target
    fdn : FDN
    fitted : ndarray, shape (channels, n)
        Its response at `target.sample_rate_hz`, on the scale of `target.samples`: without `fdn.gain`,
        `fdn.polarity` and pre-delay.
    metrics : Metrics
        What `metrics.json` holds: the comparison, and how the fit was made.
    history : tuple of Progress
        The loss, iteration by iteration.
    """

    target: Target
    fdn: FDN
    fitted: FloatArray
    metrics: Metrics
    history: tuple[Progress, ...] = ()
