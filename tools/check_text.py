"""Check text files: no blanks at ends of lines, one newline at the end, no marks of merges, none over 1 MB.

``python tools/check_text.py FILE...``; prints a line for every fault and exits with 1 if there is one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LARGEST_BYTES = 1_000_000
#: Where blanks at the end of a line mean something, or are not ours.
FOREIGN = (".patch", ".svg")
_MERGE = re.compile(rb"^(<{7} |={7}$|>{7} )", re.MULTILINE)
_BLANKS = re.compile(rb"[ \t]+$", re.MULTILINE)


def faults(path: Path) -> Iterator[str]:
    """What is wrong with a file."""
    content = path.read_bytes()
    if len(content) > LARGEST_BYTES:
        yield f"{len(content)} bytes, more than {LARGEST_BYTES}"
    if _MERGE.search(content):
        yield "marks of a merge"
    if b"\r\n" in content:
        yield "ends of lines as on Windows"
    if path.suffix in FOREIGN:
        return
    if found := _BLANKS.search(content):
        line = content.count(b"\n", 0, found.start()) + 1
        yield f"blanks at the end of line {line}"
    if content and not content.endswith(b"\n"):
        yield "no newline at the end"
    if content.endswith(b"\n\n"):
        yield "empty lines at the end"


def main() -> None:
    """Check the files that are named."""
    bad = False
    for name in sys.argv[1:]:
        for fault in faults(Path(name)):
            print(f"{name}: {fault}")
            bad = True
    sys.exit(bad)


if __name__ == "__main__":
    main()
