"""Whose a checkpoint is: the fit that it was written by, and no other takes it up. Without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from fdnlearn.base.errors import differences
from fdnlearn.base.version import __version__

if TYPE_CHECKING:
    from fdnlearn.config import FitConfig
    from fdnlearn.rir.target import Target

#: The longest header of a checkpoint that is looked into for its settings, bytes: histories of long fits are in it.
_LONGEST_HEADER = 1 << 28


@dataclass(frozen=True)
class Owner:
    """A fit, as its checkpoint names it.

    Attributes
    ----------
    settings : mapping
        Flat settings of plain JSON values.
    recording : str
        SHA-256 of the recording and of what was prepared of it.
    program : str
        Version of this program.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    recording: str = ""
    program: str = __version__

    @classmethod
    def of(cls, target: Target, config: FitConfig, more: Mapping[str, Any] = MappingProxyType({})) -> Self:
        """The fit of a target with settings, and with `more` that its results hang on."""
        digest = hashlib.sha256(target.sha256.encode())
        digest.update(target.samples.tobytes())
        return cls({**config.settings(), **more}, digest.hexdigest())

    @classmethod
    def read(cls, metadata: Mapping[str, str]) -> Self:
        """As `to_metadata` wrote it.

        Raises
        ------
        KeyError, ValueError
            If it has not.
        """
        return cls(json.loads(metadata["settings"]), metadata["recording"], metadata["program"])

    def to_metadata(self) -> dict[str, str]:
        """As texts, for the header of a file."""
        return {
            "settings": json.dumps(dict(self.settings)),
            "recording": self.recording,
            "program": self.program,
        }

    def objection(self, asked: Owner) -> str:
        """Why what is there is not to be taken up by the fit that is asked for; empty if it may."""
        if self.program != asked.program:
            return f"is of fdnlearn {self.program}, this is {asked.program}"
        if differing := differences(self.settings, asked.settings):
            return f"belongs to a fit with other settings ({differing})"
        return "" if self.recording == asked.recording else "belongs to a fit of another recording"


#: Of fits that keep no checkpoint.
NOBODY = Owner()


def settings_in(path: Path) -> dict[str, Any] | None:
    """The settings of the fit that a checkpoint belongs to; None where it does not tell."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= _LONGEST_HEADER else {}
        return dict(Owner.read(header["__metadata__"]).settings)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
