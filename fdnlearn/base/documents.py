"""JSON files that hold a model: parsed within limits, validated, and refused in one clear line, whatever they hold."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from fdnlearn.base.errors import FdnlearnError

#: Larger files are refused unread.
MAX_FILE_BYTES = 64 * 2**20
#: Deepest nesting of objects and arrays.
MAX_DEPTH = 64
_MAX_INTEGER_DIGITS = 40
#: Without one of these no number is beyond double precision and no integer too long: they need not be looked at singly.
_LONG_NUMBER = re.compile(r"[eE]\+?\d{3}|\d{41}")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class DocumentKind:
    """One kind of file: how it is recognised, and what a user is told who gives something else.

    Attributes
    ----------
    format : str
        What its ``format`` field holds.
    version : int
        The newest version that this program reads.
    give, none : str
        Remedies: for what is no such document, for what cannot be a file of this kind at all.
    damaged : str
        Remedy for a file that has once been one.
    headless : bool
        Whether files without ``format`` and ``version`` are read, because older programs wrote such.
    tags : frozenset of str
        Tags of discriminated unions; pydantic names them where it names fields, a file has none of them.
    """

    format: str
    version: int
    give: str
    none: str
    damaged: str
    headless: bool = False
    tags: frozenset[str] = frozenset()


class _NotAllowed(ValueError):
    """Valid for Python's parser, not for a document."""


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read a file, of a larger one than `MAX_FILE_BYTES` one byte more than these.

    Raises
    ------
    FdnlearnError
        If it cannot be read.
    """
    name = str(path)
    try:
        with open(path, "rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise FdnlearnError(name, "there is no such file", "check the path") from None
    except IsADirectoryError:
        raise FdnlearnError(name, "is a folder", "name the JSON file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FdnlearnError(
            name, f"cannot be read ({reason})", "check the path and its permissions"
        ) from None


def loads_document(data: bytes | str, model: type[Model], kind: DocumentKind, name: str) -> Model:
    """Parse and validate a document; `name` is what an error calls it.

    Raises
    ------
    FdnlearnError
        One line naming the document, the field, the problem and the remedy.
    """
    with within(name):
        return validated(parse(data, kind), model, kind)


@contextmanager
def within(name: str) -> Iterator[None]:
    """Put the name of the document in front of what an error inside is about."""
    try:
        yield
    except FdnlearnError as error:
        subject = f"{name}: {error.subject}" if error.subject else name
        raise FdnlearnError(subject, error.problem, error.remedy) from None


def parse(data: bytes | str, kind: DocumentKind) -> dict[str, Any]:
    """One JSON object: strict JSON, finite numbers, no key twice, not too large and not too deep.

    Raises
    ------
    FdnlearnError
        Without a subject: that is the file.
    """
    if len(data) > MAX_FILE_BYTES:
        raise FdnlearnError("", f"is larger than {MAX_FILE_BYTES // 2**20} MiB", kind.none)
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        raise FdnlearnError("", "is not UTF-8 text", kind.give) from None
    if not text.strip():
        raise FdnlearnError("", "is empty", kind.damaged)
    long = _LONG_NUMBER.search(text) is not None
    try:
        document = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite if long else None,
            parse_int=_short_integer if long else None,
            object_pairs_hook=_unique,
        )
        if depth(document) > MAX_DEPTH:
            raise RecursionError
    except json.JSONDecodeError as error:
        problem = f"is not JSON ({error.msg} at line {error.lineno}, column {error.colno})"
        raise FdnlearnError("", problem, kind.give) from None
    except _NotAllowed as error:
        raise FdnlearnError("", str(error), kind.damaged) from None
    except RecursionError:
        raise FdnlearnError("", f"nests deeper than {MAX_DEPTH} levels", kind.none) from None
    if not isinstance(document, dict):
        raise FdnlearnError("", "holds no JSON object", kind.give)
    return document


def validated(document: Mapping[str, Any], model: type[Model], kind: DocumentKind) -> Model:
    """Check ``format`` and ``version``, then everything else.

    Raises
    ------
    FdnlearnError
        About the first field that is wrong.
    """
    # format and version first: with another version every other field may differ
    if not (kind.headless and not {"format", "version"} & set(document)):
        _check_head(document, kind)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "extra_forbidden":
            problem, remedy = "is not a field of the format", "remove it or upgrade fdnlearn"
        elif first["type"] == "missing":
            problem, remedy = "is missing", kind.damaged
        else:
            problem, remedy = _plain(first["msg"]), "correct the value"
        raise FdnlearnError(_field(first["loc"], kind.tags), problem, remedy) from None


def json_schema(model: type[BaseModel], title: str, *also_required: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of a model; `also_required` has a default in Python and is obligatory in a file."""
    schema = model.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": title,
        "required": [*also_required, *schema["required"]],
    }


def depth(value: Any) -> int:
    """Nesting depth, found without recursion; stops counting one beyond the limit."""
    level, depth = [[value]], -1
    while level and depth <= MAX_DEPTH:
        following: list[Any] = []
        for item in level:
            inner = item.values() if isinstance(item, dict) else item
            following += [v for v in inner if isinstance(v, (dict, list, tuple))]
        depth += 1
        level = following
    return depth


def _check_head(document: Mapping[str, Any], kind: DocumentKind) -> None:
    if document.get("format") != kind.format:
        raise FdnlearnError("format", f"is not {kind.format!r}", "give a file that fdnlearn wrote")
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise FdnlearnError("version", "is not a positive integer", kind.damaged)
    if version > kind.version:
        raise FdnlearnError(
            "version",
            "the file was written by a newer fdnlearn "
            f"(format version {version}, this program reads {kind.version})",
            "upgrade fdnlearn",
        )


def _field(location: tuple[int | str, ...], tags: frozenset[str]) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part not in tags:
            printable = part if part.isprintable() and len(part) <= 40 else ascii(part[:40])
            text += f".{printable}" if text else printable
    return text


def _plain(message: str) -> str:
    """Pydantic's message in the words of JSON."""
    for theirs, ours in (
        ("a valid tuple", "an array"),
        ("tuple", "array"),
        ("a valid dictionary", "an object"),
    ):
        message = message.replace(theirs, ours)
    message = re.sub(" or (instance of .*|object to extract fields from)$", "", message)
    return message[:1].lower() + message[1:160]


def _refuse_constant(token: str) -> NoReturn:
    raise _NotAllowed(f"holds {token}, which is not a JSON number")


def _finite(token: str) -> float:
    value = float(token)
    if not math.isfinite(value):
        raise _NotAllowed(f"holds the number {token[:24]}, which is beyond double precision")
    return value


def _short_integer(token: str) -> int:
    if len(token) > _MAX_INTEGER_DIGITS:
        raise _NotAllowed(f"holds an integer of {len(token)} digits")
    return int(token)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _NotAllowed(f"gives the key {twice[:40]!a} twice")
    return result
