"""From a measured room to a plugin preset, in a browser: fit, stop, resume, hear, vote, tweak, take away."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from audition_room import DESK, PHONE, Room, fit_ended, visiting
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from scipy import stats

from fdnlearn import example_path, load_fdn, registry

TABS = ("fit", "listen", "blind", "tweak", "take")


def downloaded(page: Page, act: Callable[[], Any], folder: Path) -> Path:
    """The file that comes of an act."""
    with page.expect_download() as coming:
        act()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def show(page: Page, tab: str) -> None:
    page.click(f"#tab-{tab}")
    page.wait_for_selector(f"#panel-{tab}:visible")


def check_accessible(page: Page) -> None:
    """No violation that axe-core calls serious or critical."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [
        (one["id"], [node["target"] for node in one["nodes"]][:5])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


def check_width(page: Page) -> None:
    """Nothing makes the page scroll sideways."""
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    beyond = """() => [...document.querySelectorAll(".room .card, .room button, .room select, .room figure")]
      .filter((one) => one.checkVisibility() && !one.closest(".tabs, .scroll"))
      .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 0.5)
      .map((one) => one.outerHTML.slice(0, 80))"""
    assert page.evaluate(beyond) == []


@pytest.mark.parametrize("look", [DESK, PHONE], ids=["desk-light", "phone-dark"])
def test_the_whole_journey(
    listening_room: Room, chromium: Browser, rooms: dict[str, Path], tmp_path: Path, look: dict[str, Any]
) -> None:
    with visiting(chromium, listening_room, look) as page:

        def looked_at() -> None:
            check_accessible(page)
            check_width(page)

        _fit(page, rooms["surrey_room_a_16k"])
        looked_at()
        _listen(page)
        looked_at()
        _vote(page, tmp_path)
        looked_at()
        _tweak(page)
        looked_at()
        _take_away(page, tmp_path, list(registry.TARGETS) if look is DESK else ["webaudio"])
        looked_at()


def _fit(page: Page, recording: Path) -> None:
    page.set_input_files("#recording", recording)
    page.wait_for_selector(".about h3")
    assert recording.name in page.inner_text(".about h3")
    assert "T30" in page.inner_text(".about")
    page.select_option("#model", "homogeneous")
    page.fill("#iterations", "4000")
    page.click("#go")
    page.wait_for_function("/iteration/.test(document.querySelector('#fit-detail').textContent)")
    page.wait_for_function("document.querySelectorAll('.charts path.fit[d]').length === 3")
    page.click("#stop")
    assert fit_ended(page) == "Stopped"
    stopped = _iteration(page)
    assert 0 < stopped < 4000
    page.click("#resume")
    page.wait_for_function(
        f"Number(/iteration (\\d+)/.exec(document.querySelector('#fit-detail').textContent)?.[1]) > {stopped}"
    )
    page.click("#stop")
    assert fit_ended(page) == "Stopped"
    assert _iteration(page) > stopped
    page.select_option("#method", "analytic")
    page.click("#go")
    assert fit_ended(page) == "Done"


def _iteration(page: Page) -> int:
    return int(page.inner_text("#fit-detail").split("iteration ")[1].split(" ")[0])


def _listen(page: Page) -> None:
    show(page, "listen")
    page.wait_for_selector(".keys [data-stem=analytic-homogeneous]")
    names = page.locator(".keys .name").all_inner_texts()
    assert names == ["dry", "room", "gradient", "analytic"]
    page.set_input_files("#own-clip", example_path("dry_voice"))
    page.wait_for_function("document.querySelector('#clip').value === 'dry_voice.wav'")
    page.select_option("#rate", "44100")
    page.wait_for_function("document.querySelector('.room').player.stems[0].buffer.sampleRate === 44100")
    page.locator("#play").focus()
    page.keyboard.press("Enter")
    for number, key in enumerate(("dry", "room", "gradient-homogeneous", "analytic-homogeneous"), 1):
        page.keyboard.press(str(number))
        assert page.locator(".key[aria-pressed=true]").get_attribute("data-stem") == key
    first = page.evaluate("document.querySelector('.room').player.position()")
    page.wait_for_timeout(300)
    assert page.evaluate("document.querySelector('.room').player.position()") > first
    page.fill("#region-start", "0.5")
    page.fill("#region-end", "1.2")
    page.locator("#region-end").press("Tab")
    page.wait_for_timeout(900)
    assert 0.5 <= page.evaluate("document.querySelector('.room').player.position()") <= 1.2
    matched = page.locator(".key .gain").all_inner_texts()
    page.get_by_role("switch", name="Match loudness").press("Space")
    assert page.locator(".key .gain").all_inner_texts() != matched
    page.get_by_role("switch", name="Match loudness").press("Space")
    page.get_by_role("slider", name="Mix").press("Home")
    assert page.evaluate("document.querySelector('.room').player.graph.wet") == 0
    page.get_by_role("slider", name="Mix").press("End")
    page.locator("#play").click()


