"""The module: from a network and back, stable whatever it learns, and what torch's machinery does with it."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from fdn_networks import head_of, network
from hypothesis import given, settings
from hypothesis import strategies as st
from ops_cases import randn

from fdnlearn import FDN, FdnlearnError, FeedbackDelayNetwork
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import dumps_fdn, loads_fdn
from fdnlearn.layer import random_network
from fdnlearn.render import impulse_response, render

RATE_HZ = 16000
KNOTS_HZ = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0)
EVERYTHING: dict[str, Any] = {
    "tone": [
        {"type": "low_shelf", "frequency_hz": 100.0, "gain_db": -4.0, "q": 0.7},
        {"type": "peaking", "frequency_hz": 700.0, "gain_db": 6.0, "q": 3.0},
        {"type": "high_shelf", "frequency_hz": 4000.0, "gain_db": -9.0, "q": 0.6},
    ],
    "early": [
        {
            "kind": "sparse",
            "output": 1,
            "input": 0,
            "taps": [{"samples": 50, "gain": 0.4}, {"samples": 5, "gain": 0.3}],
        },
        {"kind": "fir", "output": 2, "input": 1, "coefficients": [0.1, -0.2, 0.3]},
        {"kind": "sparse", "output": 1, "input": 0, "taps": [{"samples": 5, "gain": 0.2}]},
    ],
    "late_delay_samples": 41,
    "pre_delay_s": 0.003,
    "gain": 0.5,
    "polarity": -1,
}
BANDED = {
    "absorption": {
        "kind": "reverberation_time",
        "family": "peq-1",
        "frequencies_hz": KNOTS_HZ,
        "times_s": [[0.6, 0.5, 0.45, 0.4, 0.35, 0.3], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]],
        "line_groups": [0, 1, 0, 1, 0, 1],
    }
}
FLAT = {
    "absorption": {
        "kind": "reverberation_time",
        "family": "flat-1",
        "frequencies_hz": [1000.0],
        "times_s": [[0.3], [0.4]],
        "line_groups": [0, 1, 1, 1, 0, 1],
    }
}
NETWORKS: dict[str, FDN] = {
    "gains of lines": network(),
    "a silent line": network(3, absorption={"kind": "per_line_gain", "gains": [0.0, 0.9, 0.8]}),
    "one time": network(**FLAT),
    "times of octaves": network(**BANDED),
    "everything": network(inputs=2, outputs=3, **EVERYTHING, **BANDED),
    "a head": network(4, direct_gains=[[0.7]], **head_of(50, 20)),
    "everything behind heads": network(
        inputs=2, outputs=3, **EVERYTHING | {"pre_delay_s": 0.0005}, **BANDED, **head_of(70, 30, 3, 2)
    ),
    "fractional delays": network(3, delays_samples=[100.4, 200.5, 301.75]),
    "one sample": network(2, delays_samples=[1.0, 3.0]),
}


def rendered(fdn: FDN, samples: int) -> FloatArray:
    """Responses (O, I, samples) as the renderer plays them."""
    length_s = samples / fdn.sample_rate_hz
    return np.stack(
        [impulse_response(fdn, length_s=length_s, input_index=k) for k in range(fdn.inputs)], axis=1
    )


def distance(found: torch.Tensor, expected: FloatArray) -> float:
    return float(np.max(np.abs(found.detach().numpy() - expected)) / np.max(np.abs(expected)))


def disturbed(fdn: FDN, seed: int = 1, scale: float = 0.3, **options: Any) -> FeedbackDelayNetwork:
    """A module whose every parameter has moved."""
    module = FeedbackDelayNetwork.from_fdn(fdn, **options)
    with torch.no_grad():
        for k, parameter in enumerate(module.parameters()):
            parameter.add_(scale * randn(*parameter.shape, seed=seed + k).to(parameter))
    return module


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 2e-6)])
def test_a_module_sounds_like_the_network_it_was_made_from(
    name: str, dtype: torch.dtype, bound: float
) -> None:
    fdn = NETWORKS[name]
    module = FeedbackDelayNetwork.from_fdn(fdn, dtype=dtype)
    assert distance(module.impulse_response(6000), rendered(fdn, 6000)) < bound
    dry = np.random.default_rng(0).standard_normal((fdn.inputs, 2000))
    wet = module(torch.from_numpy(dry)[None].to(dtype), 3000)[0]
    assert distance(wet, render(fdn, dry, tail_s=3000 / fdn.sample_rate_hz)) < bound


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 2e-6)])
def test_what_was_learned_is_what_is_rendered(name: str, dtype: torch.dtype, bound: float) -> None:
    module = disturbed(NETWORKS[name], dtype=dtype)
    fdn = module.to_fdn({"trained": True})
    assert loads_fdn(dumps_fdn(fdn)) == fdn
    assert fdn.provenance == {"trained": True}
    assert distance(module.impulse_response(6000), rendered(fdn, 6000)) < bound


@pytest.mark.parametrize("head", [{}, head_of(70, 30, 3, 2)], ids=["version 1", "version 2"])
def test_there_and_back_is_the_same_network(head: dict[str, Any]) -> None:
    fdn = network(inputs=2, outputs=3, **EVERYTHING, **BANDED, **head)
    back = FeedbackDelayNetwork.from_fdn(fdn, dtype=torch.float64).to_fdn()
    for name, value in fdn.model_dump(exclude={"absorption", "feedback_matrix", "provenance"}).items():
        assert back.model_dump()[name] == value, name
    np.testing.assert_allclose(back.feedback_matrix, fdn.feedback_matrix, atol=1e-15)
    np.testing.assert_allclose(back.reverberation_times_s, fdn.reverberation_times_s, rtol=1e-14)


@pytest.mark.long
@settings(max_examples=20, deadline=None)
@given(
    lines=st.integers(1, 7),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    banded=st.booleans(),
    scale=st.sampled_from([0.0, 1.0, 30.0, 1e6]),
    seed=st.integers(0, 1000),
)
def test_no_parameter_makes_it_unstable(
    lines: int, inputs: int, outputs: int, banded: bool, scale: float, seed: int
) -> None:
    delays = [101, 211, 307, 401, 503, 601, 701][:lines]
    start = random_network(
        delays, RATE_HZ, inputs=inputs, outputs=outputs, knots_hz=KNOTS_HZ if banded else (), seed=seed
    )
    module = FeedbackDelayNetwork(start).double()  # single precision is not enough for 60 dB more
    with torch.no_grad():
        for name in ("matrix", "log_times", "tone_db"):
            parameter = getattr(module, name)
            parameter.add_(scale * randn(*parameter.shape, seed=seed).to(parameter))
    fdn = module.to_fdn()  # the contract proves it
    assert fdn.stability.stable
    assert distance(module.impulse_response(3000), rendered(fdn, 3000)) < 1e-5
    loss = module.impulse_response(500).square().sum()
    loss.backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in module.parameters() if p.grad is not None)


@pytest.mark.long
def test_every_parameter_has_the_right_gradient() -> None:
    fdn = network(
        3, 2, 2, delays=(33, 60), **{**EVERYTHING, "early": EVERYTHING["early"][:1], "pre_delay_s": 0.0}
    )
    module = disturbed(fdn, dtype=torch.float64, scale=0.1)
    names = [name for name, _ in module.named_parameters()]
    audio = randn(1, 2, 20, seed=9)

    def wet(*values: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.func.functional_call(
            module, dict(zip(names, values, strict=True)), (audio, 100)
        )
        return out

    free = [p.detach().clone().requires_grad_() for p in module.parameters()]
    assert all(p.numel() for p in free)
    assert torch.autograd.gradcheck(wet, free)


@pytest.mark.long
def test_training_brings_it_to_what_is_asked_for() -> None:
    aim = network(4, reverberation_time_s=0.2, delays=(40, 200))
    target = torch.from_numpy(rendered(aim, 1500)).float()
    module = disturbed(aim, scale=0.2)
    adam = torch.optim.Adam(module.parameters(), 0.02)
    losses = []
    for _ in range(60):
        adam.zero_grad()
        loss = (module.impulse_response(1500) - target).square().sum() / target.square().sum()
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.long
def test_training_brings_a_head_and_its_direct_sound_to_what_is_asked_for() -> None:
    aim = network(3, delays=(100, 200), direct_gains=[[0.5]], early=[], **head_of(40, 15))
    target = torch.from_numpy(rendered(aim, 60))
    module = disturbed(aim, dtype=torch.float64, scale=0.3)
    learned = [module.tap_gains]
    adam = torch.optim.Adam(learned, 0.05)
    for _ in range(300):
        adam.zero_grad()
        (module.impulse_response(60) - target).square().sum().backward()
        adam.step()
    fdn = module.to_fdn()
    assert fdn.direct_peak_samples == 15
    heard = np.array(fdn.head[0].coefficients)
    heard[15] += fdn.direct_gains[0][0]
    np.testing.assert_allclose(heard, rendered(aim, 40)[0, 0], atol=1e-4)


def test_its_state_is_tensors_that_another_module_takes() -> None:
    fdn = network(inputs=2, outputs=3, **EVERYTHING, **BANDED)
    trained, fresh = disturbed(fdn), FeedbackDelayNetwork.from_fdn(fdn)
    state = trained.state_dict()
    assert all(isinstance(x, torch.Tensor) for x in state.values())
    fresh.load_state_dict(state)
    assert torch.equal(fresh.impulse_response(2000), trained.impulse_response(2000))
    copied = copy.deepcopy(trained)
    assert torch.equal(copied.impulse_response(2000), trained.impulse_response(2000))
    elsewhere = FeedbackDelayNetwork.from_fdn(network(4, 2, 3))
    with pytest.raises(RuntimeError, match="size mismatch"):
        elsewhere.load_state_dict(state)


def test_it_moves_between_precisions() -> None:
    module = disturbed(network(**BANDED))
    single = module.impulse_response(2000)
    assert single.dtype == torch.float32
    double = module.to(torch.float64).impulse_response(2000)
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)
    with pytest.raises(FdnlearnError, match=r"float16; convert it with .float"):
        module.half().impulse_response(10)


def test_it_computes_on_no_other_device_in_silence() -> None:
    module = FeedbackDelayNetwork.from_fdn(network()).to("meta")
    for call in (lambda: module.impulse_response(100), lambda: module(torch.zeros(1, 1, 10))):
        with pytest.raises(FdnlearnError, match="on the device meta, the loop runs on the CPU; move"):
            call()


def test_parameters_that_are_not_finite_are_named() -> None:
    module = FeedbackDelayNetwork.from_fdn(network())
    with torch.no_grad():
        module.input_gains[0] = math.nan
    with pytest.raises(FdnlearnError, match="input_gains: holds NaN"):
        module(torch.zeros(1, 1, 10))


def test_it_says_what_it_is() -> None:
    module = FeedbackDelayNetwork(network(6, 1, 2))
    assert "lines=6, inputs=1, outputs=2, sample_rate_hz=16000" in repr(module)


def test_a_network_that_cannot_be_trained_is_refused_at_once() -> None:
    absorption = {**BANDED["absorption"], "frequencies_hz": (1e3, 2e3, 9e3), "times_s": [[0.5, 0.5, 0.5]]}
    fdn = network(absorption={**absorption, "line_groups": [0] * 6})
    with pytest.raises(FdnlearnError, match="knots_hz"):
        FeedbackDelayNetwork(fdn)


def test_a_random_start_is_the_same_by_its_seed() -> None:
    first, again, other = (random_network([101, 211], RATE_HZ, outputs=2, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert first.outputs == 2
