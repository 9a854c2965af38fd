"""Who is let into the listening room, and what pages and files are kept from them."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import socket
import urllib.error
import urllib.request
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from audition_room import Room
from command_line import run
from fdnlearn_audition import security
from fdnlearn_audition.limits import VisitorLimits
from fdnlearn_audition.messages import Refused, shown_name
from fdnlearn_audition.options import FitOptions


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


def test_a_name_that_no_host_can_have_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(security.PASSWORD, "long enough")
    outcome = run("audition", "--host", "ü" * 80, "--port", 0)
    assert outcome.code == 1
    assert "cannot be listened at (no such name)" in outcome.complaint


def test_what_a_visitor_sends_never_surprises() -> None:
    with pytest.raises(Refused, match=r"lines '1000+' is out of range"):
        FitOptions.read({"lines": 10**400}, VisitorLimits())
    assert len(shown_name("\U0001f3b5" * 80 + ".wav").encode()) <= 200
    assert shown_name("\U0001f3b5" * 80 + ".wav").endswith("\U0001f3b5.wav")


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
