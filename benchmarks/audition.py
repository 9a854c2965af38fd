"""How quickly the listening room answers: ``python benchmarks/audition.py [RUNS]`` (Chromium, extra ``test``).

Page ready, stop, closed tab, knob, and the server's memory, on the example room; medians and extremes of the runs.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from audition_room import (
    DESK,
    READY,
    Room,
    browser,
    fit_ended,
    running_room,
    start_fit,
    visiting,
    wait_until,
)


def page_ready(room: Room, chromium: Browser) -> float:
    """From the request to the page that can be used, nothing in the browser's cache."""
    context = chromium.new_context(**DESK)
    page = context.new_page()
    started = time.perf_counter()
    page.goto(room.address)
    page.wait_for_selector(READY)
    took = time.perf_counter() - started
    context.close()
    return took


def stop(room: Room, chromium: Browser) -> float:
    """From the click to the end of the last iteration, as the page hears of it."""
    with visiting(chromium, room, DESK) as page:
        start_fit(page)
        took_ms: float = page.evaluate(
            """() => new Promise((done) => {
              const since = performance.now();
              const ended = ({ detail }) => detail.state === "writing" && done(performance.now() - since);
              window.addEventListener("room-news", ended);
              document.querySelector("#stop").click();
            })"""
        )
        fit_ended(page)
        return took_ms / 1000


def closed_tab(room: Room, chromium: Browser) -> float:
    """From closing the page to the end of the process of its fit."""
    with visiting(chromium, room, DESK) as page:
        start_fit(page)
        before = set(room.children())
        page.context.close()
        return wait_until(lambda: before - set(room.children()), 10, "the fit ends")


def knob(room: Room, chromium: Browser) -> float:
    """From turning Decay to the new network in the running worklet."""
    with visiting(chromium, room, DESK) as page:
        page.click("text=small room")
        page.wait_for_selector(".about h3")
        page.select_option("#method", "analytic")
        page.click("#go")
        fit_ended(page)
        page.click("#tab-tweak")
        page.click("#tweak-play")
        page.wait_for_function("document.querySelector('#tweak-play').textContent === 'Stop'")
        times = []
        for value in range(10):
            page.evaluate("document.querySelector('#tweak-heard').textContent = ''")
            page.get_by_role("slider", name="Decay").fill(str(value / 10))
            page.wait_for_function("/ms/.test(document.querySelector('#tweak-heard').textContent)")
            times.append(float(page.inner_text("#tweak-heard").split()[-2]) / 1000)
        return statistics.median(times)


def main() -> None:
    """Print one line a figure."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {runs} runs")
    with (
        tempfile.TemporaryDirectory() as temporary,
        running_room(Path(temporary)) as room,
        browser() as chromium,
    ):
        time.sleep(15)  # helpers and the spare process have warmed up
        knob(room, chromium)  # the first visitor makes the server load what it needs
        before_mb = room.memory_mb
        figures: tuple[Callable[[Room, Browser], float], ...] = (page_ready, stop, closed_tab, knob)
        for figure in figures:
            times = [figure(room, chromium) for _ in range(runs)]
            extremes = f"{min(times):.2f} to {max(times):.2f}"
            print(f"{figure.__name__:12} {statistics.median(times):6.2f} s ({extremes})")
        print(f"{'server':12} {before_mb:6.0f} MB before, {room.memory_mb:.0f} MB after")


if __name__ == "__main__":
    main()
