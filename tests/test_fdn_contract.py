"""The contract: what a network is, and what cannot be one."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import numpy as np
import pytest
from fdn_networks import network, orthogonal
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fdn import (
    FAMILIES,
    FDN,
    FirEarly,
    Head,
    ReverberationTime,
    SparseEarly,
    Tap,
    ToneSection,
    dumps_fdn,
    json_schema,
    load_fdn,
    loads_fdn,
    save_fdn,
)

finite = st.floats(-1e6, 1e6)
HEAD: dict[str, Any] = {
    "version": 2,
    "head": [{"output": 0, "input": 0, "coefficients": [0.01, 0.5, -0.25]}],
    "direct_peak_samples": 1,
}


@st.composite
def networks(draw: st.DrawFn) -> FDN:
    n, inputs, outputs = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def matrix(rows: int, columns: int) -> list[list[float]]:
        return [[draw(finite) for _ in range(columns)] for _ in range(rows)]

    early = []
    for _ in range(draw(st.integers(0, 2))):
        place = {"output": draw(st.integers(0, outputs - 1)), "input": draw(st.integers(0, inputs - 1))}
        if draw(st.booleans()):
            taps = draw(st.lists(st.builds(Tap, samples=st.integers(0, 5000), gain=finite), max_size=4))
            early.append(SparseEarly(**place, taps=tuple(taps)))
        else:
            early.append(FirEarly(**place, coefficients=tuple(draw(st.lists(finite, max_size=6)))))
    head = [
        Head(
            output=draw(st.integers(0, outputs - 1)),
            input=draw(st.integers(0, inputs - 1)),
            coefficients=tuple(draw(st.lists(finite, min_size=1, max_size=6))),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    longest = max((len(path.coefficients) for path in head), default=1)
    since_2 = {"version": 2, "head": tuple(head), "direct_peak_samples": draw(st.integers(0, longest - 1))}
    times = ReverberationTime(
        family="flat-1",
        frequencies_hz=(1000.0,),
        times_s=tuple((draw(st.floats(0.01, 20.0)),) for _ in range(2)),
        line_groups=tuple(draw(st.integers(0, 1)) for _ in range(n)),
    )
    section = st.builds(
        ToneSection,
        type=st.sampled_from(["peaking", "low_shelf", "high_shelf"]),
        frequency_hz=st.floats(10.0, 3900.0),
        gain_db=st.floats(-30.0, 30.0),
        q=st.floats(0.1, 10.0),
    )
    gains = {"kind": "per_line_gain", "gains": [draw(st.floats(0.0, 0.999)) for _ in range(n)]}
    return FDN(
        sample_rate_hz=draw(st.sampled_from([8000, 16000, 48000])),
        delays_samples=tuple(draw(st.floats(100.0, 5000.0)) for _ in range(n)),
        feedback_matrix=orthogonal(n, rng).tolist(),
        input_gains=matrix(n, inputs),
        output_gains=matrix(outputs, n),
        direct_gains=matrix(outputs, inputs),
        absorption=draw(st.sampled_from([times, gains])),
        tone=tuple(draw(st.lists(section, max_size=2))),
        early=tuple(early),
        **(since_2 if head or draw(st.booleans()) else {}),
        late_delay_samples=draw(st.integers(0, 10000)),
        pre_delay_s=draw(st.floats(0.0, 10.0)),
        gain=draw(st.floats(1e-9, 1e9)),
        polarity=draw(st.sampled_from([1, -1])),
        provenance={
            "seed": draw(st.integers(0, 2**64)),
            "target": draw(st.text(max_size=8)),
            "loss": draw(finite),
        },
    )


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(networks())
def test_json_gives_back_the_same_network_and_the_same_bytes(fdn: FDN) -> None:
    text = dumps_fdn(fdn)
    back = loads_fdn(text)
    assert back == fdn
    assert dumps_fdn(back) == text
    jsonschema.validate(json.loads(text), json_schema())


def test_the_schema_is_valid_and_refuses_what_has_the_wrong_form() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    document = json.loads(dumps_fdn(network()))
    assert validator.is_valid(document)
    for field, value in (
        ("version", 3),
        ("polarity", 0),
        ("gain", -1),
        ("delays_samples", ["1"]),
        ("unknown", 1),
    ):
        assert not validator.is_valid(document | {field: value}), field
    assert not validator.is_valid({key: value for key, value in document.items() if key != "version"})


def test_the_schema_knows_heads() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    document = json.loads(dumps_fdn(network(**HEAD)))
    assert validator.is_valid(document)
    for path in (
        {"output": 0},
        document["head"][0] | {"coefficients": []},
        document["head"][0] | {"kind": "fir"},
    ):
        assert not validator.is_valid(document | {"head": [path]}), path
    assert not validator.is_valid(document | {"direct_peak_samples": 2**16})


def test_what_has_no_head_is_written_as_it_was_before_there_were_any() -> None:
    document = json.loads(dumps_fdn(network()))
    assert document["version"] == 1
    assert not {"head", "direct_peak_samples"} & set(document)
    with_one = json.loads(dumps_fdn(network(**HEAD)))
    assert with_one["version"] == 2
    assert list(with_one)[:2] == ["format", "version"]
    assert {name: with_one[name] for name in HEAD} == json.loads(json.dumps(HEAD))


def test_a_network_is_frozen() -> None:
    fdn = network()
    with pytest.raises(ValidationError):
        fdn.gain = 2.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        fdn.arrays.feedback_matrix[0, 0] = 0.0


def test_arrays_and_counts_say_what_the_fields_say() -> None:
    fdn = network(5, 2, 3)
    assert (fdn.lines, fdn.inputs, fdn.outputs) == (5, 2, 3)
    assert fdn.arrays.input_gains.shape == (5, 2)
    assert fdn.arrays.output_gains.shape == (3, 5)
    assert np.array_equal(fdn.arrays.feedback_matrix, np.asarray(fdn.feedback_matrix))
    assert fdn.reverberation_times_s == pytest.approx(np.full((5, 1), 0.4))


def test_equality_does_not_depend_on_what_was_computed() -> None:
    one, other = network(), network()
    _ = one.arrays, one.stability
    assert one == other
    assert one != network(seed=1)


def test_saving_replaces_the_file_and_leaves_nothing_else(tmp_path: Any) -> None:
    path = tmp_path / "fdn é.json"
    path.write_text("old")
    save_fdn(network(), path)
    assert load_fdn(path) == network()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_saving_what_is_not_json_leaves_the_old_file(tmp_path: Any) -> None:
    path = tmp_path / "fdn.json"
    save_fdn(network(), path)
    before = path.read_bytes()
    spoilt = network().model_copy(update={"provenance": {"loss": float("nan")}})
    with pytest.raises(FdnlearnError, match="provenance"):
        save_fdn(spoilt, path)
    with pytest.raises(FdnlearnError, match="cannot be written"):
        save_fdn(network(), tmp_path / "missing" / "fdn.json")
    assert path.read_bytes() == before


def test_delays_that_are_whole_are_written_as_integers() -> None:
    assert '"delays_samples": [150, 151.5],' in dumps_fdn(network(2, delays_samples=(150.0, 151.5)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input_gains": [[1.0]] * 3}, "input_gains.*3 rows where 4"),
        ({"output_gains": [[1.0] * 3]}, r"output_gains\[0\].*3 values where 4"),
        ({"direct_gains": [[1.0, 1.0]]}, r"input_gains\[0\].*1 values where 2"),
        ({"absorption": {"kind": "per_line_gain", "gains": [0.5] * 3}}, "describes 3 lines"),
        ({"absorption": {"kind": "per_line_gain", "gains": [0.99999995] * 4}}, "not stable"),
        ({"polarity": 0}, "polarity"),
        ({**HEAD, "version": 1}, "head: is not part of version 1; write version 2"),
        ({"direct_peak_samples": 0}, "direct_peak_samples: is not part of version 1; write version 2"),
        ({**HEAD, "direct_peak_samples": 3}, "3 is not within the head, which has 3 samples"),
        ({"version": 2, "direct_peak_samples": 1}, "1 is not within the head, which has 0 samples"),
    ],
)
def test_inconsistent_networks_cannot_be_made(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FdnlearnError, match=message):
        network(4, **fields)


def test_all_delays_together_are_bounded() -> None:
    with pytest.raises(FdnlearnError, match=r"delays_samples.*adds up"):
        network(17, delays_samples=[2**22] * 17)


def test_a_matrix_may_miss_orthogonality_by_a_millionth_and_no_more() -> None:
    fdn = network(4)
    for error, accepted in ((2e-7, True), (2e-6, False)):
        matrix = fdn.arrays.feedback_matrix * (1 + error)
        if accepted:
            network(4, feedback_matrix=matrix.tolist())
        else:
            with pytest.raises(FdnlearnError, match="not orthogonal"):
                network(4, feedback_matrix=matrix.tolist())


def test_reverberation_times_and_gains_that_mean_the_same_are_realised_the_same() -> None:
    fdn = network(4)
    times = {
        "kind": "reverberation_time",
        "family": "flat-1",
        "frequencies_hz": [1000.0],
        "times_s": [[0.4]],
        "line_groups": [0] * 4,
    }
    other = network(4, absorption=times)
    assert other.reverberation_times_s == pytest.approx(fdn.reverberation_times_s)
    assert other.stability.bound == pytest.approx(fdn.stability.bound, rel=1e-12)


def test_families_are_named_with_their_version() -> None:
    assert list(FAMILIES) == ["flat-1", "peq-1"]
    assert all(name == family.name and name.rpartition("-")[2].isdigit() for name, family in FAMILIES.items())
