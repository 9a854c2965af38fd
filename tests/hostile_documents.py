"""JSON documents that are none, for the tests of what reads them: how they are made, and how they are refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from fdnlearn.base.errors import FdnlearnError

#: By name: the file's content, and what its refusal says.
HostileFiles = Mapping[str, tuple[Callable[[], str | bytes], str]]


class Variants:
    """Variants of a good document, each as a function that gives its text.

    Parameters
    ----------
    good : dict
    """

    def __init__(self, good: dict[str, Any]) -> None:
        self.good = good

    def with_field(self, *path: Any, value: Any) -> Callable[[], str]:
        """The good document with one value replaced."""
        return lambda: self._changed(path, lambda inner, key: inner.__setitem__(key, value))

    def without(self, *path: Any) -> Callable[[], str]:
        """The good document without a field."""
        return lambda: self._changed(path, lambda inner, key: inner.__delitem__(key))

    def _changed(self, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> str:
        document = copy.deepcopy(self.good)
        inner: Any = document
        for key in path[:-1]:
            inner = inner[key]
        change(inner, path[-1])
        return json.dumps(document)


def assert_refused_in_one_line(
    load: Callable[[Path], object], path: Path, content: str | bytes, message: str
) -> None:
    """Write a file and read it: one short line names it, what is wrong and what to do."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FdnlearnError, match=message) as caught:
        load(path)
    line = str(caught.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    assert len(line) < len(str(path)) + 400
    assert caught.value.remedy


@st.composite
def damaged(draw: st.DrawFn, text: str) -> bytes:
    """A document's text with one to three bytes replaced."""
    content = bytearray(text.encode())
    for _ in range(draw(st.integers(1, 3))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


def read_or_refused(loads: Callable[[bytes], Any], content: bytes) -> Any:
    """What a damaged document still holds; None where it is refused, which takes one line."""
    refusal, document = "", None
    try:
        document = loads(content)
    except FdnlearnError as error:
        refusal = str(error)
    assert "\n" not in refusal
    return document
