"""Visitors: each has a token, a folder that goes when they go, and nothing in common with the others."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fdnlearn_audition.limits import VisitorLimits
from fdnlearn_audition.messages import Refused


@dataclass(frozen=True)
class Upload:
    """What a visitor has brought.

    Attributes
    ----------
    name : str
        As it is shown.
    path : Path
    channels : int
    """

    name: str
    path: Path
    channels: int


@dataclass(frozen=True)
class Take:
    """One fit that can be heard: `key` names it in addresses, `view` is what the page shows of it.

    Its folder is as `fdnlearn fit` writes it; that of an opened network may hold an `fdn.json` alone.
    """

    key: str
    folder: Path
    view: dict[str, Any]


@dataclass(eq=False)
class Session:
    """One visitor."""

    token: str
    folder: Path
    recording: Upload | None = None
    takes: dict[str, Take] = field(default_factory=dict)
    seen: float = field(default_factory=time.monotonic)
    closed: bool = False

    def place(self, stem: str) -> Path:
        """A new folder inside the visitor's own."""
        path = self.folder / f"{stem}-{secrets.token_hex(4)}"
        path.mkdir(parents=True)
        return path

    def take(self, key: str) -> Take:
        """A take by its key.

        Raises
        ------
        Refused
        """
        if key not in self.takes:
            raise Refused("That fit is not here any more; fit again")
        return self.takes[key]


class Sessions:
    """All visitors, by the hash that Gradio knows them by and by the token that their page holds.

    Parameters
    ----------
    limits : VisitorLimits
    """

    def __init__(self, limits: VisitorLimits) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="fdnlearn-audition-"))
        self._limits = limits
        self._by_hash: dict[str, Session] = {}
        self._by_token: dict[str, Session] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._by_hash)

    def open(self, session_hash: str) -> Session:
        """The visitor behind a hash; a new one if there is none.

        Raises
        ------
        Refused
            If there are too many.
        """
        with self._lock:
            session = self._by_hash.get(session_hash)
            if session is None:
                if len(self._by_hash) >= self._limits.sessions:
                    raise Refused("The listening room is full; try again in a few minutes")
                token = secrets.token_urlsafe(24)
                session = Session(token, self.root / secrets.token_hex(12))
                session.folder.mkdir(parents=True)
                self._by_hash[session_hash] = self._by_token[token] = session
            session.seen = time.monotonic()
            return session

    def find(self, token: str) -> Session:
        """The visitor who holds a token.

        Raises
        ------
        Refused
        """
        session = self._by_token.get(token)
        if session is None:
            raise Refused("This page has been away for too long; load it again")
        session.seen = time.monotonic()
        return session

    def close(self, session_hash: str) -> Session | None:
        """Forget a visitor and remove their folder."""
        with self._lock:
            session = self._by_hash.pop(session_hash, None)
            if session is None:
                return None
            self._by_token.pop(session.token, None)
            session.closed = True
        shutil.rmtree(session.folder, ignore_errors=True)
        return session

    def idle(self) -> list[str]:
        """Hashes of those who have not been heard of for too long."""
        before = time.monotonic() - self._limits.idle_s
        with self._lock:
            return [name for name, session in self._by_hash.items() if session.seen < before]

    def end(self) -> None:
        """Forget everybody."""
        for name in list(self._by_hash):
            self.close(name)
        shutil.rmtree(self.root, ignore_errors=True)
