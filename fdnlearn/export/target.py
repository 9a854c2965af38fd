"""What an export target is: a name, what it is for, what it can carry, how it is written and where it was heard."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.export.network import ExportNetwork

#: Largest error re the peak of the response, by the precision of a target's audio.
DOUBLE_DB = -230.0
FLOAT32_DB = -140.0


@dataclass(frozen=True)
class TargetLimits:
    """The largest network a target can carry; None where only the format's own limits count.

    Attributes
    ----------
    lines, taps, channels : int or None
        Delay lines; taps of head, early part and direct sound; inputs or outputs.
    run : int
        So many taps at successive delays count as one: the target has a filter for them.
    shortest_delay_samples : int
        Of a line.
    """

    lines: int | None = None
    taps: int | None = None
    channels: int | None = None
    run: int = 1
    shortest_delay_samples: int = 1


@dataclass(frozen=True)
class Proof:
    """The program in which a target's output was heard, and how near that comes to the network.

    Attributes
    ----------
    host : str
    tolerance_db : float
        Largest error that `check` accepts, re the peak of the response.
    measured_db : str
        The error measured in that program, as ``--list`` shows it.
    renderer : str or None
        ``"module:function"`` in `fdnlearn.export.hosts`, of ``function(job: HostJob) -> ndarray (O, samples)``; None
        where no program can be driven.
    sectioned_tolerance_db : float or None
        The tolerance for networks that have second-order sections, where the host computes those in single precision.
    tapped_longest_s : float
        How much of the response is compared where a network has taps, for hosts that are slow with those.
    """

    host: str
    tolerance_db: float
    measured_db: str
    renderer: str | None = None
    sectioned_tolerance_db: float | None = None
    tapped_longest_s: float = math.inf


@dataclass(frozen=True)
class ExportTarget:
    """One way to write a network down.

    Attributes
    ----------
    name : str
        As in ``--to``.
    purpose : str
        What it is for, in a few words.
    write : callable
        ``write(network, folder)`` writes files into a folder and returns their names, the main one first.
    proof : Proof
    limits : TargetLimits
    refuse : callable or None
        ``refuse(network)`` raises an FdnlearnError for what the target cannot carry beyond its limits.
    about : callable or None
        One line about what plays the export: where it is, or how to get it.
    """

    name: str
    purpose: str
    write: Callable[[ExportNetwork, Path], list[str]]
    proof: Proof
    limits: TargetLimits = field(default_factory=TargetLimits)
    refuse: Callable[[ExportNetwork], None] | None = None
    about: Callable[[], str] | None = None

    @property
    def verified(self) -> bool:
        """Whether there is a program that proves it."""
        return self.proof.renderer is not None

    def tolerance_of(self, network: ExportNetwork) -> float:
        """Largest error accepted for a network, dB re the peak of its response."""
        sections = network.line_sections.shape[1] + len(network.tone) + len(network.lowpass)
        if sections and self.proof.sectioned_tolerance_db is not None:
            return self.proof.sectioned_tolerance_db
        return self.proof.tolerance_db

    def compared_s(self, network: ExportNetwork) -> float:
        """How much of a network's response its host is asked for at most."""
        tapped = any(tap.delay_samples > 0 for tap in network.taps)
        return self.proof.tapped_longest_s if tapped else math.inf

    def admit(self, network: ExportNetwork) -> None:
        """Refuse a network that the target cannot carry.

        Raises
        ------
        FdnlearnError
        """
        limits = self.limits
        for what, has, most, remedy in (
            ("delay lines", network.lines, limits.lines, "fit with fewer --lines or choose another target"),
            ("inputs", network.inputs, limits.channels, "choose another target"),
            ("outputs", network.outputs, limits.channels, "choose another target"),
            ("early taps", len(network.pieces(limits.run)), limits.taps, "choose another target"),
        ):
            if most is not None and has > most:
                raise FdnlearnError(self.name, f"carries at most {most} {what}, not {has}", remedy)
        shortest = int(network.delays_samples.min())
        if shortest < limits.shortest_delay_samples:
            raise FdnlearnError(
                self.name,
                f"cannot run a delay of {shortest} samples (at least {limits.shortest_delay_samples} are needed)",
                "raise --sample-rate or choose another target",
            )
        if self.refuse is not None:
            self.refuse(network)

    def as_row(self) -> dict[str, Any]:
        """What ``--list`` tells."""
        return {
            "target": self.name,
            "purpose": self.purpose,
            "verified_in": self.proof.host,
            "verified": self.verified,
            "tolerance_db": self.proof.tolerance_db if self.verified else None,
            "measured_db": self.proof.measured_db,
        }
