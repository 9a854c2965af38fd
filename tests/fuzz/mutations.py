"""Changes that break formats: of bytes, of texts, of JSON values."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

#: Where headers are.
_HEAD_BYTES = 128
_NUMBERS = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_LONG = (*_NUMBERS, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF)

#: Words that are no values, or of another kind than is asked for.
WORDS = (
    "",
    " ",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-0",
    "0",
    "1",
    "-1",
    "2",
    "0.5",
    "1e-320",
    "99999999999999999999",
    "9" * 5000,
    "٣",
    "²",
    "0x10",
    "1_000",
    "true",
    "None",
    "all",
    "auto",
    ",",
    "a,b",
    "..",
    "../../etc/passwd",
    "/",
    "-",
    "--",
    "%s%n",
    "{0}",
    "[bold]",
    "new\nline",
    "\x1b[31m",
    "\r",
    "ünïcödé",
    "\U0001f3b5",
    "\u202eevil",
    "x" * 300,
)


def changed_bytes(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """One to four changes, most of them in the header."""
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        content = rng.choice(_CHANGES)(rng, content, rng.choice(others))
    return content[: 1 << 20]


def _place(rng: random.Random, content: bytes) -> int:
    most = len(content) if rng.random() < 0.2 else min(len(content), _HEAD_BYTES)
    return rng.randrange(most) if most else 0


def _byte(rng: random.Random, content: bytes, other: bytes) -> bytes:
    at = _place(rng, content)
    return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]


def _bit(rng: random.Random, content: bytes, other: bytes) -> bytes:
    at = _place(rng, content)
    return (
        content[:at]
        + bytes(byte ^ 1 << rng.randrange(8) for byte in content[at : at + 1])
        + content[at + 1 :]
    )


def _number(rng: random.Random, content: bytes, other: bytes) -> bytes:
    width, order = rng.choice((1, 2, 4, 4, 8)), rng.choice(("little", "big"))
    at = _place(rng, content) // 2 * 2
    number = rng.choice((*_LONG, len(content), len(content) - at)) % (1 << 8 * width)
    return content[:at] + number.to_bytes(width, order) + content[at + width :]


def _cut(rng: random.Random, content: bytes, other: bytes) -> bytes:
    return (
        content[: _place(rng, content)] if rng.random() < 0.5 else content[: rng.randrange(len(content) + 1)]
    )


def _cut_out(rng: random.Random, content: bytes, other: bytes) -> bytes:
    at = _place(rng, content)
    return content[:at] + content[at + rng.choice((1, 2, 4, 8, 16, 64)) :]


def _repeat(rng: random.Random, content: bytes, other: bytes) -> bytes:
    at, length = _place(rng, content), rng.choice((1, 4, 8, 24, 100))
    return content[:at] + content[at : at + length] * rng.choice((2, 3, 50)) + content[at + length :]


def _insert(rng: random.Random, content: bytes, other: bytes) -> bytes:
    at = _place(rng, content)
    return content[:at] + rng.randbytes(rng.choice((1, 2, 4, 16))) + content[at:]


def _splice(rng: random.Random, content: bytes, other: bytes) -> bytes:
    return content[: _place(rng, content)] + other[_place(rng, other) :]


_CHANGES = (_byte, _byte, _bit, _number, _number, _number, _cut, _cut_out, _repeat, _insert, _splice)

#: In place of a value of a document; texts of numbers that Python would not write come as they are.
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    1e-300,
    5e-324,
    1e300,
    1e16,
    -1e300,
    0.999999999999,
    2**31,
    2**53,
    2**64,
    float("nan"),
    float("inf"),
    "",
    "x" * 1000,
    "\ud800",
    "a\nb",
    [],
    {},
    [[]],
    [0],
    {"": 0},
    [1e308] * 3,
)


def changed_document(rng: random.Random, text: bytes) -> bytes:
    """A JSON document some of whose values are others; as bytes are changed where it is none."""
    try:
        document = json.loads(text)
    except ValueError:
        return changed_bytes(rng, text, [text])
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        _change_value(rng, document)
    changed = json.dumps(document)
    if rng.random() < 0.1:
        changed = changed.replace(": 1.0", rng.choice((": 1e999", ": 1" + "0" * 400, ": -0.0", ": 01")), 1)
    content = changed.encode()
    return changed_bytes(rng, content, [text]) if rng.random() < 0.1 else content


def _change_value(rng: random.Random, document: Any) -> None:
    inner, key = document, None
    while isinstance(inner, dict | list) and inner:
        outer, key = inner, rng.choice(list(inner)) if isinstance(inner, dict) else rng.randrange(len(inner))
        inner = outer[key]
        if rng.random() < 0.25:
            break
    if key is None:
        return
    how = rng.random()
    if how < 0.15:
        del outer[key]
    elif how < 0.25 and isinstance(outer, list):
        outer += [copy.deepcopy(outer[key])] * rng.choice((1, 2, 100))
    elif how < 0.3:
        for _ in range(rng.choice((1, 40, 100))):
            outer[key] = [outer[key]]
    elif how < 0.6 and isinstance(inner, int | float) and not isinstance(inner, bool):
        outer[key] = inner * rng.choice((-1, 0, 0.5, 0.99, 1.0000001, 2, 10, 1e6, 1e-6)) + rng.choice(
            (0, 0, 1)
        )
    else:
        outer[key] = rng.choice(_VALUES)
