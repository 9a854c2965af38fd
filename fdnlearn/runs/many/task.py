"""What travels between the driver of a batch and those who fit: small frozen objects, cheap to pickle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from fdnlearn.config import FitConfig


@dataclass(frozen=True)
class Room:
    """One recording to be fitted.

    Attributes
    ----------
    name : str
        Its folder among the results: unique in a batch, safe on every file system.
    source : str
        The file it is in.
    channel : int, "all" or None
        Which channel, where a manifest says so; None takes the job's.
    measurement : int or None
        Which measurement of a SOFA file; its receivers are the channels.
    fault : str or None
        Why it cannot even be tried, one line; None for a room that can.
    """

    name: str
    source: str
    channel: int | Literal["all"] | None = None
    measurement: int | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Job:
    """What all rooms of a batch have in common.

    Attributes
    ----------
    config : FitConfig
    channel : int, "all" or None
    stereo : bool
    report : bool
        Whether every room gets its page: drawing one takes about as long as a fit.
    """

    config: FitConfig
    channel: int | Literal["all"] | None = None
    stereo: bool = False
    report: bool = False

    def channel_of(self, room: Room) -> int | Literal["all"] | None:
        """The room's own channel, else the common one."""
        return self.channel if room.channel is None else room.channel

    def settings(self) -> dict[str, Any]:
        """As plain JSON values: rooms with other settings are not mixed with these."""
        from fdnlearn.runs.pipeline import asked_settings

        settings = asked_settings(self.config, self.channel, stereo=self.stereo)
        return {**settings, "report": self.report}


#: How the fit of one room can end.
FINISHED, REPEATED, FAILED = "finished", "repeated", "failed"


@dataclass(frozen=True)
class Outcome:
    """How the fit of one room ended.

    Attributes
    ----------
    room : Room
    status : str
        `FINISHED`; `REPEATED` if somebody else had published the room before this fit of it ended; `FAILED`.
    problem : str
        Of a failed room, one line.
    everybodys : tuple of str or None
        Subject, problem and remedy of a problem that every room has (a full disk, a wrong option): the batch cannot
        go on.
    usage : bool
        Whether that is one of usage.
    """

    room: Room
    status: str
    problem: str = ""
    everybodys: tuple[str, str, str] | None = None
    usage: bool = False
