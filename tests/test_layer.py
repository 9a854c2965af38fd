"""The layer for everyone's training: what it computes, its gradients, and what it refuses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given as sought
from hypothesis import settings
from hypothesis import strategies as st
from layer_networks import biquads, frequency_sampled, given, learned, of_network, sample_by_sample, sections
from ops_cases import randn, relative_error
from torch import Tensor

from fdnlearn import FdnlearnError, NetworkTensors, network_response, process_audio
from fdnlearn.fdn import FAMILIES
from fdnlearn.fdn.families.equaliser import response as section_response
from fdnlearn.layer import absorption, equaliser, tap_response
from fdnlearn.layer.cascade import filtered

OCTAVES_HZ = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0)
RATE_HZ = 16000


@pytest.mark.long
@settings(max_examples=25, deadline=None)
@sought(
    delays=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    line_sections=st.integers(0, 4),
    tone_sections=st.integers(0, 3),
    taps=st.integers(0, 3),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    batch=st.integers(1, 3),
    samples=st.integers(1, 90),
    tail=st.integers(0, 90),
    late=st.integers(0, 200),
    pre=st.integers(0, 200),
    direct=st.integers(0, 30),
)
def test_audio_goes_through_as_sample_by_sample(
    delays: list[int],
    line_sections: int,
    tone_sections: int,
    taps: int,
    inputs: int,
    outputs: int,
    batch: int,
    samples: int,
    tail: int,
    late: int,
    pre: int,
    direct: int,
) -> None:
    network = given(
        tuple(delays),
        batch=batch,
        inputs=inputs,
        outputs=outputs,
        line_sections=line_sections,
        tone_sections=tone_sections,
        taps=taps,
        late_delay_samples=late,
        pre_delay_samples=pre,
        direct_delay_samples=direct,
    )
    audio = randn(batch, inputs, samples, seed=9)
    wet = process_audio(network, audio, tail)
    assert wet.shape == (batch, outputs, samples + tail)
    for b in range(batch):
        expected = sample_by_sample(of_network(network, b), audio[b], samples + tail)
        torch.testing.assert_close(wet[b], expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("channels", [(1, 1), (2, 1), (1, 3), (2, 3)])
def test_audio_is_convolved_with_the_response(channels: tuple[int, int]) -> None:
    network = given(inputs=channels[0], outputs=channels[1])
    audio = randn(2, channels[0], 300, seed=9)
    h = network_response(network, 500)
    assert h.shape == (2, channels[1], channels[0], 500)
    n_fft = 1024
    spectra = torch.einsum("boik,bik->bok", torch.fft.rfft(h, n_fft), torch.fft.rfft(audio, n_fft))
    expected = torch.fft.irfft(spectra, n_fft)[..., :500]
    torch.testing.assert_close(process_audio(network, audio, 200), expected, rtol=1e-9, atol=1e-10)


def test_response_and_gradients_are_those_of_frequency_sampling() -> None:
    n_fft = 4096  # in which nothing is left that could fold back
    outer, slopes, responses = randn(2, 3, 2, n_fft, seed=10), [], []
    for way in (frequency_sampled, network_response):
        network = given((7, 11, 16), inputs=2, outputs=3, taps=0, pre_delay_samples=0, gain=1.0)
        leaves = {name: x.clone().requires_grad_() for name, x in learned(network).items()}
        h = way(dataclasses.replace(network, **leaves), n_fft)
        responses.append(h.detach())
        slopes.append(torch.autograd.grad((h * outer).sum(), list(leaves.values())))
    assert relative_error(*responses) < 1e-10
    for name, expected, slope in zip(leaves, *slopes, strict=True):
        # A section's fourth coefficient is one.
        kept = [0, 1, 2, 4, 5] if name.endswith("sos") else slice(None)
        assert relative_error(slope[..., kept], expected[..., kept]) < 1e-8, name


@pytest.mark.long
@pytest.mark.parametrize("channels", [(1, 1), (1, 2), (2, 1)])
@pytest.mark.parametrize("networks", [1, 2])
def test_the_gradient_is_right(channels: tuple[int, int], networks: int) -> None:
    inputs, outputs = channels
    network = given(
        (3, 5),
        batch=networks,
        inputs=inputs,
        outputs=outputs,
        line_sections=1,
        tone_sections=1,
        early=0.3 * randn(networks, outputs, inputs, 3, seed=8),
        late_delay_samples=1,
        pre_delay_samples=1,
    )
    names = list(learned(network))

    def whole(name: str, x: Tensor) -> Tensor:
        if not name.endswith("sos"):
            return x
        return torch.cat((x[..., :3], torch.ones_like(x[..., :1]), x[..., 3:]), dim=-1)

    def wet(audio: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        own = {name: whole(name, x) for name, x in zip(names, tensors, strict=True)}
        moved = dataclasses.replace(network, **own)
        return process_audio(moved, audio, 5), network_response(moved, 9)

    free = [x[..., [0, 1, 2, 4, 5]] if n.endswith("sos") else x for n, x in learned(network).items()]
    inputs_of_all = [x.clone().requires_grad_() for x in (randn(2, inputs, 6, seed=9), *free)]
    assert torch.autograd.gradcheck(wet, inputs_of_all)


@pytest.mark.long
def test_the_gradient_of_times_and_levels_is_right() -> None:
    network = given((31, 47), batch=1, line_sections=0, tone_sections=0, taps=2)
    delays = network.delays_samples

    def h(times_s: Tensor, levels_db: Tensor) -> Tensor:
        gains, sos = absorption(times_s, delays, RATE_HZ, OCTAVES_HZ)
        tone = equaliser(levels_db, RATE_HZ, OCTAVES_HZ)
        return network_response(
            dataclasses.replace(network, line_gains=gains, line_sos=sos, tone_sos=tone), 120
        )

    times = (0.02 + 0.02 * torch.sigmoid(randn(1, 2, 6, seed=1))).requires_grad_()
    assert torch.autograd.gradcheck(h, (times, randn(1, 6, seed=2).requires_grad_()))


def test_networks_of_a_batch_are_what_each_is_alone() -> None:
    network, audio = given(batch=3, outputs=2), randn(3, 1, 200, seed=9)
    together, responses = process_audio(network, audio, 50), network_response(network, 300)
    for b in range(3):
        alone = of_network(network, b)
        assert torch.equal(process_audio(alone, audio[b : b + 1], 50)[0], together[b])
        assert torch.equal(network_response(alone, 300)[0], responses[b])


def test_one_network_serves_all_items_and_one_item_all_networks() -> None:
    network, audio = given(batch=3), randn(3, 1, 200, seed=9)
    first = of_network(network, 0)
    for b in range(3):
        assert torch.equal(process_audio(first, audio)[b], process_audio(first, audio[b : b + 1])[0])
        one = process_audio(network, audio[:1])[b]
        assert torch.equal(one, process_audio(of_network(network, b), audio[:1])[0])


def test_what_is_shared_gets_the_gradients_of_all() -> None:
    network, audio = given(batch=3), randn(3, 1, 200, seed=9)
    shared = network.feedback_matrix[:1].clone().requires_grad_()
    each = shared.detach().repeat(3, 1, 1).requires_grad_()
    for matrix in (shared, each):
        process_audio(dataclasses.replace(network, feedback_matrix=matrix), audio).square().sum().backward()
    assert shared.grad is not None
    assert each.grad is not None
    torch.testing.assert_close(shared.grad[0], each.grad.sum(0))


def test_any_layout_will_do() -> None:
    network, audio = given(inputs=2, outputs=2), randn(2, 2, 200, seed=9)
    expected = process_audio(network, audio)
    turned = {name: x.transpose(0, -1).contiguous().transpose(0, -1) for name, x in learned(network).items()}
    spread = torch.stack((audio, audio), dim=-1).flatten(-2)[..., ::2]
    assert not spread.is_contiguous()
    assert torch.equal(process_audio(dataclasses.replace(network, **turned), spread), expected)
    for tensors in (audio[:1].expand(2, -1, -1), audio[:1].repeat(2, 1, 1)):
        loud = tensors.detach().requires_grad_()
        process_audio(network, loud).square().sum().backward()
        assert loud.grad is not None


def test_single_precision_is_double_rounded() -> None:
    exact = network_response(given(outputs=2), 4000)
    single = network_response(given(outputs=2, dtype=torch.float32), 4000)
    assert single.dtype == torch.float32
    assert relative_error(single, exact) < 1e-6


def test_delays_may_be_of_any_type() -> None:
    network = given()
    expected = network_response(network, 300)
    for kind in (torch.int32, torch.float32, torch.float64):
        delays = network.delays_samples.to(kind)
        assert torch.equal(
            network_response(dataclasses.replace(network, delays_samples=delays), 300), expected
        )


@pytest.mark.parametrize("channels", [1, 2])
def test_sections_do_what_their_difference_equation_says(channels: int) -> None:
    sos, signals = sections(2, 4, seed=1), randn(2, 3, channels, 150, seed=2)
    found = filtered(sos, signals, 400)
    for b in range(2):
        silence = torch.zeros(3, channels, 250, dtype=torch.float64)
        expected = biquads(torch.cat((signals[b], silence), dim=-1), sos[b])
        torch.testing.assert_close(found[b], expected, rtol=1e-10, atol=1e-12)


def test_lines_have_the_filters_that_renderers_design() -> None:
    delays = torch.tensor([[401, 997, 1511]])
    times = 0.3 + torch.sigmoid(randn(1, 3, 6, seed=1))
    for family, own, knots in (("flat-1", times[..., :1], ()), ("peq-1", times, OCTAVES_HZ)):
        gains, sos = absorption(own, delays, RATE_HZ, knots)
        design = FAMILIES[family].design
        expected = design(np.array(knots or (1000.0,)), own[0].numpy(), delays[0].double().numpy(), RATE_HZ)
        np.testing.assert_allclose(gains[0], expected[0], rtol=1e-12)
        assert (sos is None) == (family == "flat-1")
        if sos is not None:
            np.testing.assert_allclose(sos[0], expected[1], rtol=1e-12)


def test_one_time_is_that_of_all_lines_and_networks() -> None:
    delays = torch.tensor([[401, 997], [211, 499]])
    gains, sos = absorption(torch.full((1, 1, 6), 0.5), delays, RATE_HZ, OCTAVES_HZ)
    assert gains.shape == (2, 2)
    assert sos is not None
    assert sos.shape == (2, 2, 6, 6)
    expected = 10.0 ** (-3.0 * delays.double() / (RATE_HZ * 0.5))
    torch.testing.assert_close(gains, expected)


def test_a_response_falls_by_60_db_in_the_reverberation_time() -> None:
    delays, time_s = torch.tensor([[311, 401, 503, 607]]), 0.25
    lossless = given(
        (311, 401, 503, 607),
        batch=1,
        tone_sections=0,
        line_sections=0,
        taps=0,
        line_gains=torch.ones(1, 4, dtype=torch.float64),
        direct_gains=torch.zeros(1, 1, 1, dtype=torch.float64),
        late_delay_samples=0,
        pre_delay_samples=0,
    )
    gains, _ = absorption(torch.full((1, 1, 1), time_s), delays, RATE_HZ)
    # What is heard of a line has not gone through its gain yet.
    lossy = dataclasses.replace(
        lossless, line_gains=gains, output_gains=lossless.output_gains * gains[:, None]
    )
    decay = 10.0 ** (-3.0 * torch.arange(8000, dtype=torch.float64) / (RATE_HZ * time_s))
    torch.testing.assert_close(network_response(lossy, 8000), network_response(lossless, 8000) * decay)


def test_an_equaliser_has_the_levels_asked_for() -> None:
    levels_db = torch.tensor([[-6.0, -5.0, -3.0, -3.0, -4.0, -6.0], [3.0, 3.0, 3.0, 3.0, 3.0, 3.0]])
    sos = equaliser(levels_db, RATE_HZ, OCTAVES_HZ).numpy()
    spectra = np.prod(section_response(sos, np.array(OCTAVES_HZ), float(RATE_HZ)), axis=1)
    np.testing.assert_allclose(20 * np.log10(np.abs(spectra)), levels_db, atol=0.3)


def test_taps_are_where_they_belong_and_add_up() -> None:
    early = tap_response(torch.tensor([[[[2, 0, 2]]]]), torch.tensor([[[[1.0, 0.5, 0.25]]]]), 5)
    assert early.tolist() == [[[[0.5, 0.0, 1.25, 0.0, 0.0]]]]


def without(name: str) -> Callable[[Tensor], Tensor]:
    """A tensor whose axis called so is empty."""
    return lambda x: x[:0] if name == "batch" else x[..., :0]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a missing axis": ({"feedback_matrix": torch.eye(3).double()}, "feedback_matrix: has shape"),
    "another number of lines": ({"line_gains": torch.full((2, 4), 0.5)}, "line_gains: has shape .2, 4."),
    "another batch": ({"line_gains": torch.full((3, 3), 0.5)}, "3 batch where"),
    "another number of inputs": ({"direct_gains": randn(2, 1, 2)}, "inputs"),
    "another number of outputs": ({"direct_gains": randn(2, 2, 1)}, "outputs"),
    "five coefficients": ({"line_sos": torch.ones(2, 3, 1, 5).double()}, "5 coefficients"),
    "no networks": ({"feedback_matrix": torch.zeros(0, 3, 3).double()}, "is empty"),
    "no outputs": ({"output_gains": torch.zeros(2, 0, 3).double()}, "is empty"),
    "NaN": ({"input_gains": torch.full((2, 3, 1), math.nan).double()}, "input_gains: holds NaN"),
    "infinity": ({"line_gains": torch.full((2, 3), math.inf)}, "line_gains: holds NaN or infinite"),
    "half precision": ({"feedback_matrix": torch.eye(3).half().expand(2, 3, 3)}, "float16"),
    "complex numbers": ({"line_gains": torch.full((2, 3), 0.5j)}, "complex"),
    "two precisions": ({"input_gains": randn(2, 3, 1).float()}, "is of float32"),
    "an array": ({"line_gains": np.full((2, 3), 0.5)}, "of type ndarray"),
    "another device": ({"line_gains": torch.empty(2, 3, device="meta")}, "the loop runs on the CPU"),
    "a delay of zero": ({"delays_samples": torch.tensor([[0, 5, 7]])}, "reaches from 0"),
    "a negative delay": ({"delays_samples": torch.tensor([[-3, 5, 7]])}, "reaches from -3"),
    "a huge delay": ({"delays_samples": torch.tensor([[1e9, 5, 7]])}, "reaches from 5 to 1e"),
    "a fractional delay": ({"delays_samples": torch.tensor([[1.5, 5, 7]])}, "fractions of a sample; .*round"),
    "delays to learn": (
        {"delays_samples": torch.tensor([[4.0, 5, 7]], requires_grad=True)},
        "requires a gradient.*detach.*fdnlearn.solve",
    ),
    "a0 that is not 1": ({"tone_sos": torch.full((2, 1, 6), 0.5).double()}, "a0 is not 1"),
    "a negative late delay": ({"late_delay_samples": -1}, "late_delay_samples: is -1"),
    "a fractional pre-delay": ({"pre_delay_samples": 1.5}, "pre_delay_samples: is 1.5"),
    "no gain": ({"gain": math.nan}, "gain: is nan"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_network_is_refused_in_one_line(case: str) -> None:
    fields, says = REFUSED[case]
    with pytest.raises(FdnlearnError, match=says) as caught:
        dataclasses.replace(given(), **fields)
    assert "\n" not in str(caught.value)


AUDIO: dict[str, tuple[Any, str]] = {
    "one axis": (torch.zeros(100).double(), "audio: has shape .100,."),
    "no batch": (torch.zeros(1, 100).double(), "give .batch, channels, time."),
    "no items": (torch.zeros(0, 1, 100).double(), "is empty"),
    "no samples": (torch.zeros(2, 1, 0).double(), "is empty"),
    "two channels": (torch.zeros(2, 2, 100).double(), "2 channels; give the network's 1"),
    "three items": (torch.zeros(3, 1, 100).double(), "3 items for 2 networks"),
    "half precision": (torch.zeros(2, 1, 100).half(), "float16"),
    "another precision": (torch.zeros(2, 1, 100), "is of float32, feedback_matrix of float64"),
    "integers": (torch.zeros(2, 1, 100).long(), "int64"),
    "NaN": (torch.full((2, 1, 100), math.nan).double(), "audio: holds NaN"),
    "infinity": (torch.full((2, 1, 100), -math.inf).double(), "audio: holds NaN or infinite"),
    "another device": (torch.empty(2, 1, 100, device="meta"), "the loop runs on the CPU"),
    "an array": (np.zeros((2, 1, 100)), "of type ndarray"),
}


@pytest.mark.parametrize("case", AUDIO)
def test_audio_that_does_not_fit_is_refused_in_one_line(case: str) -> None:
    audio, says = AUDIO[case]
    with pytest.raises(FdnlearnError, match=says) as caught:
        process_audio(given(), audio)
    assert "\n" not in str(caught.value)


def test_lengths_that_are_none_are_refused() -> None:
    for length in (0, -1, 1.5, True):
        with pytest.raises(FdnlearnError, match="length_samples"):
            network_response(given(), length)  # type: ignore[arg-type]
    with pytest.raises(FdnlearnError, match="tail_samples"):
        process_audio(given(), randn(2, 1, 10), -1)


def test_a_network_that_explodes_says_so() -> None:
    network = given((1, 2, 3), line_sections=0, line_gains=torch.full((1, 3), 3.0, dtype=torch.float64))
    with pytest.raises(FdnlearnError, match="not finite, for the loop is not stable"):
        network_response(network, 20000)


TIMES: dict[str, tuple[Callable[[], object], str]] = {
    "no axis of lines": (lambda: absorption(torch.ones(1, 1), torch.ones(1, 2), 16000), "times_s: has shape"),
    "times of zero": (lambda: absorption(torch.zeros(1, 2, 1), torch.ones(1, 2), 16000), "reaches from 0"),
    "NaN": (lambda: absorption(torch.full((1, 2, 1), math.nan), torch.ones(1, 2), 16000), "NaN"),
    "other lines": (lambda: absorption(torch.ones(1, 3, 1), torch.ones(1, 2), 16000), "for delays of shape"),
    "no lines": (lambda: absorption(torch.ones(1, 1, 1), torch.ones(1, 0), 16000), "is empty"),
    "no rate": (lambda: absorption(torch.ones(1, 1, 1), torch.ones(1, 2), 0), "0 Hz is out of range"),
    "delays that move": (
        lambda: absorption(torch.ones(1, 1, 1), torch.ones(1, 2, requires_grad=True), 16000),
        "requires a gradient",
    ),
    "one knot": (lambda: absorption(torch.ones(1, 1, 1), torch.ones(1, 2), 16000, (1e3,)), "3 at least"),
    "knots out of reach": (
        lambda: absorption(torch.ones(1, 1, 3), torch.ones(1, 2), 16000, (1e3, 2e3, 9e3)),
        "below 7600 Hz",
    ),
    "knots in disorder": (
        lambda: absorption(torch.ones(1, 1, 3), torch.ones(1, 2), 16000, (1e3, 500.0, 2e3)),
        "ascending",
    ),
    "too few times": (
        lambda: absorption(torch.ones(1, 1, 2), torch.ones(1, 2), 16000, (500.0, 1e3, 2e3)),
        "give .batch, lines, 3.",
    ),
    "levels out of range": (lambda: equaliser(torch.full((1, 6), 90.0), 16000, OCTAVES_HZ), "90 dB"),
    "a knot too high": (lambda: equaliser(torch.ones(1, 6), 8000, OCTAVES_HZ), "stay below 3800 Hz"),
    "too few levels": (lambda: equaliser(torch.ones(1, 5), 16000, OCTAVES_HZ), "give .batch, 6."),
    "taps in no place": (
        lambda: tap_response(torch.zeros(1, 1, 1, 2).long(), torch.ones(1, 1, 1, 3)),
        "a position for every gain",
    ),
    "taps between samples": (
        lambda: tap_response(torch.ones(1, 1, 1, 2), torch.ones(1, 1, 1, 2)),
        "real type",
    ),
    "taps before the start": (
        lambda: tap_response(-torch.ones(1, 1, 1, 2).long(), torch.ones(1, 1, 1, 2)),
        "positions_samples: reaches from -1",
    ),
    "taps beyond the end": (
        lambda: tap_response(torch.full((1, 1, 1, 2), 9), torch.ones(1, 1, 1, 2), 9),
        "give 0 to 8 samples",
    ),
}


@pytest.mark.parametrize("case", TIMES)
def test_filters_that_cannot_be_are_refused_in_one_line(case: str) -> None:
    call, says = TIMES[case]
    with pytest.raises(FdnlearnError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_network_is_one_object_with_its_sizes() -> None:
    network = given(batch=2, inputs=3, outputs=1)
    assert isinstance(network, NetworkTensors)
    assert (network.batch, network.inputs, network.outputs) == (2, 3, 1)
    assert network.dtype == torch.float64
