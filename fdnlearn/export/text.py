"""Numbers and lists as program text, the same under every locale."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any


def number(value: Any) -> str:
    """The shortest decimal that reads back as the same double, always with a point or an exponent."""
    return repr(float(value))


def signed(value: Any) -> str:
    """The same in parentheses where it is negative."""
    text = number(value)
    return f"({text})" if text.startswith("-") else text


def fixed(value: Any) -> str:
    """The same without an exponent."""
    return format(Decimal(number(value)), "f")


def wrapped(items: Iterable[str], separator: str = ", ", width: int = 100, indent: str = "    ") -> str:
    """Items joined into lines of about `width` characters."""
    lines: list[str] = []
    line = ""
    for item in items:
        if line and len(line) + len(item) + len(separator) > width:
            lines.append(line.rstrip())
            line = ""
        line += item + separator
    lines.append(line.removesuffix(separator))
    return ("\n" + indent).join(lines)


def filled(template: str, values: Mapping[str, object]) -> str:
    """A template with every ``@KEY@`` replaced by its value, in the order given."""
    for key, value in values.items():
        template = template.replace(f"@{key}@", str(value))
    return template


def identifier(text: str) -> str:
    """Letters, digits and underscores, beginning with a letter: good in every target's language."""
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower()
    if not cleaned:
        return "fdn"
    return cleaned if cleaned[0].isalpha() else f"fdn_{cleaned}"
