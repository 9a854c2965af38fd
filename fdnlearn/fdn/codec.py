"""The contract as JSON: deterministic bytes out, one clear refusal for every file that is not a valid network."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import replacing, write_text
from fdnlearn.fdn.contract import FDN, FORMAT, VERSION

#: Larger files are refused unread.
MAX_FILE_BYTES = 64 * 2**20
#: Deepest nesting of objects and arrays.
MAX_DEPTH = 64
_MAX_INTEGER_DIGITS = 40
_DAMAGED = "export or fit it again"


class _NotAllowed(ValueError):
    """Valid for Python's parser, not for this format."""


def load_fdn(path: str | os.PathLike[str]) -> FDN:
    """Read a network from a JSON file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    FDN
        Valid and proved stable.

    Raises
    ------
    FdnlearnError
        One line naming the file, the field, the problem and the remedy, whatever the file holds.
    """
    name = str(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise FdnlearnError(name, "there is no such file", "check the path") from None
    except IsADirectoryError:
        raise FdnlearnError(name, "is a folder", "name the JSON file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FdnlearnError(
            name, f"cannot be read ({reason})", "check the path and its permissions"
        ) from None
    return loads_fdn(data, name)


def loads_fdn(data: bytes | str, name: str = "FDN") -> FDN:
    """Parse a network from JSON text; `name` is what an error calls it.

    Raises
    ------
    FdnlearnError
        As `load_fdn`.
    """
    try:
        return _validated(_parse(data))
    except FdnlearnError as error:
        subject = f"{name}: {error.subject}" if error.subject else name
        raise FdnlearnError(subject, error.problem, error.remedy) from None


def save_fdn(fdn: FDN, path: str | os.PathLike[str]) -> None:
    """Write a network as JSON, atomically: the file is complete or untouched. Equal networks give equal bytes.

    Raises
    ------
    FdnlearnError
        If the folder cannot be written or the provenance is not JSON.
    """
    text = dumps_fdn(fdn)
    with replacing(Path(path)) as partial:
        write_text(partial, text)


def dumps_fdn(fdn: FDN) -> str:
    """JSON text of a network: fields in the order of the contract, shortest round-trip numbers, one row a line.

    Raises
    ------
    FdnlearnError
        If the provenance holds NaN, infinity or nests too deeply.
    """
    try:
        document = fdn.model_dump(mode="python")
        if _depth(document) > MAX_DEPTH:
            raise RecursionError
        document["delays_samples"] = [int(m) if m == int(m) else m for m in document["delays_samples"]]
        return _pretty(document, "") + "\n"
    except (ValueError, TypeError, RecursionError):
        raise FdnlearnError(
            "provenance",
            "cannot be written as JSON (NaN, infinity, or nested too deeply)",
            "keep plain finite values",
        ) from None


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the format. Shapes, orthogonality and stability are checked beyond it."""
    schema = FDN.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "fdnlearn feedback delay network",
        "required": ["format", "version", *schema["required"]],  # defaults in Python, obligatory in a file
    }


def _parse(data: bytes | str) -> dict[str, Any]:
    if len(data) > MAX_FILE_BYTES:
        raise FdnlearnError("", f"is larger than {MAX_FILE_BYTES // 2**20} MiB", "this is not an FDN file")
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        raise FdnlearnError("", "is not UTF-8 text", "give an FDN as JSON") from None
    if not text.strip():
        raise FdnlearnError("", "is empty", _DAMAGED)
    try:
        document = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_short_integer,
            object_pairs_hook=_unique,
        )
        if _depth(document) > MAX_DEPTH:
            raise RecursionError
    except json.JSONDecodeError as error:
        problem = f"is not JSON ({error.msg} at line {error.lineno}, column {error.colno})"
        raise FdnlearnError("", problem, "give an FDN as JSON") from None
    except _NotAllowed as error:
        raise FdnlearnError("", str(error), _DAMAGED) from None
    except RecursionError:
        raise FdnlearnError("", f"nests deeper than {MAX_DEPTH} levels", "this is not an FDN file") from None
    if not isinstance(document, dict):
        raise FdnlearnError("", "holds no JSON object", "give an FDN as JSON")
    return document


def _validated(document: dict[str, Any]) -> FDN:
    # format and version first: with another version every other field may differ
    if document.get("format") != FORMAT:
        raise FdnlearnError("format", f"is not {FORMAT!r}", "give a file that fdnlearn wrote")
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise FdnlearnError("version", "is not a positive integer", _DAMAGED)
    if version > VERSION:
        raise FdnlearnError(
            "version",
            f"the file was written by a newer fdnlearn (format version {version}, this program reads {VERSION})",
            "upgrade fdnlearn",
        )
    try:
        return FDN.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        kind = first["type"]
        if kind == "extra_forbidden":
            problem, remedy = "is not a field of the format", "remove it or upgrade fdnlearn"
        elif kind == "missing":
            problem, remedy = "is missing", _DAMAGED
        else:
            problem, remedy = _plain(first["msg"]), "correct the value"
        raise FdnlearnError(_field(first["loc"]), problem, remedy) from None


def _field(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part not in _UNION_TAGS:
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
    message = message.removesuffix(" or object to extract fields from")
    return message[:1].lower() + message[1:160]


#: pydantic puts the tag of a union into the location; it is no part of the file.
_UNION_TAGS = frozenset({"per_line_gain", "reverberation_time", "sparse", "fir"})


def _depth(value: Any) -> int:
    """Nesting depth, found without recursion; stops counting one beyond the limit."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        following: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                following.extend(v for v in item.values() if isinstance(v, (dict, list, tuple)))
            elif isinstance(item, (list, tuple)):
                following.extend(v for v in item if isinstance(v, (dict, list, tuple)))
        depth += 1
        level = following
    return depth


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


def _pretty(value: Any, indent: str) -> str:
    """Objects over several lines; an array of arrays one row a line, everything inside on one line."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        items = (f"{inner}{json.dumps(str(key))}: {_pretty(item, inner)}" for key, item in value.items())
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, (list, tuple)) and any(isinstance(item, (list, tuple, dict)) for item in value):
        return (
            "[\n" + ",\n".join(inner + json.dumps(item, allow_nan=False) for item in value) + f"\n{indent}]"
        )
    return json.dumps(value, allow_nan=False)
