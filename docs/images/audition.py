"""Take the pictures of the listening room: ``python docs/images/audition.py`` (Chromium, extra ``test``).

The example rooms alone are shown; measured ones carry licences of their own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from audition_room import DESK, PHONE, browser, fit_ended, running_room, visiting

HERE = Path(__file__).resolve().parent
LOOKS = {"desk-light": DESK, "phone-dark": PHONE, "desk-dark": DESK | {"color_scheme": "dark"}}


def shoot(page: Page, state: str, look: str) -> None:
    """One picture, as much of the page as one sees."""
    page.wait_for_timeout(300)
    page.screenshot(path=HERE / f"audition-{state}-{look}.png")


def tour(page: Page, look: str) -> None:
    """Every state once."""
    page.click("text=lecture room")
    page.wait_for_selector(".about h3")
    page.select_option("#model", "homogeneous")
    page.fill("#iterations", "1500")
    page.click("#go")
    page.wait_for_function("/iteration \\d{3}/.test(document.querySelector('#fit-detail').textContent)")
    page.wait_for_timeout(2500)
    page.evaluate(
        f"document.querySelector('{'.run' if look.startswith('phone') else '.masthead'}').scrollIntoView()"
    )
    shoot(page, "fit", look)
    page.click("#stop")
    fit_ended(page)
    for method, iterations in (("analytic", ""), ("genetic", "20")):
        page.select_option("#method", method)
        page.fill("#iterations", iterations)
        page.click("#go")
        fit_ended(page)
    page.click("#tab-listen")
    page.wait_for_selector(".keys .key")
    page.select_option("#clip", "dry_drums")
    page.wait_for_function("document.querySelector('.room').player.clip === 'dry_drums'")
    page.wait_for_timeout(1500)
    page.evaluate("document.querySelector('.room').player.setRegion(1.6, 3.3)")
    page.keyboard.press("3")
    page.keyboard.press("p")
    page.wait_for_timeout(700)
    shoot(page, "listen", look)
    page.click("#tab-blind")
    page.wait_for_selector("#abx-begin:visible")
    page.click("#abx-begin")
    page.wait_for_selector("#abx-trial:visible")
    page.keyboard.press("3")
    shoot(page, "abx", look)
    page.click("[data-test=mushra]")
    page.click("#mushra-begin")
    page.wait_for_selector(".rating")
    for index, value in enumerate((92, 18, 74, 55, 35)[: page.locator(".rating input").count()]):
        page.locator(".rating input").nth(index).fill(str(value))
    shoot(page, "rating", look)
    page.click("#tab-tweak")
    page.click("#tweak-play")
    page.wait_for_function("document.querySelector('#tweak-play').textContent === 'Stop'")
    page.get_by_role("slider", name="Decay").fill("0.7")
    page.get_by_role("slider", name="Early").fill("-6")
    page.wait_for_function("/heard after/.test(document.querySelector('#tweak-heard').textContent)")
    shoot(page, "tweak", look)
    page.click("#tab-take")
    page.select_option("#take", "gradient-homogeneous")
    page.wait_for_selector(".targets li")
    shoot(page, "take", look)
    page.evaluate("document.querySelector('#h-parameters').scrollIntoView()")
    page.click("[data-export=c99]")
    page.wait_for_selector("[data-download=c99]")
    page.evaluate("document.querySelector('#h-parameters').scrollIntoView()")
    shoot(page, "exports", look)


def main() -> None:
    """Every state in every look."""
    wanted = sys.argv[1:] or list(LOOKS)
    with (
        tempfile.TemporaryDirectory() as temporary,
        running_room(Path(temporary)) as room,
        browser() as chromium,
    ):
        for look in wanted:
            with visiting(chromium, room, LOOKS[look]) as page:
                tour(page, look)


if __name__ == "__main__":
    main()
