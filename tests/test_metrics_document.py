"""`metrics.json` as a typed document: it says what was measured, and a file that is none gets one clear line."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from fdnlearn_audition import results
from hostile_documents import HostileFiles, Variants, assert_refused_in_one_line, damaged, read_or_refused
from hypothesis import given, settings
from pydantic import ValidationError
from report_data import make_document

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.rir.metrics_document import (
    Metrics,
    dumps_metrics,
    json_schema,
    load_metrics,
    loads_metrics,
    metrics_of,
)

COHERENCE = {"target": {"0-1": [0.9, 0.5]}, "fitted": {"0-1": [0.8, 0.6]}, "error": {"0-1": [0.1, 0.1]}}
DIFFERENCE = {"rms_db": 0.4, "worst_db": 1.0, "worst_hz": 80.0, "by_band_db": {"80": -1.0}}
GOOD = {
    "format": "fdnlearn.metrics",
    "version": 2,
    **make_document(),
    "ringing": [{"frequency_hz": 900.0, "prominence_db": 14.0, "window_s": [0.1, 0.4]}],
    "colour": {"whole": DIFFERENCE, "late": DIFFERENCE, "decay_rms_db": 1.5},
    "coherence": COHERENCE,
    "before_snapping": {part: make_document()[part] for part in ("target", "fitted", "error", "measurable")}
    | {"ringing": [], "colour": None, "coherence": None},
    "stereo": {"drr_shift_db": [0.5, None], "c80_shift_db": [0.1, -0.1], "correlation": {"1000": 0.02}},
}
TEXT = json.dumps(GOOD)
VARIANTS = Variants(GOOD)
with_field, without = VARIANTS.with_field, VARIANTS.without


BROADBAND = ("error", "broadband")
OCTAVE = ("target", "octave")
FILES: HostileFiles = {
    "empty": (lambda: "", "is empty"),
    "binary": (lambda: bytes(range(256)), "not UTF-8"),
    "too large": (lambda: b" " * (64 * 2**20 + 1), "larger than 64 MiB"),
    "truncated": (lambda: TEXT[:-20], "not JSON"),
    "array": (lambda: "[]", "no JSON object"),
    "nothing": (lambda: "{}", "is missing"),
    "deep": (lambda: "[" * 100_000 + "]" * 100_000, "nests deeper"),
    "deep settings": (with_field("settings", value={"a": json.loads("[" * 70 + "]" * 70)}), "nests deeper"),
    "twice": (lambda: TEXT[:-1] + ', "seconds": 2.0}', "key 'seconds' twice"),
    "a network": (with_field("format", value="fdnlearn.fdn"), "format: is not 'fdnlearn.metrics'"),
    "version without format": (without("format"), "format: is not 'fdnlearn.metrics'"),
    "format without version": (without("version"), "version: is not a positive integer"),
    "newer": (lambda: json.dumps(GOOD | {"version": 7, "more": 1}), "newer fdnlearn .*version 7.*upgrade"),
    "missing": (without("recording"), "recording: is missing"),
    "missing part": (without("fitted"), "fitted: is missing"),
    "null part": (with_field("error", value=None), "error: input should be an object"),
    "missing quantity": (without("fitted", "broadband", "t30_s"), "fitted.broadband.t30_s: is missing"),
    "unknown": (with_field("timbre", value=1), "timbre: is not a field"),
    "unknown quantity": (with_field(*BROADBAND, "t60_percent", value=1.0), "t60_percent: is not a field"),
    "curve error of an octave": (
        with_field("error", "octave", "125", "edp_rms", value=0.1),
        "error.octave.125.edp_rms: is not a field",
    ),
    "NaN": (with_field(*BROADBAND, "t30_percent", value=float("nan")), "NaN"),
    "overflow": (lambda: TEXT.replace('"seconds": 6.5', '"seconds": 1e999'), "beyond double"),
    "string number": (with_field(*BROADBAND, "t30_percent", value="1.0"), "error.broadband.t30_percent"),
    "boolean number": (with_field(*BROADBAND, "t30_percent", value=True), "error.broadband.t30_percent"),
    "iterations": (with_field("iterations", value=1.5), "iterations"),
    "status": (with_field("status", value=1), "status: .*valid string"),
    "octave by name": (with_field(*OCTAVE, "high", value=GOOD["target"]["broadband"]), "target.octave.high"),
    "octave of 0 Hz": (with_field(*OCTAVE, "0", value=GOOD["target"]["broadband"]), "target.octave.0"),
    "octave with a zero": (
        with_field(*OCTAVE, "0125", value=GOOD["target"]["broadband"]),
        "target.octave.01",
    ),
    "octaves in a row": (with_field(*OCTAVE, value=[]), "target.octave: input should be an object"),
    "markup": (with_field(*OCTAVE, "<b>", value=1), "target.octave.<b>"),
    "counts": (
        with_field("measurable", "broadband", "t30", value={"counts": "?", "reason": ""}),
        "t30.counts",
    ),
    "reason": (
        with_field("measurable", "broadband", "t30", value={"counts": True}),
        "t30.reason: is missing",
    ),
    "ringing": (with_field("ringing", 0, "window_s", value=[0.1]), r"ringing\[0\].window_s"),
    "a pair": (with_field("coherence", "target", value={"left-right": [0.5, 0.5]}), "coherence.target"),
    "other pairs": (with_field("coherence", "error", value={"0-1": [0.5]}), "coherence: .*same pairs"),
    "stereo": (with_field("stereo", "drr_shift_db", value=[1.0, 2.0, 3.0]), "stereo.drr_shift_db"),
    "settings": (with_field("settings", value=[]), "settings: input should be an object"),
    "warnings": (with_field("warnings", value="none"), "warnings: input should be an? .*array"),
    "a warning": (with_field("warnings", value=[{}]), r"warnings\[0\]: .*valid string"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_gets_one_clear_line(name: str, tmp_path: Path) -> None:
    content, message = FILES[name]
    assert_refused_in_one_line(load_metrics, tmp_path / "metrics.json", content(), message)


def test_what_is_no_object_within_another_document_is_refused_too() -> None:
    for value in (None, [], "metrics", 1):
        with pytest.raises(FdnlearnError, match=r"^cell: are no JSON object"):
            metrics_of(value, "cell")


def test_what_is_read_is_written_again_in_the_same_order() -> None:
    text = json.dumps(GOOD)
    assert json.loads(dumps_metrics(loads_metrics(text))) == GOOD
    order = ["format", "version", "recording", "target", "fitted", "error", "measurable", "ringing"]
    order += ["colour", "coherence", "before_snapping", "stereo", "loss", "seconds", "iterations", "status"]
    assert list(json.loads(dumps_metrics(loads_metrics(text)))) == [*order, "settings", "warnings", "program"]


def test_files_of_the_first_programs_are_read() -> None:
    """They had neither format nor version, and less was measured."""
    later = {"format", "version", "ringing", "colour", "coherence", "stereo"}
    early = {key: value for key, value in GOOD.items() if key not in later}
    metrics = loads_metrics(json.dumps(early))
    assert metrics.error.broadband.t30_percent == 7.5
    assert (metrics.ringing, metrics.colour, metrics.coherence, metrics.stereo) == (None,) * 4
    jsonschema.validate(early, json_schema())


def test_values_are_found_by_name_and_by_band() -> None:
    metrics = loads_metrics(TEXT)
    assert metrics.octaves_hz == (125, 1000, 4000)
    assert metrics.target.octave[1000].t30_s == metrics.target.broadband.t30_s == 0.5
    assert metrics.error.at(4000) == metrics.error.octave[4000]
    assert metrics.error.at(None) is metrics.error.broadband
    assert metrics.error.at(63) is None
    assert metrics.measurable.broadband.t30.counts
    with pytest.raises(ValidationError):
        metrics.loss = 0.0


def test_file_names_that_are_not_unicode_survive() -> None:
    named = json.loads(TEXT)
    named["recording"]["name"] = "caf\udce9.wav"
    metrics = loads_metrics(json.dumps(named))
    assert metrics.recording.name == "caf\udce9.wav"
    assert json.loads(json.dumps(metrics.to_json())) == named


def test_the_schema_is_valid_and_agrees_with_the_reader() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(GOOD)
    for name in ("missing", "missing part", "missing quantity", "unknown", "string number", "octave by name"):
        content, _ = FILES[name]
        assert not validator.is_valid(json.loads(content())), name


@settings(max_examples=150, deadline=None)
@given(damaged(TEXT))
def test_a_damaged_file_is_refused_or_still_holds_metrics(content: bytes) -> None:
    metrics = read_or_refused(loads_metrics, content)
    assert metrics is None or isinstance(metrics, Metrics)


def test_the_listening_room_refuses_a_folder_whose_metrics_are_none(fitted: Path, tmp_path: Path) -> None:
    (tmp_path / "fdn.json").write_bytes((fitted / "fdn.json").read_bytes())
    assert results.view(str(tmp_path))["verdict"] is None
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(FdnlearnError, match=r"^metrics\.json: recording: is missing"):
        results.view(str(tmp_path))
    (tmp_path / "metrics.json").write_bytes((fitted / "metrics.json").read_bytes())
    assert "just-noticeable" in results.view(str(tmp_path))["verdict"]["headline"]
