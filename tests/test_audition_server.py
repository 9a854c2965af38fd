"""Safe to leave running: who is let in, what hostile visitors get, what is left when they go."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from audition_room import DESK, Room, fit_ended, running_room, start_fit, visiting, wait_until
from command_line import decay, record, run
from fdnlearn_audition import security
from playwright.sync_api import Browser, Page
from test_failures import REFUSED

# Who is let in


def test_others_are_let_in_with_a_password_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(security.PASSWORD, raising=False)
    for host in ("0.0.0.0", "192.0.2.1", "::"):
        outcome = run("audition", "--host", host)
        assert outcome.code == 2
        assert f"--host {host}: would open the room to others without a password" in outcome.complaint
    monkeypatch.setenv(security.PASSWORD, "short")
    outcome = run("audition", "--host", "0.0.0.0")
    assert outcome.code == 2
    assert "is too short" in outcome.complaint


def test_a_busy_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        outcome = run("audition", "--port", port)
    assert outcome.code == 1
    assert f"127.0.0.1:{port}: cannot be listened at (address already in use)" in outcome.complaint


def test_without_gradio_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name == "gradio" else found(name, *more)
    )
    outcome = run("audition")
    assert outcome.code == 2
    assert 'needs gradio, which is not installed; pip install "fdnlearn[audition]"' in outcome.complaint


@pytest.mark.parametrize("content", [None, "", "{}"])
def test_what_is_no_result_is_not_opened(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "fit"
    folder.mkdir()
    if content is not None:
        (folder / "fdn.json").write_text(content)
    outcome = run("audition", folder)
    assert outcome.code == 1
    assert str(folder) in outcome.complaint


def _answer(app: Any, **headers: str) -> tuple[int, dict[str, str]]:
    """Status and headers of one GET."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": raw, "query_string": b""}
    # In a thread: the browser's driver keeps a loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(app(scope, receive, send))).result()
    start = sent[0]
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}


async def _open(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in"})


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (None, 401),
        ("Basic " + base64.b64encode(b"listener:correct horse").decode(), 200),
        ("Basic " + base64.b64encode(b"anyone:correct horse").decode(), 200),
        ("Basic " + base64.b64encode(b"listener:wrong horse").decode(), 401),
        ("Basic " + base64.b64encode(b"correct horse").decode(), 401),
        ("Basic !!!", 401),
        ("Bearer correct horse", 401),
    ],
)
def test_the_password_is_asked_for(given: str | None, status: int) -> None:
    app = security.Guard(_open, "correct horse")
    told, headers = _answer(app, **({"authorization": given} if given else {}))
    assert told == status
    assert ("www-authenticate" in headers) == (status == 401)


def test_pages_may_not_ask_anybody_else() -> None:
    status, headers = _answer(security.Guard(_open, None))
    assert status == 200
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "*" not in policy


def test_other_names_for_this_machine_are_refused(listening_room: Room) -> None:
    port = listening_room.address.rsplit(":", 1)[1].rstrip("/")
    for host, expected in (
        (f"localhost:{port}", 200),
        ("evil.example", 400),
        (f"127.0.0.1.evil.example:{port}", 400),
    ):
        request = urllib.request.Request(listening_room.address + "room/web/main.js", headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status = response.status
        except urllib.error.HTTPError as error:
            status = error.code
            error.close()
        assert status == expected, host


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        "room/web/../routes.py",
        "room/web/%2e%2e/routes.py",
        "room/file/none/x/fdn.json",
        "openapi.json",
        "docs",
    ],
)
def test_files_of_the_server_stay_there(listening_room: Room, path: str) -> None:
    try:
        with urllib.request.urlopen(listening_room.address + path, timeout=30) as response:
            body = response.read()
            status = response.status
    except urllib.error.HTTPError as error:
        body, status = error.read(), error.code
        error.close()
    assert b"root:" not in body
    assert b"APIRouter" not in body
    assert status >= 400 or b"<html" in body[:400].lower()


