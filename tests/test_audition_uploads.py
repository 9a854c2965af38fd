"""What hostile visitors of the listening room get: a clean line each, from a server that stays healthy."""

from __future__ import annotations

import base64
import gzip
import io
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from audition_room import DESK, Room, visiting, wait_until
from command_line import decay
from playwright.sync_api import Browser, Page
from test_failures import REFUSED


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
        wait_until(lambda: len(listening_room.folders) == 1, 5, "folders of earlier visitors go")
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
