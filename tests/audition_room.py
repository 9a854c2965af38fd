"""Start the listening room as a process of its own, and look at it with a browser that forgives nothing."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import environment, program
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, sync_playwright

from fdnlearn.base.types import FloatArray
from fdnlearn.export.hosts import HostMissing, find

#: A laptop and a telephone; the second in the dark.
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "dark",
    "device_scale_factor": 2,
    "has_touch": True,
}
_BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
READY = ".room[data-state=ready]"


@dataclass
class Room:
    """A running listening room."""

    process: subprocess.Popen[str]
    address: str
    temporary: Path

    @property
    def folders(self) -> list[Path]:
        """Folders of the visitors who are in it."""
        (root,) = self.temporary.glob("fdnlearn-audition-*")
        return [path for path in root.iterdir() if path.name not in ("gradio", "opened")]

    @property
    def memory_mb(self) -> float:
        """Resident memory of the server alone."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found.group(1)) / 1024

    def children(self) -> list[int]:
        return _children(self.process.pid)

    def busy(self) -> int:
        """The one child of the server that computes; others may still be importing what they will need."""
        while True:
            before = {pid: _cpu_ticks(pid) for pid in self.children()}
            time.sleep(1.0)
            busy = [pid for pid, ticks in before.items() if _cpu_ticks(pid) - ticks > 10]
            if len(busy) == 1:
                return busy[0]

    def post(self, path: str, token: str = "", body: bytes = b"{}", **headers: str) -> dict[str, Any]:
        """What a page would ask."""
        request = urllib.request.Request(
            f"{self.address}room/{path}", data=body, headers={"x-room-token": token, **headers}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            answer: dict[str, Any] = json.loads(response.read())
        return answer


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


@contextlib.contextmanager
def running_room(
    temporary: Path, *args: object, command: list[str] | None = None, **variables: str
) -> Iterator[Room]:
    """The real command in a process of its own, on any free port, its temporary files where they can be counted.

    Another `command` than this checkout's may be given, as of an installed wheel.
    """
    temporary.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [*(command or program()), "audition", "--port", "0", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1", **variables},
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+/", line)
        assert found is not None, line + process.stderr.read()
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield Room(process, found.group().replace("0.0.0.0", "127.0.0.1"), temporary)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium, driven by playwright, which downloads nothing."""
    try:
        executable = find("chromium", "apt-get install chromium", "chromium-browser", "google-chrome")
    except HostMissing as missing:
        pytest.skip(str(missing))
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable, args=_BROWSER_FLAGS)
        yield chromium
        chromium.close()


@dataclass
class Watch:
    """What a page has done that it must not."""

    address: str
    faults: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"outside request: {request.url}")


@contextlib.contextmanager
def visiting(chromium: Browser, room: Room, look: dict[str, Any], path: str = "") -> Iterator[Page]:
    """A visitor's page; any console message, page error or outside request fails the test when it is closed."""
    context = chromium.new_context(**look)
    context.set_default_timeout(60000)
    page = context.new_page()
    watch = Watch(room.address)
    watch.over(page)
    try:
        page.goto(room.address + path)
        if not path:
            page.wait_for_selector(READY)
        yield page
    finally:
        with contextlib.suppress(Error):
            context.close()
    assert watch.faults == []


def wait_until(condition: Any, timeout_s: float, what: str) -> float:
    """Seconds until `condition()` holds."""
    started = time.perf_counter()
    while not condition():
        if time.perf_counter() - started > timeout_s:
            pytest.fail(f"not within {timeout_s} s: {what}")
        time.sleep(0.02)
    return time.perf_counter() - started


def start_fit(page: Page) -> None:
    """A fit that goes on for minutes, under way."""
    page.click("text=small room")
    page.wait_for_selector(".about h3")
    page.select_option("#model", "homogeneous")
    page.fill("#iterations", "5000")
    page.fill("#lines", "16")
    page.click("#go")
    page.wait_for_function("/iteration/.test(document.querySelector('#fit-detail').textContent)")


def fit_ended(page: Page) -> str:
    """Wait for the end of a fit; the word that the page has for it."""
    page.wait_for_function(
        "!document.querySelector('#go').disabled"
        " && /Done|Stopped|Failed|Cancelled/.test(document.querySelector('#fit-state').textContent)",
        timeout=120000,
    )
    return page.inner_text("#fit-state")


#: JavaScript that packs channels of a buffer for `samples`.
PACK = """
const pack = (buffer) => Array.from({ length: buffer.numberOfChannels }, (_, c) => {
  const bytes = new Uint8Array(new Float32Array(buffer.getChannelData(c)).buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
});
"""


#: JavaScript that unpacks what `packed` has made.
UNPACK = """
const unpack = (texts) => texts.map((text) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
});
"""


def packed(channels: FloatArray) -> list[str]:
    """Channels (C, n) for JavaScript; numbers as text would take ten times as long."""
    return [base64.b64encode(np.asarray(row, dtype="<f4").tobytes()).decode() for row in channels]


def samples(packed: list[str]) -> FloatArray:
    """Channels (C, n) as JavaScript packed them."""
    return np.stack(
        [np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float64) for text in packed]
    )
