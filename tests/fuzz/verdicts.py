"""What a command may answer: a right answer, or one clear line on stderr, and nothing left behind."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any, NoReturn

from command_line import Outcome, run

from fuzz.cases import Fault

#: What only a program that was surprised says. Exceptions of libraries are named where one room of many fails by them.
_SURPRISED = re.compile(r"Traceback|internal error|report it|\b[A-Za-z]+(?:Error|Exception)\b")
#: Beside what was refused, this much may be said of it.
_LONGEST_LINE = 1200


def strict(text: str) -> Any:
    """A JSON document that every reader of JSON takes."""

    def refuse(word: str) -> NoReturn:
        raise Fault(f"prints {word}, which is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise Fault(f"prints what is not JSON ({error}): {text[:200]!r}") from None


def clear(line: str, given: int = 0) -> None:
    """Whether a refusal is one line with a remedy; `given` is the length of what it may repeat."""
    if _SURPRISED.search(line):
        raise Fault(f"is surprised: {line}")
    steering = any(unicodedata.category(c) == "Cc" for c in line)
    if steering or line.startswith("fdnlearn: :") or ";" not in line or len(line) > _LONGEST_LINE + given:
        raise Fault(f"is no clear line: {line!r}")


def command(*args: str, repeats: int = 0) -> Outcome:
    """Run a command line in the current folder and judge what it says and leaves; its outcome if that is right.

    Beside its arguments it may repeat as many characters of what it reads as `repeats` says.
    """
    before = _tree()
    outcome = run(*args)
    if outcome.code not in (0, 1, 2):
        raise Fault(f"ends with {outcome.code}: {outcome.stderr!r}")
    *others, last = outcome.stderr.removesuffix("\n").split("\n")
    lines = others if outcome.code else [*others, last]
    if _SURPRISED.search(outcome.stdout + outcome.stderr):
        raise Fault(f"is surprised: {outcome.stdout[-400:]}{outcome.stderr[-400:]}")
    if any(line and not line.startswith("fdnlearn: ") for line in lines):
        raise Fault(f"says more than it should: {outcome.stderr!r}")
    if outcome.code:
        clear(last, sum(map(len, args)) + repeats)
    if "--json" in args and outcome.stdout and not {"--help", "-h"} & set(args):
        strict(outcome.stdout)
    elif (
        outcome.code and outcome.stdout and args[0] not in ("batch", "compare")
    ):  # they print what did not fail
        raise Fault(f"prints results and fails: {outcome.stdout[:200]!r}")
    _judge_files(before, _tree(), args[0], outcome.code)
    return outcome


def _tree() -> dict[Path, bytes | None]:
    """Everything in the current folder, by path; None for a folder."""
    return {path: None if path.is_dir() else path.read_bytes() for path in Path().rglob("*")}


def _judge_files(
    before: dict[Path, bytes | None], after: dict[Path, bytes | None], name: str, code: int
) -> None:
    new = set(after) - set(before)
    if half := [path for path in new if ".partial" in path.name or path.name == ".fdnlearn-partial"]:
        raise Fault(f"leaves {half[0]}")
    # A batch and a comparison keep what they have; of all others nothing is left of what failed.
    if code and new and name not in ("batch", "compare"):
        raise Fault(f"fails and leaves {min(new)}")
    if code and (lost := [path for path in before if after.get(path) != before[path]]):
        raise Fault(f"fails and changes {lost[0]}")
