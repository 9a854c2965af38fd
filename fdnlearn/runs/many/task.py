"""What travels between the driver of a batch and those who fit: small frozen objects, cheap to pickle."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from fdnlearn.runs.pipeline import Job


@dataclass(frozen=True)
class BatchRoom:
    """One recording to be fitted.

    Attributes
    ----------
    name : str
        Its folder among the results: unique in a batch, safe on every file system.
    source : str
        The file it is in.
    channel : int, "all" or None
        Which channel, from 1, where a manifest says so; None takes the job's.
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

    def job(self, common: Job) -> Job:
        """The batch's job with the room's own channel, where it has one."""
        return common if self.channel is None else dataclasses.replace(common, channel=self.channel)


#: A fit that ended after somebody else had published the room.
REPEATED = "repeated"


@dataclass(frozen=True)
class RoomOutcome:
    """How the fit of one room ended.

    Attributes
    ----------
    room : BatchRoom
    status : str
        `ends.FINISHED`; `REPEATED` if somebody else had published the room before this fit of it ended;
        `ends.FAILED`.
    problem : str
        Of a failed room, one line.
    everybodys : tuple of str or None
        Subject, problem and remedy of a problem that every room has (a full disk, a wrong option): the batch cannot
        go on.
    usage : bool
        Whether that is one of usage.
    """

    room: BatchRoom
    status: str
    problem: str = ""
    everybodys: tuple[str, str, str] | None = None
    usage: bool = False