def test_strangers_have_no_session(listening_room: Room) -> None:
    for path in ("stop", "network", "export", "targets", "example", "alive", "upload?name=a.wav"):
        told = listening_room.post(path, token="guessed")
        assert told == {"ok": False, "problem": "This page has been away for too long; load it again"}


# What hostile visitors get


def _wav(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format="WAV", subtype="FLOAT")
    return file.getvalue()


def _huge_headers() -> Iterator[tuple[str, bytes]]:
    form = struct.pack("<HHIIHH", 1, 1, 48000, 96000, 2, 16)
    wav = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", 1 << 30)
    yield "gigabyte.wav", b"RIFF" + struct.pack("<I", 1 << 30) + b"WAVE" + wav + bytes(1000)
    common = struct.pack(">hLh", 1, 1 << 29, 16) + bytes.fromhex("400ebb80000000000000")
    aiff = b"COMM" + struct.pack(">L", 18) + common + b"SSND" + struct.pack(">L", 1 << 30) + bytes(1000)
    yield "gigabyte.aiff", b"FORM" + struct.pack(">L", 1 << 30) + b"AIFF" + aiff
    info = (
        bytes([0x80, 0, 0, 34])
        + struct.pack(">HH", 4096, 4096)
        + bytes(6)
        + struct.pack(">Q", (48000 << 44) | (15 << 36) | ((1 << 36) - 1))
        + bytes(16)
    )
    yield "gigabyte.flac", b"fLaC" + info + bytes(1000)


