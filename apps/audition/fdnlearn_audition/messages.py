"""Failures as visitors read them: what, why and what to do, without paths of the server and flags of the command."""

from __future__ import annotations

import re

from fdnlearn.base.errors import FdnlearnError

#: Of a file's name; file systems allow 255.
_LONGEST_BYTES = 200
_FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
_PATH = re.compile(r"(?<![\w.:/])/(?:[^/\s;:,'\"]+/)+[^/\s;:,'\"]*")


class Refused(Exception):
    """A request that is answered with one sentence."""


def told(error: FdnlearnError, subject: str | None = None) -> str:
    """One line about an error of the package.

    Parameters
    ----------
    error : FdnlearnError
    subject : str, optional
        What the visitor calls the thing that the error is about; by default the error's own subject without its folder.
    """
    name = subject or error.subject.rsplit("/", 1)[-1]
    return clean(f"{name}: {error.problem}; {error.remedy}")


def clean(text: str) -> str:
    """A line without folders of the server (their last part stays) and with flags as words."""
    line = " ".join(text.split())
    line = _PATH.sub(lambda path: path.group().rstrip("/").rsplit("/", 1)[-1], line)
    line = line.replace(" with -o", "")
    return _FLAG.sub(lambda flag: flag.group(1).replace("-", " "), line)


def shown_name(name: str) -> str:
    """A file name as it is shown: its last part, without control characters, not endless."""
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(c for c in last if c.isprintable()).strip()[-80:]
    # File systems count bytes.
    while len(printable.encode()) > _LONGEST_BYTES:
        printable = printable[1:]
    return printable.lstrip(".") or "recording"
