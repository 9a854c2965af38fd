"""How the lines decay: free gains, or reverberation times with a versioned filter family."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.fdn.families import FAMILIES
from fdnlearn.fdn.fields import Index, Number, Part, Positive


class PerLineGain(Part):
    """One gain a line, applied once a round trip: the Gamma of the source paper."""

    kind: Literal["per_line_gain"] = "per_line_gain"
    gains: Annotated[tuple[Annotated[Number, Field(ge=0.0, lt=1.0)], ...], Field(min_length=1)]

    @property
    def lines(self) -> int:
        """Number of lines described."""
        return len(self.gains)

    def check(self) -> None:
        """Nothing beyond the types."""

    @shapes_checked
    def design(
        self,
        delays_s: Float64[FloatArray, " lines"],
        realised_samples: Float64[FloatArray, " lines"],
        sample_rate_hz: float,
        decay: float,
    ) -> tuple[Float64[FloatArray, " lines"], Float64[FloatArray, "lines sections 6"]]:
        """Gains and (no) sections for realised delays: ``g' = g^((m'/fs') / (m/fs) / decay)``."""
        # the exponent is exactly 1 at the fit's own rate, so that the gains come back as they are
        exponent = (realised_samples / sample_rate_hz) / delays_s / decay
        gains = np.asarray(self.gains) ** exponent
        return gains, np.empty((len(self.gains), 0, 6))

    @shapes_checked
    def reverberation_times_s(
        self, delays_s: Float64[FloatArray, " lines"]
    ) -> Float64[FloatArray, "lines 1"]:
        """Reverberation time of every line, shape (N, 1): ``-3 m / (fs log10 g)``."""
        with np.errstate(divide="ignore"):
            return np.asarray(-3.0 * delays_s / np.log10(np.asarray(self.gains)))[:, None]


class ReverberationTime(Part):
    """Reverberation times at given frequencies, for groups of lines, and the family that turns them into filters."""

    kind: Literal["reverberation_time"] = "reverberation_time"
    family: Annotated[str, Field(max_length=64)]
    frequencies_hz: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=64)]
    times_s: Annotated[
        tuple[tuple[Annotated[Positive, Field(ge=1e-3, le=1e3)], ...], ...], Field(min_length=1)
    ]
    line_groups: Annotated[tuple[Index, ...], Field(min_length=1)]

    @property
    def lines(self) -> int:
        """Number of lines described."""
        return len(self.line_groups)

    def check(self) -> None:
        """Refuse unknown families, knots the family does not take, ragged times and groups that do not exist."""
        family = FAMILIES.get(self.family)
        if family is None:
            raise FdnlearnError(
                "absorption.family",
                f"{self.family!r} is unknown to this program (it knows {', '.join(sorted(FAMILIES))})",
                "upgrade fdnlearn or choose a known family",
            )
        frequencies = np.asarray(self.frequencies_hz)
        problem = family.check(frequencies)
        if problem is None and np.any(np.diff(frequencies) <= 0):
            problem = "is not strictly increasing"
        if problem is not None:
            raise FdnlearnError("absorption.frequencies_hz", problem, "see the family in docs/format.md")
        for group, times in enumerate(self.times_s):
            if len(times) != frequencies.size:
                raise FdnlearnError(
                    f"absorption.times_s[{group}]",
                    f"has {len(times)} values for {frequencies.size} frequencies",
                    "give one time per frequency",
                )
        if max(self.line_groups) >= len(self.times_s):
            raise FdnlearnError(
                "absorption.line_groups",
                f"names group {max(self.line_groups)} but times_s has {len(self.times_s)}",
                "count groups from 0",
            )

    @shapes_checked
    def design(
        self,
        delays_s: Float64[FloatArray, " lines"],
        realised_samples: Float64[FloatArray, " lines"],
        sample_rate_hz: float,
        decay: float,
    ) -> tuple[Float64[FloatArray, " lines"], Float64[FloatArray, "lines sections 6"]]:
        """Gains (N,) and sections (N, S, 6) of the family for realised delays."""
        times = self.reverberation_times_s(delays_s) * decay
        family = FAMILIES[self.family]
        return family.design(np.asarray(self.frequencies_hz), times, realised_samples, sample_rate_hz)

    @shapes_checked
    def reverberation_times_s(
        self, delays_s: Float64[FloatArray, " lines"]
    ) -> Float64[FloatArray, "lines knots"]:
        """Reverberation times of every line at the knots, shape (N, K)."""
        times: FloatArray = np.asarray(self.times_s)[np.asarray(self.line_groups)]
        return times


Absorption = Annotated[PerLineGain | ReverberationTime, Field(discriminator="kind")]
