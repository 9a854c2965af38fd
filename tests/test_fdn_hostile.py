"""Files that are no networks: each ends in one clear line, whatever it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fdn_networks import network
from hostile_documents import HostileFiles, Variants, assert_refused_in_one_line, damaged, read_or_refused
from hypothesis import given, settings

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fdn import dumps_fdn, load_fdn, loads_fdn

GOOD = json.loads(dumps_fdn(network(4)))
TEXT = json.dumps(GOOD)
VARIANTS = Variants(GOOD)
with_field, without = VARIANTS.with_field, VARIANTS.without


def absorption(**fields: Any) -> Callable[[], str]:
    """The good document with reverberation times, some of them replaced."""
    good = {"kind": "reverberation_time", "family": "flat-1", "frequencies_hz": [1e3], "times_s": [[1.0]]}
    return with_field("absorption", value=good | {"line_groups": [0] * 4} | fields)


def head(*coefficients: float, peak: int = 0, **fields: Any) -> Callable[[], str]:
    """The good document with a head of one path, or of none where it has no coefficients."""
    path = {"output": 0, "input": 0, "coefficients": list(coefficients)} | fields
    return lambda: json.dumps(GOOD | {"version": 2, "head": [path], "direct_peak_samples": peak})


FILES: HostileFiles = {
    "empty": (lambda: "", "is empty"),
    "blank": (lambda: " \n\t", "is empty"),
    "binary": (lambda: bytes(range(256)), "not UTF-8"),
    "zeros": (lambda: b"\0" * 100, "not JSON"),
    "utf-16": (lambda: TEXT.encode("utf-16"), "not UTF-8"),
    "a million lines": (lambda: "a line of text\n" * 1_000_000, "not JSON .* line 1, column 1"),
    "too large": (lambda: b" " * (64 * 2**20 + 1), "larger than 64 MiB"),
    "truncated": (lambda: TEXT[:-20], "not JSON"),
    "trailing": (lambda: TEXT + "//", "not JSON"),
    "array": (lambda: "[]", "no JSON object"),
    "number": (lambda: "1", "no JSON object"),
    "deep": (lambda: "[" * 100_000 + "]" * 100_000, "nests deeper"),
    "deep, unclosed": (lambda: '{"a":' * 100_000, "nests deeper"),
    "deep provenance": (with_field("provenance", value=json.loads("[" * 70 + "]" * 70)), "nests deeper"),
    "twice": (lambda: TEXT[:-1] + ', "gain": 2.0}', "key 'gain' twice"),
    "another format": (with_field("format", value="other"), "format: is not 'fdnlearn.fdn'"),
    "no format": (without("format"), "format: is not 'fdnlearn.fdn'"),
    "newer": (lambda: json.dumps(GOOD | {"version": 7, "more": 1}), "newer fdnlearn .*version 7.*upgrade"),
    "version 0": (with_field("version", value=0), "version"),
    "version true": (with_field("version", value=True), "version"),
    "version 1.0": (with_field("version", value=1.0), "version"),
    "missing": (without("absorption"), "absorption: is missing"),
    "unknown": (with_field("colour", value=1), "colour: is not a field"),
    "long unknown": (with_field("x\n" * 1000, value=1), "is not a field"),
    "unknown inside": (with_field("absorption", "q", value=1), "absorption.q: is not a field"),
    "NaN": (with_field("output_gains", 0, 0, value=float("nan")), "NaN"),
    "infinity": (with_field("gain", value=float("-inf")), "-Infinity"),
    "overflow": (lambda: TEXT.replace('"gain": 1.0', '"gain": 1e999'), "beyond double"),
    "huge integer": (lambda: TEXT.replace('"gain": 1.0', '"gain": 1' + "0" * 400), "401 digits"),
    "huger integer": (lambda: TEXT.replace('"gain": 1.0', '"gain": 1' + "0" * 9999), "10000 digits"),
    "string number": (with_field("output_gains", 0, 0, value="1.0"), r"output_gains\[0\]\[0\]"),
    "boolean number": (with_field("output_gains", 0, 0, value=True), r"output_gains\[0\]\[0\]"),
    "null number": (with_field("gain", value=None), "gain"),
    "boolean polarity": (with_field("polarity", value=True), "polarity"),
    "string matrix": (
        with_field("feedback_matrix", value="eye"),
        "feedback_matrix: input should be a.* array",
    ),
    "object matrix": (with_field("feedback_matrix", value={}), "feedback_matrix"),
    "empty matrix": (with_field("feedback_matrix", value=[]), "feedback_matrix"),
    "ragged matrix": (with_field("feedback_matrix", 2, value=[0.0]), r"feedback_matrix\[2\]"),
    "not orthogonal": (with_field("feedback_matrix", 0, 0, value=2.0), "not orthogonal"),
    "enormous matrix": (with_field("feedback_matrix", 0, 0, value=1e300), "not orthogonal"),
    "no inputs": (lambda: json.dumps(GOOD | {"direct_gains": [[]], "input_gains": [[]] * 4}), "0 inputs"),
    "million delays": (with_field("delays_samples", value=[9] * 1_000_000), "delays_samples"),
    "zero delay": (with_field("delays_samples", 0, value=0), r"delays_samples\[0\]"),
    "negative delay": (with_field("delays_samples", 0, value=-5), r"delays_samples\[0\]"),
    "endless delay": (with_field("delays_samples", 0, value=1e12), r"delays_samples\[0\]"),
    "unstable": (with_field("absorption", "gains", 1, value=0.99999999), "not stable"),
    "growing": (with_field("absorption", "gains", 1, value=1.01), r"absorption.gains\[1\]"),
    "negative gain": (with_field("absorption", "gains", 1, value=-0.5), r"absorption.gains\[1\]"),
    "unknown absorption": (with_field("absorption", "kind", value="x" * 10_000), "absorption"),
    "unknown family": (absorption(family="golden-9"), "golden-9.*unknown"),
    "knots": (absorption(frequencies_hz=[1e3, 2e3], times_s=[[1.0, 1.0]]), "frequencies_hz: has 2 knots"),
    "ragged times": (absorption(times_s=[[1.0, 2.0]]), r"times_s\[0\]: has 2 values"),
    "missing group": (absorption(line_groups=[0, 0, 0, 1]), "line_groups: names group 1"),
    "zero time": (absorption(times_s=[[0.0]]), r"times_s\[0\]\[0\]"),
    "endless time": (absorption(times_s=[[1e9]]), r"times_s\[0\]\[0\]"),
    "tone above Nyquist": (
        with_field("tone", value=[{"type": "peaking", "frequency_hz": 8000, "gain_db": 1, "q": 1}]),
        r"tone\[0\].frequency_hz",
    ),
    "early nowhere": (
        with_field("early", value=[{"kind": "sparse", "output": 1, "input": 0, "taps": []}]),
        r"early\[0\]",
    ),
    "early before zero": (
        with_field(
            "early",
            value=[{"kind": "sparse", "output": 0, "input": 0, "taps": [{"samples": -1, "gain": 1}]}],
        ),
        r"early\[0\].taps\[0\].samples",
    ),
    "endless head": (
        lambda: head(0.25)().replace("[0.25]", "[" + "0.5," * 9_999_999 + "0.5]"),
        r"head\[0\].coefficients: .* at most 65536 items",
    ),
    "head of NaN": (head(0.5, float("nan")), "NaN"),
    "infinite head": (head(0.5, float("inf")), "Infinity"),
    "head beyond double": (lambda: head(0.25)().replace("[0.25]", "[1e999]"), "beyond double"),
    "empty head": (head(), r"head\[0\].coefficients: .* at least 1 item"),
    "head of words": (lambda: head(0.25)().replace("[0.25]", '["0.25"]'), r"head\[0\].coefficients\[0\]"),
    "head to nowhere": (head(1.0, output=1), r"head\[0\]: joins input 0 to output 1, which do not exist"),
    "head from nowhere": (head(1.0, input=3), r"head\[0\]: joins input 3 to output 0, which do not exist"),
    "head from minus one": (head(1.0, input=-1), r"head\[0\].input"),
    "head of a kind": (head(1.0, kind="fir"), r"head\[0\].kind: is not a field"),
    "head as an object": (
        lambda: json.dumps(GOOD | {"version": 2, "head": {}}),
        "head: input should be a.* array",
    ),
    "peak behind the head": (
        head(0.1, 1.0, peak=2),
        "direct_peak_samples: 2 is not within the head, which has 2 samples",
    ),
    "peak far behind the head": (head(0.1, 1.0, peak=10**12), "direct_peak_samples"),
    "peak before the head": (head(0.1, 1.0, peak=-1), "direct_peak_samples"),
    "peak of nothing": (
        lambda: json.dumps(GOOD | {"version": 2, "direct_peak_samples": 1}),
        "direct_peak_samples: 1 is not within the head, which has 0 samples",
    ),
    "head in version 1": (with_field("head", value=[]), "head: is not part of version 1; write version 2"),
    "peak in version 1": (
        with_field("direct_peak_samples", value=0),
        "direct_peak_samples: is not part of version 1",
    ),
    "version 3": (with_field("version", value=3), "newer fdnlearn .*version 3.*reads 2.*upgrade"),
    "silent": (with_field("gain", value=0.0), "gain"),
    "rate": (with_field("sample_rate_hz", value=44100.5), "sample_rate_hz"),
    "provenance": (with_field("provenance", value=[]), "provenance: input should be a.* object"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_gets_one_clear_line(name: str, tmp_path: Path) -> None:
    content, message = FILES[name]
    assert_refused_in_one_line(load_fdn, tmp_path / "hostile.json", content(), message)


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(FdnlearnError, match="no such file"):
        load_fdn(tmp_path / "absent.json")
    with pytest.raises(FdnlearnError, match="folder"):
        load_fdn(tmp_path)
    with pytest.raises(FdnlearnError, match="cannot be read"):
        load_fdn("nul\0byte")


@settings(max_examples=150, deadline=None)
@given(damaged(TEXT) | damaged(head(0.1, 1.0, -0.5, peak=1)()))
def test_a_damaged_file_is_refused_or_still_a_network(content: bytes) -> None:
    fdn = read_or_refused(loads_fdn, content)
    assert fdn is None or fdn.stability.stable
