"""What the report judges: grades against just-noticeable differences, the verdict, the table for a terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from report_data import make_document, typed
from rich.console import Console

from fdnlearn.acoustics.grading import Grade, judge, verdict
from fdnlearn.acoustics.values import Measurement
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.report import metrics_table
from fdnlearn.report.formatting import format_band, format_number
from fdnlearn.report.sentences import headline


@pytest.mark.parametrize(
    ("error", "grade"),
    [(0.0, Grade.WITHIN), (5.0, Grade.WITHIN), (5.01, Grade.NEAR), (10.0, Grade.NEAR), (10.01, Grade.BEYOND)],
)
def test_grades_change_at_one_and_two_just_noticeable_differences(error: float, grade: Grade) -> None:
    document = make_document()
    document["error"]["broadband"]["t30_percent"] = error
    judged = {j.quantity.key: j for j in judge(typed(document))}["t30"]
    assert judged.grade is grade
    assert judged.jnds == pytest.approx(error / 5.0)


@pytest.mark.parametrize(
    ("key", "error_key", "jnd"),
    [
        ("t20", "t20_percent", 5.0),
        ("edt", "edt_percent", 5.0),
        ("c80", "c80_db", 1.0),
        ("d50", "d50_pp", 5.0),
        ("ts", "ts_ms", 10.0),
    ],
)
def test_just_noticeable_differences_are_those_of_iso_3382(key: str, error_key: str, jnd: float) -> None:
    document = make_document()
    document["error"]["broadband"][error_key] = 1.5 * jnd
    assert {j.quantity.key: j for j in judge(typed(document))}[key].jnds == pytest.approx(1.5)


def test_the_verdict_counts_grades_and_names_the_worst() -> None:
    summary = verdict(judge(typed(make_document())))
    assert (summary.within, summary.near, summary.beyond, summary.counted) == (5, 1, 1, 7)
    assert summary.worst is not None
    assert summary.worst.quantity.symbol == "EDT"
    assert (
        headline(summary) == "5 of 7 counted broadband quantities are within one just-noticeable difference"
    )


def test_what_does_not_count_is_left_out_and_says_why() -> None:
    document = make_document()
    document["measurable"]["broadband"]["edt"] = {"counts": False, "reason": "too short"}
    judged = {j.quantity.key: j for j in judge(typed(document))}["edt"]
    assert (judged.grade, judged.reason, judged.counts) == (Grade.NOT_COUNTED, "too short", False)
    assert verdict(judge(typed(document))).counted == 6


def test_a_fit_that_cannot_be_measured_is_a_miss() -> None:
    document = make_document()
    document["fitted"]["broadband"]["t30_s"] = document["error"]["broadband"]["t30_percent"] = None
    summary = verdict(judge(typed(document)))
    assert (summary.counted, summary.beyond) == (7, 2)
    assert summary.worst is not None
    assert summary.worst.quantity.key == "t30"


def test_headlines_agree_with_their_numbers() -> None:
    document = make_document()
    for quantity in document["measurable"]["broadband"].values():
        quantity["counts"] = False
    assert "too little" in headline(verdict(judge(typed(document))))
    document["measurable"]["broadband"]["t20"]["counts"] = True
    assert headline(verdict(judge(typed(document)))) == (
        "The only counted broadband quantity is within one just-noticeable difference"
    )
    document["error"]["broadband"]["t20_percent"] = 6.0
    assert headline(verdict(judge(typed(document)))) == (
        "The only counted broadband quantity is not within one just-noticeable difference"
    )


def test_bands_are_sorted_by_frequency_and_named_with_units() -> None:
    metrics = typed(make_document(("8000", "125", "1000")))
    assert metrics.octaves_hz == (125, 1000, 8000)
    assert [format_band(hz).replace("\u00a0", " ") for hz in metrics.octaves_hz] == [
        "125 Hz",
        "1 kHz",
        "8 kHz",
    ]


def test_numbers_have_no_negative_zero_and_no_nan() -> None:
    assert format_number(-0.001, 1, "dB") == "0.0\u00a0dB"
    assert format_number(-1.25, 2) == "−1.25"
    assert format_number(None, 2, "s") == "—"
    document = make_document()
    document["error"]["broadband"]["t30_percent"] = None
    assert judge(typed(document))[0].error is None
    document["error"]["broadband"]["t30_percent"] = float("nan")
    with pytest.raises(FdnlearnError, match="t30_percent: input should be a finite number"):
        typed(document)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(
            ["broadband", "octave", "125", "t30", "t30_s", "t30_percent", "counts", "reason", "x"]
        ),
        inner,
    ),
    max_leaves=12,
)
PARTS = st.sampled_from(["target", "fitted", "error", "measurable"])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(PARTS, json_values))
def test_any_measurement_is_refused_or_can_be_judged(parts: dict) -> None:
    document = {part: make_document()[part] for part in ("target", "fitted", "error", "measurable")}
    try:
        measurement = Measurement.model_validate(document | parts)
    except ValidationError:
        return
    for hz in (None, *measurement.octaves_hz):
        for judged in judge(measurement, hz):
            assert judged.jnds is None or judged.jnds >= 0.0


values = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_values_can_be_judged(data: st.DataObject) -> None:
    document = make_document()
    for part in ("target", "fitted", "error"):
        for band in (document[part]["broadband"], *document[part]["octave"].values()):
            band |= {key: data.draw(values) for key in band}
        # An octave may be missing from any part.
        if data.draw(st.booleans()):
            del document[part]["octave"]["1000"]
    metrics = typed(document)
    for hz in (None, *metrics.octaves_hz):
        for judged in judge(metrics, hz):
            assert judged.jnds is None or judged.jnds >= 0.0


def printed(metrics: Measurement, **options: bool) -> str:
    console = Console(width=110, file=io.StringIO(), color_system=None)
    console.print(metrics_table(metrics, **options))
    return console.file.getvalue().replace("\u00a0", " ")


def test_the_table_tells_room_fit_error_and_grade_without_colour() -> None:
    lines = printed(typed(make_document())).splitlines()
    t30 = next(line for line in lines if "T30" in line)
    assert t30.split() == ["T30", "0.50", "s", "0.50", "s", "7.5", "%", "1.5", "≈", "1", "to", "2", "JND"]
    assert any("EDC rms" in line and "0.40 dB" in line for line in lines)
    assert "5 of 7 counted broadband quantities" in lines[-2] + lines[-1]


def test_the_table_without_a_fit_tells_what_counts() -> None:
    document = {part: make_document()[part] for part in ("target", "measurable")}
    document["measurable"]["broadband"]["t30"] = {"counts": False, "reason": "only [red]30 dB[/red]"}
    text = printed(Measurement.model_validate(document), octaves=True)
    assert "only [red]30 dB[/red]" in text
    assert "FDN" not in text
    assert "JND" not in text
    assert "125 Hz" in text
    assert "✓ counts" in text
