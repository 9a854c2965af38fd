"""Safe to leave running: visitors do not disturb each other, and nothing is left of them when they go."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from audition_room import DESK, Room, fit_ended, running_room, start_fit, visiting, wait_until
from command_line import decay, record
from playwright.sync_api import Browser


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
        fit = listening_room.busy()
        os.kill(fit, signal.SIGKILL)
        assert fit_ended(page) == "Failed"
        assert "the fit's process ended unexpectedly; fit again" in page.inner_text(".run .complaint")
        page.select_option("#method", "analytic")
        page.click("#go")
        assert fit_ended(page) == "Done"


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
