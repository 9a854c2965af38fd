"""The page of the report: it shows everything, stands alone, survives any data and any name."""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import os
import re
import subprocess
import sys
import wave
from html.parser import HTMLParser

import numpy as np
import pytest
from report_data import (
    HOSTILE,
    make_data,
    make_document,
    make_fdn,
    make_history,
    make_target,
    typed,
)

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.report import render_report, write_report
from fdnlearn.report.audio import MAX_BYTES, level_matched_clips
from fdnlearn.rir.metrics_document import Metrics
from fdnlearn.rir.target import PreparationStep

pytestmark = pytest.mark.page

VOID_ELEMENTS = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects a page's elements and refuses tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def page_text() -> str:
    return render_report(make_data())


@pytest.fixture(scope="module")
def page(page_text: str) -> Page:
    return Page(page_text)


def test_the_page_is_well_formed_with_unique_ids_that_resolve(page: Page, page_text: str) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = re.findall(r"url\(#([^)]+)\)", page_text) + re.findall(r'href="#([^"]+)"', page_text)
    labels = [a[key] for _, a in page.elements for key in ("aria-labelledby",) if key in a]
    assert used
    assert set(used) | set(labels) <= set(ids)


def test_the_page_asks_for_nothing_from_outside(page: Page, page_text: str) -> None:
    markup = re.sub(r"base64,[A-Za-z0-9+/=\s]+", "", page_text)
    assert not re.search(r"https?:|//[a-z]|@import|<script|<link", markup, re.IGNORECASE)
    for tag, attributes in page.elements:
        for key, value in attributes.items():
            assert not key.startswith("on"), (tag, key)
            if key in ("src", "href", "xlink:href", "data", "srcset", "poster"):
                assert value is not None
                assert value.startswith(("data:", "#")), (tag, value[:60])
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy


def test_the_page_tells_what_was_asked_for(page: Page) -> None:
    for words in (
        "hall.wav",
        "15 of 21 counted octave values are within one just-noticeable difference.",
        "Largest difference: EDT at 125 Hz, 30.0 % (6.0 JND)",
        "The recording is clipped.",
        "The fit ended early.",
        "Direct sound at 101 ms",
        "Stable, proved",
        "extra.rate",
        "Energy decay",
        "Echo density",
        "Spectrograms",
        "Feedback matrix",
        "fdnlearn 1.2.3",
    ):
        assert words in page.words.replace("\u00a0", " "), words


def test_the_page_can_be_read_without_seeing_it(page: Page) -> None:
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(following - level <= 1 for level, following in itertools.pairwise(levels))
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.all("th"))
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in page.all("svg"))
    assert all(attributes.get("aria-labelledby") for attributes in page.all("audio"))


def test_grades_carry_symbol_and_words_besides_their_colour(page: Page) -> None:
    for symbol in ("✓ within 1 JND", "≈ 1 to 2 JND", "✗ beyond 2 JND", "– not counted"):
        assert symbol in page.words


def test_equal_data_give_equal_bytes(page_text: str) -> None:
    assert render_report(make_data()) == page_text


def test_strings_of_the_user_are_escaped() -> None:
    target = dataclasses.replace(
        make_target(),
        name=HOSTILE,
        warnings=(HOSTILE,),
        steps=(PreparationStep(HOSTILE, HOSTILE),),
        sha256=HOSTILE,
    )
    document = make_document() | {
        "status": HOSTILE,
        "warnings": [HOSTILE],
        "settings": {HOSTILE: HOSTILE, "list": [HOSTILE]},
        "program": HOSTILE,
    }
    document["measurable"]["broadband"]["t30"] = {"counts": False, "reason": HOSTILE}
    data = make_data(
        target=target,
        metrics=typed(document),
        fdn=make_fdn().model_copy(update={"provenance": {HOSTILE: HOSTILE}}),
    )
    text = render_report(data)
    page = Page(text)
    assert "<script" not in text
    assert page.all("script") == []
    assert page.words.count(HOSTILE) >= 8


def test_missing_values_are_shown_as_missing() -> None:
    def emptied(value: object) -> object:
        return {key: emptied(inner) for key, inner in value.items()} if isinstance(value, dict) else None

    document = make_document() | {"settings": {}}
    for part in ("target", "fitted", "error"):
        document[part] = emptied(document[part])
    words = Page(render_report(make_data(metrics=typed(document), history=()))).words
    assert "too little decay range" in words
    assert not re.search(r"\bnan\b", words, re.IGNORECASE)
    assert "None" not in words


def test_an_octave_without_values_leaves_the_others_alone() -> None:
    document = make_document()
    for part in ("target", "fitted", "error"):
        document[part]["octave"]["125"] = dict.fromkeys(document[part]["octave"]["125"])
    words = Page(render_report(make_data(metrics=typed(document)))).words.replace("\u00a0", " ")
    assert "Octave bands 10 of 14 within 1 JND" in words
    assert "T30: 125 Hz" in words