def _vote(page: Page, folder: Path) -> None:
    show(page, "blind")
    page.select_option("#abx-trials", "5")
    page.locator("#abx-begin").press("Enter")
    page.wait_for_selector("#abx-trial:visible")
    for trial in range(5):
        page.keyboard.press("3")
        heard = page.evaluate("document.querySelector('.room').player.selected")
        assert heard in ("XA", "XB")
        # Four right, one wrong.
        right = heard[1]
        answer = right if trial else {"A": "B", "B": "A"}[right]
        page.click(f"[data-answer={answer}]")
    page.wait_for_selector("#abx-result:visible")
    p = stats.binomtest(4, 5, 0.5, alternative="greater").pvalue
    assert page.locator("#abx-result strong").inner_text() == "4 of 5"
    assert f"p = {p:.3f}" in page.inner_text("#abx-result")
    text = downloaded(page, lambda: page.click("#abx-csv"), folder).read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["right"] for row in rows if row["right"]] == ["0", "1", "1", "1", "1"]

    page.click("[data-test=mushra]")
    page.click("#mushra-begin")
    for number in range(1, 5):  # three clips of the project's and one's own
        page.wait_for_selector(f"text=Clip {number} of 4")
        ratings = page.locator(".rating input")
        assert ratings.count() == 4
        for index in range(4):
            ratings.nth(index).press("End" if index % 2 else "Home")
        page.click("#mushra-next")
    page.wait_for_selector("#mushra-result:visible")
    text = downloaded(page, lambda: page.click("#mushra-csv"), folder).read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    conditions = {"hidden reference", "anchor 3.5 kHz", "gradient", "analytic"}
    for number in "1234":
        assert {row["condition"] for row in rows if row["page"] == number} == conditions
    assert {row["rating"] for row in rows} == {"0", "100"}


def _tweak(page: Page) -> None:
    show(page, "tweak")
    page.click("#tweak-play")
    page.wait_for_function("document.querySelector('#tweak-play').textContent === 'Stop'")
    page.get_by_role("slider", name="Decay").press("End")
    page.wait_for_function("/heard after/.test(document.querySelector('#tweak-heard').textContent)")
    page.get_by_role("slider", name="Pre-delay").press("PageUp")
    page.get_by_role("slider", name="Late").press("Home")
    page.click("#tweak-reset")
    assert page.get_by_role("slider", name="Decay").get_attribute("aria-valuetext") == "× 1.00"
    page.click("#tweak-play")


def _take_away(page: Page, folder: Path, targets: list[str]) -> None:
    show(page, "take")
    page.select_option("#take", "gradient-homogeneous")
    assert page.locator("table.octaves tbody tr").count() == 8
    assert page.locator(".matrix rect").count() == 36
    report = downloaded(page, lambda: page.click("[data-download=report]"), folder)
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")
    network = downloaded(page, lambda: page.click("[data-download=fdn]"), folder)
    assert load_fdn(network).lines == 6
    for target in targets:
        page.click(f"[data-export={target}]")
        page.wait_for_selector(f"[data-download={target}], #h-exports ~ .complaint:visible")
        path = downloaded(page, lambda name=target: page.click(f"[data-download={name}]"), folder)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            proof = json.loads(archive.read(next(name for name in names if name.endswith(".cert.json"))))
            assert set(names) >= set(proof["files"])
            assert len(names) == len(proof["files"]) + 1
            if target == "wav":
                main = next(name for name in names if name.endswith(".wav"))
                audio, rate = soundfile.read(io.BytesIO(archive.read(main)))
                assert rate == 16000
                assert abs(audio).max() > 0
    page.click("#export-all")
    page.wait_for_selector("[data-download=everything]")
    everything = downloaded(page, lambda: page.click("[data-download=everything]"), folder)
    with zipfile.ZipFile(everything) as archive:
        names = archive.namelist()
    assert {"fdn.json", "report.html", "ir.wav", "metrics.json"} <= set(names)
    assert {name.split("/")[1].split("-")[0] for name in names if name.startswith("export/")} == set(
        registry.TARGETS
    )


def test_an_earlier_result_is_opened_in_the_page(
    listening_room: Room, chromium: Browser, fitted: Path, tmp_path: Path
) -> None:
    with visiting(chromium, listening_room, PHONE | {"color_scheme": "light"}) as page:
        show(page, "take")
        page.set_input_files("#open-folder", fitted)
        page.wait_for_selector("table.octaves")
        show(page, "listen")
        page.wait_for_selector(".keys .key")
        assert page.locator(".keys .key").count() == 3
        show(page, "take")
        (tmp_path / "holiday").mkdir()
        (tmp_path / "holiday" / "metrics.json").write_text("{}")
        page.set_input_files("#open-folder", tmp_path / "holiday")
        page.wait_for_selector("#panel-take > .complaint:visible")
        assert "no fdn.json" in page.inner_text("#panel-take > .complaint")


def test_a_page_can_be_used_without_a_mouse(listening_room: Room, chromium: Browser) -> None:
    with visiting(chromium, listening_room, DESK | {"color_scheme": "dark"}) as page:
        page.locator("#tab-fit").focus()
        for tab in (*TABS[1:], TABS[0]):
            page.keyboard.press("ArrowRight")
            assert page.evaluate("document.activeElement.id") == f"tab-{tab}"
            assert page.locator(f"#panel-{tab}").is_visible()
            check_accessible(page)
        seen: list[tuple[str, str]] = []
        while not seen or seen[-1][0] != "go":
            assert len(seen) < 30
            page.keyboard.press("Tab")
            focused = page.evaluate(
                """() => {
                  const element = document.activeElement;
                  const shown = element.type === "file" ? element.closest("label")
                    : element.type === "checkbox" ? element.nextElementSibling : element;
                  return [element.id || element.textContent.trim().slice(0, 20), getComputedStyle(shown).outlineStyle];
                }"""
            )
            seen.append(focused)
        assert {"recording", "model", "method", "lines", "iterations", "seed", "go"} <= {
            name for name, _ in seen
        }
        assert {style for _, style in seen} == {"solid"}


def test_the_page_is_ready_soon(listening_room: Room, chromium: Browser) -> None:
    """A generous bound: the figure is in the benchmark."""
    with visiting(chromium, listening_room, DESK) as page:
        started = time.perf_counter()
        page.reload()
        page.wait_for_selector(".room[data-state=ready]")
        assert time.perf_counter() - started < 12
