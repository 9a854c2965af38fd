"""Networks that can be heard while a fit is under way: they cost the fit nothing, are one visitor's, and go with it."""

from __future__ import annotations

import csv
import math
import os
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from audition_room import DESK, Room, fit_ended, visiting, wait_until
from brief_fits import BRIEF, BRIEF_BANDED
from command_line import decay, record
from fdn_networks import network
from fdnlearn_audition import fit_process, previews
from fdnlearn_audition.fit_process import FitRequest
from fdnlearn_audition.fits import Fit, FitWorker
from fdnlearn_audition.limits import VisitorLimits
from fdnlearn_audition.messages import Refused
from fdnlearn_audition.room import ListeningRoom
from playwright.sync_api import Browser, Page
from targets import target_of

from fdnlearn import FitConfig, fit_recording, load_fdn


@pytest.fixture
def written(tmp_path: Path) -> previews.Previews:
    """Of a fit of an ordinary room, none of them yet."""
    return previews.Previews(str(tmp_path / "previews"), target_of(decay()[None], 16000))


def test_only_what_is_better_is_heard(written: previews.Previews) -> None:
    assert written.wants(10.0)
    assert not written.wants(math.inf)
    assert not written.wants(math.nan)
    written.add(network(), 10.0)
    assert not written.wants(10.0)
    assert not written.wants(9.9)
    assert written.wants(9.7)


def test_a_network_lies_beside_its_room_until_better_ones_have_long_come(
    written: previews.Previews, tmp_path: Path
) -> None:
    folder = tmp_path / "previews"
    room, rate = soundfile.read(folder / "target.wav")
    target = target_of(decay()[None], 16000)
    assert rate == 16000
    assert room == pytest.approx(target.samples[0] * target.gain * target.polarity, abs=1e-6)
    for count in range(1, 6):
        told = written.add(network(), 1.0 / count)
        assert told["key"] == f"preview-{count}"
        found = previews.find(str(folder), told["key"])
        assert found is not None
        assert load_fdn(found / "fdn.json") == network()
    assert sorted(path.name for path in folder.iterdir()) == [
        "preview-3",
        "preview-4",
        "preview-5",
        "target.wav",
    ]
    assert previews.find(str(folder), "preview-2") is None


@pytest.mark.parametrize(
    "key", ["", ".", "..", "preview-", "preview-0", "preview-1/..", "../previews/preview-1", "x"]
)
def test_nothing_else_is_found_by_a_key(written: previews.Previews, tmp_path: Path, key: str) -> None:
    written.add(network(), 1.0)
    (tmp_path / "previews" / "fdn.json").touch()
    assert previews.find(str(tmp_path / "previews"), key) is None


class Pipe:
    """The end of a pipe that a fit's process holds, or a server: what it sends is kept, what it receives was given."""

    def __init__(self, *received: tuple[str, dict[str, Any]]) -> None:
        self.sent: list[Any] = []
        self._received = iter(received)

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def recv(self) -> Any:
        for message in self._received:
            return message
        raise EOFError


class Worker(FitWorker):
    """A process that has said all that it will ever say."""

    def __init__(self, *said: tuple[str, dict[str, Any]]) -> None:
        self.stop, self.pipe = threading.Event(), Pipe(*said)  # type: ignore[assignment]

    def end(self, patience_s: float = 0.0) -> None:
        pass

    def kill(self) -> None:
        pass


@pytest.mark.parametrize("end", ["done", "failed", "killed", "cancelled"])
def test_nothing_is_left_of_them_however_the_fit_ends(tmp_path: Path, end: str) -> None:
    folder = tmp_path / "previews"
    told = previews.Previews(str(folder), target_of(decay()[None], 16000)).add(network(), 1.0)
    fit = Fit(FitRequest("room.wav", "room.wav", str(tmp_path), "banded", previews=str(folder)))
    seen: list[Any] = []

    class Watched(Pipe):
        def recv(self) -> Any:
            seen.append((fit.snapshot().get("preview"), fit.preview("preview-1")))
            if end == "cancelled" and len(seen) == 2:
                fit.cancel()
            return super().recv()

    worker = Worker()
    last = {"done": ("done", {}), "failed": ("failed", {"problem": "x"})}
    worker.pipe = Watched(("preview", told), *([last[end]] if end in last else []))  # type: ignore[assignment]
    fit.work(worker)
    assert seen[1] == (told, folder / "preview-1")
    assert fit.state == {"killed": "failed"}.get(end, end)
    assert "preview" not in fit.snapshot()
    assert fit.preview("preview-1") is None
    assert not folder.exists()