def test_errors_before_rounding_are_shown_where_they_are_known() -> None:
    parts = ("target", "fitted", "error", "measurable")
    earlier = {part: value for part, value in make_document().items() if part in parts}
    earlier["error"]["broadband"]["t30_percent"] = 3.21
    document = make_document() | {"before_snapping": earlier}
    words = Page(render_report(make_data(metrics=typed(document)))).words
    assert "Before rounding" in words
    assert "3.2" in words


def test_channels_get_figures_of_their_own_up_to_a_limit() -> None:
    text = render_report(make_data(channels=6))
    page = Page(text)
    assert len(page.all("svg")) == 4 * 5 + 3
    assert "Channel 4" in page.words
    assert "2 further channels without figures" in page.words
    assert len(text.encode()) < 1_500_000


def test_the_page_of_a_long_recording_stays_small() -> None:
    target = make_target(seconds=8.0, rate_hz=48000)
    noise = np.random.default_rng(4).standard_normal((1, target.samples.shape[1]))
    data = make_data(target=target, fitted=noise, history=make_history(20_000), fdn=make_fdn(64))
    assert len(render_report(data).encode()) < 1_500_000


def test_the_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch) -> None:
    path = tmp_path / "report.html"
    monkeypatch.setattr("fdnlearn.report.page.render_report", lambda data: data.metrics.program)
    write_report(path, make_data(metrics=typed(make_document() | {"program": "first"})))
    assert path.read_text() == "first"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(FdnlearnError, match=r"report\.html: cannot be written"):
            write_report(path, make_data(metrics=typed(make_document() | {"program": "second"})))
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["report.html"]
    with pytest.raises(FdnlearnError, match=r"report\.html: cannot be written"):
        write_report(tmp_path / "nowhere" / "report.html", make_data())


def test_file_names_that_are_not_unicode_can_be_reported(tmp_path) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    write_report(tmp_path / "report.html", make_data(target=make_target(name=name), history=()))
    assert "caf?.wav" in (tmp_path / "report.html").read_text("utf-8")


def decoded(uri: str) -> tuple[np.ndarray, int]:
    with wave.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:audio/wav;base64,")))) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return samples.T / 32768.0, file.getframerate()


def test_clips_are_level_matched_without_clipping() -> None:
    rng = np.random.default_rng(5)
    decay = 10.0 ** (-3.0 * np.arange(8000) / 4000.0)
    room, fdn = rng.standard_normal((2, 1, 8000)) * decay
    (loud, rate), (soft, _) = (decoded(c.uri) for c in level_matched_clips((room, 0.01 * fdn), 8000, 6000))
    assert rate == 8000
    assert loud.shape == soft.shape == (1, 6000)
    assert np.sum(loud**2) == pytest.approx(np.sum(soft**2), rel=1e-3)
    assert max(np.abs(loud).max(), np.abs(soft).max()) == pytest.approx(0.89, abs=0.01)


def test_long_clips_are_cut_and_short_ones_padded() -> None:
    long, silent = np.ones((3, 400_000)), np.zeros((3, 10))
    clips = level_matched_clips((long, silent), 48000, 400_000)
    for clip in clips:
        samples, _ = decoded(clip.uri)
        assert clip.cut
        assert samples.shape[0] == 2
        assert samples.size * 2 <= MAX_BYTES
        assert samples[0, -1] == pytest.approx(0.0, abs=1e-3)


def test_the_report_imports_neither_torch_nor_pyplot() -> None:
    code = (
        "import sys, fdnlearn.report, fdnlearn.report.figures, fdnlearn.report.gallery\n"
        "assert not {'torch', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_table_does_not_pay_for_the_figures() -> None:
    code = "import sys, fdnlearn.report; assert not {'matplotlib', 'jinja2', 'torch', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def late_metrics() -> Metrics:
    lines = [{"frequency_hz": 900.0 + hz, "prominence_db": 14.0, "window_s": [0.1, 0.4]} for hz in range(7)]
    values = {"target": [0.9, 0.5, 0.0], "fitted": [0.85, 0.3, 0.02], "error": [0.05, 0.2, 0.02]}
    coherence = {name: {"0-1": row} for name, row in values.items()}
    return typed(make_document() | {"ringing": lines, "coherence": coherence})


def test_the_late_part_is_told() -> None:
    page = Page(render_report(make_data(2, metrics=late_metrics())))
    assert "Ringing: 900 Hz (14.0 dB), 901 Hz" in page.words
    assert "and 2 more stand more than 12 dB" in page.words
    assert "1 and 2 0.90 → 0.85 0.50 → 0.30 ≠ 0.00 → 0.02" in page.words
    nothing = typed(make_document() | {"ringing": [], "coherence": None})
    quiet = Page(render_report(make_data(metrics=nothing)))
    assert "No ringing" in quiet.words
    assert "Coherence" not in quiet.words
