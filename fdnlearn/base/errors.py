"""What a user can cause: every failure is one line that names the thing, the problem and the remedy."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any


def one_line(text: str) -> str:
    """A text without ends of lines and without characters that steer a terminal: names of files may have both."""
    line = " ".join(text.split())
    return "".join(ascii(c)[1:-1] if unicodedata.category(c) == "Cc" else c for c in line)


class FdnlearnError(Exception):
    """A refused input or failed resource, told in one line.

    Parameters
    ----------
    subject : str
        What the failure is about: a file, a field, a folder.
    problem : str
        What is wrong with it.
    remedy : str
        What the user can do about it.
    """

    exit_code = 1

    def __init__(self, subject: str, problem: str, remedy: str) -> None:
        self.subject, self.problem, self.remedy = subject, problem, remedy
        super().__init__(one_line(f"{self.named}: {problem}; {remedy}"))

    @property
    def named(self) -> str:
        """The subject as it is told: what has an empty name is named all the same."""
        return self.subject if self.subject.strip() else repr(self.subject)


class UsageError(FdnlearnError):
    """Options that are unknown, contradictory or out of range (exit code 2)."""

    exit_code = 2


def suggest(word: str, known: Iterable[str], otherwise: str) -> str:
    """A remedy for a misspelt word: the nearest of those that are known, or something else where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise


def differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Which settings differ, each with what is there and what was asked for; empty where none does."""
    names = sorted(name for name in {*there, *asked} if there.get(name) != asked.get(name))
    return ", ".join(f"{name} {there.get(name)} instead of {asked.get(name)}" for name in names)