def hostile(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Two hundred files: name and content."""
    rng = np.random.default_rng(0)
    good = _wav(decay())
    for kind, make in REFUSED.items():
        path = folder / "one.wav"
        make(path)
        if path.is_file() and not path.is_fifo():
            yield f"{kind}.wav", path.read_bytes()
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("room.wav", bytes(20 << 20))
    for name in ("bomb.wav", "bomb.flac", "bomb.sofa", "bomb.aiff", "bomb.zip"):
        yield name, bomb.getvalue()
    yield "gzip.sofa", gzip.compress(bytes(20 << 20))
    yield from _huge_headers()
    for name in (
        "../../../../tmp/evil.wav",
        "..\\..\\evil.wav",
        "/etc/passwd.wav",
        "....//evil.wav",
        "a\0b.wav",
        "\n\n.wav",
        "%2e%2e%2fevil.wav",
        "CON.wav",
        "-rf.wav",
        "; rm -rf.wav",
        "<script>alert(1)<.wav",
        "x" * 5000 + ".wav",
        "\u202egnp.wav",
        "",
        ".",
        "..",
        "room",
        "room.exe",
        "room.wav.html",
    ):
        yield name, b"no audio at all" * 10
    hdf5 = b"\x89HDF\r\n\x1a\n"
    for size in (0, 8, 100, 2000):
        yield f"hdf5-{size}.sofa", hdf5 + rng.bytes(size)
    while True:
        cut = int(rng.integers(1, 300))
        yield f"cut-{cut}.wav", good[:cut]
        broken = bytearray(good[: int(rng.integers(44, 4000))])
        for place in rng.integers(0, 44, 4):
            broken[place] = int(rng.integers(0, 256))
        yield f"broken-{cut}.wav", bytes(broken)
        yield f"noise-{cut}.flac", b"fLaC" + rng.bytes(cut)


def send(page: Page, name: str, content: bytes) -> str:
    """Upload through the page's own module; the problem that it is told, or an empty text."""
    code = """async ([name, text]) => {
      const { send } = await import("/room/web/server.js");
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      try { await send(`upload?name=${encodeURIComponent(name)}`, new Blob([bytes])); return ""; }
      catch (error) { return String(error.message); }
    }"""
    told: str = page.evaluate(code, [name, base64.b64encode(content).decode()])
    return told


def test_two_hundred_hostile_uploads_get_a_clean_line_each(
    listening_room: Room, chromium: Browser, tmp_path: Path
) -> None:
    refused = 0
    with visiting(chromium, listening_room, DESK) as page:
        for (name, content), _ in zip(hostile(tmp_path), range(200), strict=False):
            problem = send(page, name, content)
            if problem:
                refused += 1
                assert "\n" not in problem
                assert ";" in problem, f"no remedy: {problem}"
                assert not re.search(
                    r"Traceback|/tmp|/root|/home|fdnlearn-audition|\.py\b|--[a-z]", problem
                ), problem
                assert len(problem) < 400
        assert refused >= 195
        # The room is as it was: a good recording is described, nothing of the bad ones is kept.
        assert send(page, "good.wav", _wav(decay())) == ""
        (folder,) = listening_room.folders
        assert [path.name for path in folder.rglob("*.*") if path.is_file()] == ["good.wav"]
    assert not Path("/tmp/evil.wav").exists()
    wait_until(lambda: not listening_room.folders, 5, "the visitor's folder goes")


def test_too_large_a_file_is_refused_before_it_has_arrived(listening_room: Room, chromium: Browser) -> None:
    code = """async () => {
      const { send } = await import("/room/web/server.js");
      try { await send("upload?name=a.wav", new Blob([new Uint8Array(65 << 20)])); return ""; }
      catch (error) { return String(error.message); }
    }"""
    with visiting(chromium, listening_room, DESK) as page:
        assert page.evaluate(code) == "The file is larger than 64 MB; cut it to what is needed"


@pytest.mark.parametrize(
    ("path", "document", "said"),
    [
        ("network", {"take": "none", "rate": 48000, "decay": 1, "size": 1}, "fit again"),
        ("network", {"take": "none", "rate": 48000, "decay": 1e9, "size": 1}, "no number"),
        ("network", {"take": "none", "rate": 12345, "decay": 1, "size": 1}, "decay goes"),
        ("export", {"take": "none", "targets": ["../x"]}, "Choose export targets"),
        ("export", {"take": "none", "targets": []}, "Choose export targets"),
        ("example", {"name": "../../etc/passwd"}, "no such example"),
        ("channel", {"channel": 0}, "no recording yet"),
        ("results/opened-none", {}, "no such folder"),
    ],
)
def test_impossible_requests_are_refused_in_words(
    listening_room: Room, chromium: Browser, path: str, document: dict[str, Any], said: str
) -> None:
    code = """async ([path, document]) => {
      const { ask } = await import("/room/web/server.js");
      try { await ask(path, document); return ""; } catch (error) { return String(error.message); }
    }"""
    with visiting(chromium, listening_room, DESK) as page:
        assert said in page.evaluate(code, [path, document])


# Fits of others


def test_a_closed_tab_frees_its_fit_and_a_stop_is_quick(listening_room: Room, chromium: Browser) -> None:
    with visiting(chromium, listening_room, DESK) as page:
        start_fit(page)
        busy = set(listening_room.children())
        (folder,) = listening_room.folders
        page.context.close()
        wait_until(lambda: busy - set(listening_room.children()), 3, "the process of the fit goes")
        wait_until(lambda: not folder.exists(), 3, "the folder goes")
    with visiting(chromium, listening_room, DESK) as page:
        start_fit(page)
        took_ms = page.evaluate(
            """() => new Promise((done) => {
              const since = performance.now();
              const ended = ({ detail }) => detail.state === "writing" && done(performance.now() - since);
              window.addEventListener("room-news", ended);
              document.querySelector("#stop").click();
            })"""
        )
        assert took_ms < 3000
        assert fit_ended(page) == "Stopped"


def test_a_crashed_fit_is_told_and_costs_nobody_else_anything(
    listening_room: Room, chromium: Browser
) -> None:
    with visiting(chromium, listening_room, DESK) as page:
        start_fit(page)
        fit = _busy(listening_room)
        os.kill(fit, signal.SIGKILL)
        assert fit_ended(page) == "Failed"
        assert "the fit's process ended unexpectedly; fit again" in page.inner_text(".run .complaint")
        page.select_option("#method", "analytic")
        page.click("#go")
        assert fit_ended(page) == "Done"


def _busy(room: Room) -> int:
    """The one child of the server that computes; others may still be importing what they will need."""
    while True:
        before = {pid: _cpu_ticks(pid) for pid in room.children()}
        time.sleep(1.0)
        busy = [pid for pid, ticks in before.items() if _cpu_ticks(pid) - ticks > 10]
        if len(busy) == 1:
            return busy[0]


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def test_ten_programs_at_once(listening_room: Room, tmp_path: Path) -> None:
    """The documented client, ten times, five of which leave while they wait: an honest queue, nobody gets another's
    result, nothing is left behind.
    """
    from gradio_client import Client, handle_file

    recordings = [record(tmp_path / f"room-{n}.wav", decay(seed=n)) for n in range(10)]
    places: dict[int, list[int]] = {}
    networks: dict[int, dict[str, Any]] = {}
    problems: list[str] = []
    waiting = threading.Barrier(10)

    def visit(n: int) -> None:
        try:
            client = Client(listening_room.address, verbose=False, download_files=str(tmp_path / f"down-{n}"))
            job = client.submit(
                handle_file(recordings[n]), "homogeneous", "analytic", 2 + n, None, n, api_name="/fit"
            )
            wait_until(job.outputs, 120, "a place in the queue")
            waiting.wait(timeout=120)
            if n % 2 == 0:
                told, files = job.result(timeout=240)
                assert told["state"] == "done"
                networks[n] = json.loads(Path(next(f for f in files if f.endswith("fdn.json"))).read_text())
            places[n] = [step[0]["place"] for step in job.outputs()]
            client.close()
        except Exception as error:
            problems.append(f"{n}: {type(error).__name__}: {error}")

    before_mb = listening_room.memory_mb
    threads = [threading.Thread(target=visit, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    for n in range(0, 10, 2):
        sha256 = hashlib.sha256(recordings[n].read_bytes()).hexdigest()
        assert networks[n]["provenance"]["target"]["sha256"] == sha256
        assert len(networks[n]["delays_samples"]) == 2 + n
    for told in places.values():
        waited = [place for place in told if place]
        assert waited == sorted(waited, reverse=True), "nobody is overtaken"
    assert max(max(told) for told in places.values()) >= 5
    wait_until(lambda: not listening_room.folders, 10, "all folders go")
    assert listening_room.memory_mb < before_mb + 80


def test_programs_get_refusals_as_one_line(listening_room: Room, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(listening_room.address, verbose=False)
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {
        "/describe",
        "/fit",
        "/stop",
        "/export",
    }
    text = tmp_path / "notes.wav"
    text.write_text("This is not audio.\n" * 100)
    for arguments, name in (
        ((handle_file(text),), "/describe"),
        ((handle_file(record(tmp_path / "room.wav")), "magic", "gradient", None, None, 0), "/fit"),
        ((handle_file(record(tmp_path / "room.wav")), "homogeneous", "gradient", -3, None, 0), "/fit"),
        (("wav",), "/export"),
    ):
        with pytest.raises(AppError) as caught:
            client.predict(*arguments, api_name=name)
        assert ";" in str(caught.value)
        assert not re.search(r"/tmp|/root|Traceback", str(caught.value))
    assert client.predict(api_name="/stop") == {"stopped": False}


def test_a_network_alone_can_be_heard_and_nothing_is_left_when_the_room_closes(
    tmp_path: Path, fitted: Path, chromium: Browser
) -> None:
    network = tmp_path / "church.json"
    shutil.copyfile(fitted / "fdn.json", network)
    with running_room(tmp_path / "temporary", network) as room:
        with visiting(chromium, room, DESK) as page:
            page.wait_for_selector("#panel-take h2:has-text('A network without measurements')")
            page.click("#tab-listen")
            page.wait_for_selector(".keys .key")
            assert page.locator(".keys .name").all_inner_texts() == ["dry", "opened: gradient"]
            page.click("#tab-blind")
            assert page.is_visible("#panel-blind .empty")
        assert len(list(room.temporary.glob("fdnlearn-audition-*"))) == 1
    assert room.process.returncode == 0
    assert list(room.temporary.glob("fdnlearn-audition-*")) == []
    shutil.rmtree(room.temporary)