@pytest.fixture
def room() -> Iterator[ListeningRoom]:
    """A room without processes."""
    room = ListeningRoom(VisitorLimits())
    yield room
    room.end()


def test_visitors_hear_their_own_fits_only(room: ListeningRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[tuple[str, str, int]] = []

    def run(*task: Any) -> str:
        tasks.append(task)
        return "heard.wav"

    monkeypatch.setattr(room.bench, "run", run)
    one, other = room.sessions.open("one"), room.sessions.open("other")
    folders = {}
    for session in (one, other):
        folders[session.token] = folder = str(session.folder / "previews-1")
        written = previews.Previews(folder, target_of(decay()[None], 16000))
        for count in range(1 if session is one else 2):
            written.add(network(), 1.0 / (count + 1))
        request = FitRequest("room.wav", "room.wav", str(session.folder), "banded", previews=folder)
        room._fit_of[session.token] = Fit(request)
    for session, of, there in (
        (one, "network", "preview-1"),
        (other, "network", "preview-1"),
        (one, "room", ""),
    ):
        assert room.response(session, "preview-1", of, 48000) == Path("heard.wav")
        expected = Path(folders[session.token]) / there
        assert tasks[-1] == (f"fdnlearn_audition.responses:{of}", str(expected), 48000)
    with pytest.raises(Refused, match="not here any more"):
        room.response(one, "preview-2", "network", 48000)
    room._fit_of[one.token].cancel()
    with pytest.raises(Refused, match="not here any more"):
        room.response(one, "preview-1", "network", 48000)


def request_of(config: FitConfig, tmp_path: Path, **more: Any) -> FitRequest:
    settings = {name: value for name, value in config.settings().items() if name != "model"}
    recording = record(tmp_path / "room.wav")
    return FitRequest(str(recording), "room.wav", str(tmp_path / "fit"), config.model.name, settings, **more)


@pytest.mark.fit
@pytest.mark.page
@pytest.mark.parametrize(
    ("config", "stereo"), [(BRIEF, True), (BRIEF_BANDED, False)], ids=["homogeneous", "banded"]
)
def test_a_fit_that_is_heard_ends_as_one_that_is_not(
    config: FitConfig, stereo: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FRAME_S": 0.0, "PREVIEW_S": 0.0, "_SHOWING": math.inf}.items():
        monkeypatch.setattr(fit_process, name, value)
    monkeypatch.setattr(previews, "_BETTER", math.inf)  # a design is better than a dozen iterations
    pipe = Pipe()
    request = request_of(config, tmp_path, stereo=stereo, previews=str(tmp_path / "previews"))
    fit_process._fit(request, pipe, threading.Event())  # type: ignore[arg-type]
    heard = [value for kind, value in pipe.sent if kind == "preview"]
    assert heard[0]["stage"] == "design"
    assert len(heard) > 2
    assert [one["key"] for one in heard] == [f"preview-{n}" for n in range(1, len(heard) + 1)]
    shown = load_fdn(tmp_path / "previews" / heard[-1]["key"] / "fdn.json")
    assert shown.outputs == (2 if stereo else 1)

    fit_recording(request.recording, tmp_path / "plain", config, channel=1, stereo=stereo)
    for name in ("fdn.json", "ir.wav", "target.wav"):
        assert (tmp_path / "fit" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    assert (tmp_path / "previews" / "target.wav").read_bytes() == (
        tmp_path / "fit" / "target.wav"
    ).read_bytes()
    texts = [(tmp_path / of / "history.csv").read_text() for of in ("fit", "plain")]
    losses = [[row["loss"] for row in csv.DictReader(text.splitlines())] for text in texts]
    assert losses[0] == losses[1]


@pytest.mark.fit
@pytest.mark.page
def test_what_previews_cannot_do_does_not_end_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_process, "design", lambda target, config: None)
    for folder in (tmp_path / "nowhere" / "previews", tmp_path / "full"):
        pipe = Pipe()
        request = request_of(BRIEF, tmp_path, previews=str(folder))
        monkeypatch.setattr(previews.Previews, "add", _refuse)
        fit_process._fit(request, pipe, threading.Event())  # type: ignore[arg-type]
        assert not [kind for kind, _ in pipe.sent if kind == "preview"]
        assert (tmp_path / "fit" / "fdn.json").is_file()
        shutil.rmtree(tmp_path / "fit")


def _refuse(*args: object) -> dict[str, Any]:
    raise OSError(28, "No space left on device")


PLAYER = "document.querySelector('.room').player"


def test_a_first_network_then_better_ones_then_the_result_are_heard_without_a_pause(
    listening_room: Room, chromium: Browser, tmp_path: Path
) -> None:
    with visiting(chromium, listening_room, DESK) as page:
        page.set_input_files("#recording", record(tmp_path / "room.wav", decay(0.6, rate=48000), rate=48000))
        page.wait_for_selector(".about h3")
        page.fill("#lines", "8")
        page.fill("#iterations", "400")
        page.click("#go")
        page.wait_for_selector(".hear [data-stem=preview]")
        # The design, or on a fast machine already what came after it.
        told = page.inner_text(".hear [data-stem=preview]")
        assert re.search(r"(design|iteration \d+), loss", told)
        assert page.locator(".hear .name").all_inner_texts() == ["dry", "room", "gradient so far"]
        page.click("#hear-play")
        page.keyboard.press("3")
        page.wait_for_function(f"{PLAYER}.playing")
        _watch(page)
        assert _heard(page) == "preview"
        page.wait_for_function(
            "/iteration/.test(document.querySelector('.hear [data-stem=preview]').textContent)"
        )
        assert _heard(page) == "preview"
        page.click("#tab-listen")
        assert page.locator(".keys:visible .name").all_inner_texts() == ["dry", "room", "gradient so far"]
        assert "iteration" in page.inner_text("#listen-fit")
        page.keyboard.press("2")
        assert _heard(page) == "room"
        page.keyboard.press("3")
        page.click("#tab-fit")
        page.click("#stop")
        assert fit_ended(page) == "Stopped"
        page.wait_for_function(f"{PLAYER}.stems.at(-1).key === 'gradient-banded'")
        assert _heard(page) == "gradient-banded"
        assert page.locator(".hear .name").all_inner_texts() == ["dry", "room", "gradient"]
        assert page.evaluate("window.pauses") == 0
        assert page.evaluate(f"{PLAYER}.playing && {PLAYER}.graph.lanes.length") == 3
        levels = page.evaluate(f"{PLAYER}.stems.map((stem) => stem.loudness + 20 * Math.log10(stem.gain))")
        assert np.ptp(levels) < 1e-6
        (folder,) = listening_room.folders
        wait_until(lambda: not list(folder.glob("previews-*")), 10, "previews go with the fit")


def test_nothing_is_heard_of_a_fit_that_has_failed(
    listening_room: Room, chromium: Browser, tmp_path: Path
) -> None:
    with visiting(chromium, listening_room, DESK) as page:
        page.set_input_files("#recording", record(tmp_path / "room.wav"))
        page.wait_for_selector(".about h3")
        page.click("#go")
        page.wait_for_selector(".hear [data-stem=preview]")
        page.click("#hear-play")
        page.wait_for_function(f"{PLAYER}.playing")
        os.kill(listening_room.busy(), signal.SIGKILL)
        assert fit_ended(page) == "Failed"
        assert not page.is_visible(".hear")
        page.wait_for_function(f"!{PLAYER}.playing")


def _watch(page: Page) -> None:
    """Count how often playing is interrupted."""
    page.evaluate(
        f"""() => {{
          window.pauses = 0;
          const pause = {PLAYER}.pause.bind({PLAYER});
          {PLAYER}.pause = () => {{ window.pauses += {PLAYER}.playing ? 1 : 0; pause(); }};
        }}"""
    )


def _heard(page: Page) -> Any:
    """Key of the one stem whose gain is not going to zero."""
    return page.evaluate(
        f"{PLAYER}.graph.lanes.filter((lane) => lane.ramp.to > 0 && lane.source).map((lane) => lane.stem.key).join()"
    )
