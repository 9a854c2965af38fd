"""Open the listening room of another installation in a browser: ``python tools/visit_room.py FDNLEARN RESULT``.

FDNLEARN is its command, RESULT a folder that a fit wrote. Fails on anything that the tests of the room would fail on.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from audition_room import DESK, browser, running_room, visiting


def main(command: str, result: str) -> None:
    """See what was opened, hear it, take the exports' list."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        running_room(Path(temporary), result, command=[command], PYTHONPATH="") as room,
        browser() as chromium,
        visiting(chromium, room, DESK) as page,
    ):
        page.wait_for_selector("table.octaves")
        page.wait_for_selector(".targets li")
        page.click("#tab-listen")
        page.wait_for_selector(".keys .key")
        stems = page.locator(".keys .name").all_inner_texts()
        print(f"{command} audition {result}: opened, {', '.join(stems)} can be heard")


if __name__ == "__main__":
    main(*sys.argv[1:3])
