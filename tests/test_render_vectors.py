"""The published test vectors: fdnlearn answers what the independent reference answered, and they are current."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fdnlearn.fdn import load_fdn
from fdnlearn.render import impulse_response

FOLDER = Path(__file__).parents[1] / "docs" / "testvectors"
NAMES = sorted(path.name.removesuffix(".response.json") for path in FOLDER.glob("*.response.json"))


def test_there_are_vectors_for_everything_the_format_can_say() -> None:
    fields = [json.loads((FOLDER / f"{name}.json").read_text()) for name in NAMES]
    assert {len(f["delays_samples"]) for f in fields} >= {4, 6}
    assert {f["absorption"]["kind"] for f in fields} == {"per_line_gain", "reverberation_time"}
    assert {path["kind"] for f in fields for path in f["early"]} == {"sparse", "fir"}
    assert any(f["tone"] for f in fields)
    assert any(f["late_delay_samples"] for f in fields)
    assert any(f["pre_delay_s"] for f in fields)
    assert any(len(f["direct_gains"]) == 2 for f in fields)


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_is_met_to_double_precision(name: str) -> None:
    fdn = load_fdn(FOLDER / f"{name}.json")
    answer = json.loads((FOLDER / f"{name}.response.json").read_text())
    expected = np.array(answer["response"]).reshape(fdn.outputs, fdn.inputs, -1)
    rate = answer["sample_rate_hz"]
    for k in range(fdn.inputs):
        got = impulse_response(
            fdn, rate, expected.shape[2] / rate, input_index=k, decay=answer["decay"], size=answer["size"]
        )
        error = np.max(np.abs(got - expected[:, k]))
        assert error <= 10 ** (-230 / 20) * np.max(np.abs(expected))


@pytest.mark.parametrize("name", ["mono_4", "upsampled_fir_4", "stereo_4"])
def test_the_reference_still_gives_the_published_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    import reference

    fdn = json.loads((FOLDER / f"{name}.json").read_text())
    answer = json.loads((FOLDER / f"{name}.response.json").read_text())
    again = reference.responses(fdn, 200, answer["sample_rate_hz"], answer["decay"], answer["size"])
    flat = np.array([path for output in again for path in output])
    assert np.allclose(flat, np.array(answer["response"])[:, :200], rtol=1e-12, atol=1e-15)
