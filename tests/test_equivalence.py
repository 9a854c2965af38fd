"""What was learned is what is heard: the response that the fit saw equals the one that the renderer plays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fdn_networks import head_of, network
from targets import target_of

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import FAMILIES, FDN
from fdnlearn.fdn.families import Family
from fdnlearn.fitting import FitConfig, solve
from fdnlearn.model.learned import learned_response
from fdnlearn.ops.dispatch import FORMS
from fdnlearn.render import impulse_response

#: Bars for the difference, dB re the response's peak.
DOUBLE_DB, SINGLE_DB = -230.0, -140.0

TONE = {
    "tone": [
        {"type": "low_shelf", "frequency_hz": 300.0, "gain_db": -4.0, "q": 0.7},
        {"type": "peaking", "frequency_hz": 2000.0, "gain_db": 3.0, "q": 1.5},
    ]
}
EARLY = {
    "early": [
        {
            "kind": "sparse",
            "output": 0,
            "input": 0,
            "taps": [{"samples": 40, "gain": 0.5}, {"samples": 0, "gain": -1}],
        },
        {"kind": "fir", "output": 0, "input": 0, "coefficients": [0.1, 0.2, -0.3]},
    ]
}


def two_groups(family: str) -> dict[str, object]:
    """Two reverberation times, for every other line."""
    return {
        "absorption": {
            "kind": "reverberation_time",
            "family": family,
            "frequencies_hz": [1000.0],
            "times_s": [[0.3], [0.35]],
            "line_groups": [0, 1, 0, 1, 0, 1],
        }
    }


#: Absorption of the family that `one_pole` adds.
FILTERED = two_groups("one-pole")
BANDS = two_groups("flat-1")


@pytest.fixture
def one_pole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A family whose lines are filtered, so that their loop gain is complex and differs from bin to bin."""

    def design(
        frequencies_hz: FloatArray, times_s: FloatArray, delays_samples: FloatArray, sample_rate_hz: float
    ) -> tuple[FloatArray, FloatArray]:
        gains = 10.0 ** (-3.0 * delays_samples / (sample_rate_hz * times_s[:, 0]))
        sections = np.tile([0.7, 0.0, 0.0, 1.0, -0.3, 0.0], (gains.size, 1, 1))
        return gains, sections

    monkeypatch.setitem(FAMILIES, "one-pole", Family("one-pole", lambda frequencies_hz: None, design))


def responses_of(fdn: FDN) -> tuple[FloatArray, FloatArray]:
    """Learned and rendered response, (outputs, inputs, n) long enough for 240 dB of decay."""
    samples = round(4.0 * float(fdn.reverberation_times_s.max()) * fdn.sample_rate_hz) + 2000
    rendered = [
        impulse_response(fdn, length_s=samples / fdn.sample_rate_hz, input_index=k) for k in range(fdn.inputs)
    ]
    return learned_response(fdn, samples), np.stack(rendered, axis=1)


def difference_db(found: FloatArray, expected: FloatArray) -> float:
    """Largest difference re the largest sample."""
    difference = np.abs(found.astype(np.float64) - expected).max()
    return float(20 * np.log10(max(difference, 1e-300) / np.abs(expected).max()))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"gain": 0.37, "polarity": -1},
        {"pre_delay_s": 0.004, "late_delay_samples": 37},
        TONE,
        EARLY,
        BANDS,
        head_of(60, 25),
        TONE | EARLY | BANDS | {"pre_delay_s": 0.01, "late_delay_samples": 11, "gain": 2.0},
        TONE | EARLY | BANDS | {"pre_delay_s": 0.001, "late_delay_samples": 11, **head_of(60, 25)},
    ],
    ids=[
        "plain",
        "gain",
        "delayed",
        "tone",
        "early",
        "banded",
        "head",
        "everything",
        "everything with a head",
    ],
)
def test_every_field_of_the_contract_is_heard_as_learned(fields: dict[str, object]) -> None:
    learned, rendered = responses_of(network(6, reverberation_time_s=0.3, **fields))
    assert difference_db(rendered, learned) <= DOUBLE_DB
    assert difference_db(rendered.astype(np.float32), learned) <= SINGLE_DB


@pytest.mark.usefixtures("one_pole")
def test_filters_in_the_loop_are_heard_as_learned() -> None:
    learned, rendered = responses_of(network(6, 2, 2, **FILTERED))
    assert difference_db(rendered, learned) <= DOUBLE_DB


@pytest.mark.parametrize(("lines", "inputs", "outputs"), [(1, 1, 1), (2, 2, 1), (16, 1, 2), (5, 2, 3)])
def test_any_number_of_lines_inputs_and_outputs(lines: int, inputs: int, outputs: int) -> None:
    learned, rendered = responses_of(network(lines, inputs, outputs, reverberation_time_s=0.2))
    assert learned.shape[:2] == (outputs, inputs)
    assert difference_db(rendered, learned) <= DOUBLE_DB


@pytest.mark.fit
def test_a_fit_is_heard_as_learned(make_room: Callable[..., FloatArray]) -> None:
    """From a recording with inverted polarity and its own level, through the whole fit, to the renderer."""
    recording = -0.2 * make_room(seconds=0.35, reverberation_time_s=0.2)
    target = target_of(recording, 16000)
    fdn = solve(target, FitConfig.for_model("homogeneous", iterations=20, restarts=4)).fdn
    assert fdn.polarity == -1
    assert all(m.is_integer() for m in fdn.delays_samples)
    learned, rendered = responses_of(fdn)
    assert difference_db(rendered, learned) <= DOUBLE_DB
    assert difference_db(rendered.astype(np.float32), learned) <= SINGLE_DB
    # At the recording's own level and polarity.
    assert learned[0, 0, 0] < 0
    energy = np.sum(learned**2) / np.sum((target.samples * target.gain) ** 2)
    assert abs(10 * np.log10(energy)) < 1.5


def test_fractional_delays_are_kept() -> None:
    fdn = network(3, reverberation_time_s=0.1)
    moved = FDN.model_validate(fdn.model_dump() | {"delays_samples": [m + 0.5 for m in fdn.delays_samples]})
    learned, rendered = responses_of(moved)
    assert difference_db(rendered, learned) > -30


@pytest.mark.gpu_interpreter
def test_every_kernel_hears_the_same() -> None:
    fdn = network(6, reverberation_time_s=0.3, **BANDS)
    first, *others = (learned_response(fdn, kernel=name) for name in FORMS["response"])
    for other in others:
        assert difference_db(other, first) <= DOUBLE_DB
    with pytest.raises(UsageError, match="unknown"):
        learned_response(fdn, kernel="nonsense")


def test_the_usual_length_holds_the_decay() -> None:
    fdn = network(6, reverberation_time_s=0.3)
    learned = learned_response(fdn)
    assert learned.shape[-1] >= 2.5 * 0.3 * 16000
    assert np.abs(learned[..., -500:]).max() < 1e-6 * np.abs(learned).max()
    with pytest.raises(FdnlearnError, match="n_fft: is 100"):
        learned_response(fdn, 100)
