"""The model: free parameters become a stable network, and its response is that of the difference equation."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ops_cases import relative_error
from sample_loop import fractional_delay, fractional_loop, integer_loop
from targets import target_of
from torch import Tensor
from torch_networks import first_of, tensors

from fdnlearn.base.types import FloatArray
from fdnlearn.model import HomogeneousModel, Network
from fdnlearn.model.homogeneous import DECAY_SPAN
from fdnlearn.model.orthogonal import orthogonal
from fdnlearn.ops.dispatch import FORMS
from fdnlearn.ops.response import Parameters
from fdnlearn.registry import MODELS, load

MODEL = HomogeneousModel(sample_rate_hz=16000.0, reverberation_time_s=0.6, lines=6, inputs=2, outputs=3)


def draw(model: HomogeneousModel = MODEL, starts: int = 4, seed: int = 0) -> dict[str, Tensor]:
    direct = torch.full((model.outputs, model.inputs), 0.3)
    return model.draw(torch.Generator().manual_seed(seed), direct, starts)


@pytest.mark.parametrize("lines", [1, 2, 6, 32])
@pytest.mark.parametrize("scale", [0.0, 0.3, 30.0])
def test_the_feedback_matrix_is_orthogonal(lines: int, scale: float) -> None:
    free = scale * torch.randn(5, lines, lines, generator=torch.Generator().manual_seed(lines))
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 5e-7)):
        matrix = orthogonal(free.to(dtype))
        assert matrix.dtype == dtype
        matrix = matrix.double()
        assert float((matrix @ matrix.mT - torch.eye(lines)).abs().max()) < tolerance
        torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(5, dtype=torch.float64))


def test_only_what_lies_above_the_diagonal_counts() -> None:
    free = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonal(free), orthogonal(free.triu(1)))


@given(free=st.floats(-1e4, 1e4), rate=st.sampled_from([8000.0, 16000.0, 48000.0, 192000.0]))
def test_delays_stay_within_their_range(free: float, rate: float) -> None:
    model = HomogeneousModel(rate, 0.5, 1)
    low, high = model.delay_range_samples()
    delay = float(model.delays(torch.tensor([[free]])))
    assert 2 <= low < high
    assert low * (1 - 1e-5) <= delay <= high * (1 + 1e-5)


@given(share=st.floats(0.001, 0.999))
def test_free_delays_invert_delays(share: float) -> None:
    low, high = MODEL.delay_range_samples()
    delay = torch.tensor([[low * (high / low) ** share]], dtype=torch.float64)
    torch.testing.assert_close(MODEL.delays(MODEL.free_delays(delay)), delay, rtol=1e-9, atol=0)


@given(free=st.floats(-1e4, 1e4))
def test_every_line_decays_on_the_scale_of_the_target(free: float) -> None:
    time_s = float(MODEL.line_times_s(torch.tensor([[free]], dtype=torch.float64)))
    assert 0.6 / DECAY_SPAN * (1 - 1e-9) <= time_s <= 0.6 * DECAY_SPAN * (1 + 1e-9)


def test_the_loop_gain_follows_the_delay() -> None:
    """A line of reverberation time T loses 60 dB in T, however its delay moves."""
    free = {name: value.double() for name, value in draw().items()}
    free["decay"] += torch.randn(4, 6, generator=torch.Generator().manual_seed(2))
    for delays in (None, torch.full((4, 6), 517.0, dtype=torch.float64)):
        network = MODEL.network(free, delays)
        assert bool(((network.loop_gain > 0) & (network.loop_gain < 1)).all())
        times_s = -3 * network.delays_samples / (16000 * torch.log10(network.loop_gain))
        torch.testing.assert_close(times_s, MODEL.line_times_s(free["decay"]))


def test_delays_and_loop_gains_have_the_right_gradients() -> None:
    def lines(delay: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
        network = MODEL.network(fixed | {"delay": delay, "decay": decay})
        return network.delays_samples, network.loop_gain

    fixed = {name: value.double() for name, value in draw(starts=2).items()}
    leaves = [fixed[name].clone().requires_grad_() for name in ("delay", "decay")]
    assert torch.autograd.gradcheck(lines, leaves)


def test_every_parameter_is_learned_and_given_delays_are_not() -> None:
    for delays in (None, torch.full((2, 6), 50.0)):
        free = {name: value.requires_grad_() for name, value in draw(starts=2).items()}
        assert set(free) == set(MODEL.rates)
        response = MODEL.network(free, delays).impulse_response(512, "cpu")
        assert response.shape == (2, 3, 2, 512)
        (response * torch.linspace(0, 1, 512)).square().sum().backward()
        for name, value in free.items():
            learned = value.grad is not None and bool(value.grad.any())
            # The direct sound lies at sample 0, which this loss does not weigh.
            assert learned == (name != "direct" and not (name == "delay" and delays is not None)), name


def test_direct_gains_are_never_negative() -> None:
    free = draw() | {"direct": torch.full((4, 3, 2), -0.25)}
    torch.testing.assert_close(MODEL.network(free).direct_gains, torch.full((4, 3, 2), 0.25))


def test_starts_follow_their_seed_and_differ_from_each_other() -> None:
    first, again, other = draw(seed=5), draw(seed=5), draw(seed=6)
    for name in first:
        assert torch.equal(first[name], again[name])
    assert not torch.equal(first["matrix"], other["matrix"])
    delays = MODEL.delays(first["delay"])
    assert delays.unique().numel() == delays.numel()
    low, high = MODEL.delay_range_samples()
    assert low < float(delays.min()) < float(delays.max()) < high * (1 + 1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_built_alike(name: str, make_room: Callable[..., FloatArray]) -> None:
    room = make_room(sample_rate_hz=8000, seconds=0.4, reverberation_time_s=0.3, channels=2)
    model = load(MODELS[name].build)(target_of(room, 8000), MODELS[name].options(lines=3))
    assert model.lines == 3
    free = model.draw(torch.Generator().manual_seed(0), torch.ones(2, 1), 2)
    assert set(free) == set(model.rates)
    assert model.network(free).impulse_response(4000, "reference").shape == (2, 2, 1, 4000)


@pytest.fixture(params=FORMS["response"])
def kernel_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def respond(networks: Parameters, n_fft: int, kernel_name: str = "reference") -> Tensor:
    return Network(*networks).impulse_response(n_fft, kernel_name)


@pytest.mark.parametrize("gain", [0.0, 0.5, -0.9])
@pytest.mark.parametrize("n_fft", [256, 255])
def test_one_line_is_a_comb(kernel_name: str, gain: float, n_fft: int) -> None:
    """Pulses ``c b g^k`` at ``(k + 1) m``, what lies beyond `n_fft` folded back."""
    delay, b, c, d = 7, 0.8, -1.5, 0.25

    def one(value: float, *shape: int) -> Tensor:
        return torch.full(shape, value, dtype=torch.float64)

    networks = Parameters(
        one(1, 1, 1, 1), one(gain, 1, 1), one(delay, 1, 1), one(b, 1, 1, 1), one(c, 1, 1, 1), one(d, 1, 1, 1)
    )
    expected = torch.zeros(n_fft, dtype=torch.float64)
    expected[0] = d
    for k in range(500):
        expected[(k + 1) * delay % n_fft] += c * b * gain**k
    found = respond(networks, n_fft, kernel_name)[0, 0, 0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("n_fft", [4000, 4001])
def test_frequency_sampling_equals_the_difference_equation(kernel_name: str, n_fft: int) -> None:
    networks = tensors(4, n_fft, inputs=2, outputs=3, gain=0.6, longest=60.0, seed=3)
    networks = networks._replace(delays_samples=networks.delays_samples.round())
    expected = integer_loop(first_of(networks), n_fft)
    assert float(expected[..., -200:].abs().max()) < 1e-13
    found = respond(networks, n_fft, kernel_name)[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_the_fractional_delay_filter_has_the_spectrum_it_is_made_for() -> None:
    taps = 64
    delays = torch.tensor([7.0, 20.3, 33.5], dtype=torch.float64)
    filters = fractional_delay(delays, taps).roll(1, dims=1)
    omega = 2 * torch.pi * torch.arange(taps // 2, dtype=torch.float64) / taps
    expected = torch.polar(torch.ones(3, taps // 2, dtype=torch.float64), -delays[:, None] * omega)
    expected = torch.cat((expected, torch.cos(torch.pi * delays)[:, None]), dim=1)
    torch.testing.assert_close(torch.fft.rfft(filters), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(filters[0], torch.eye(taps, dtype=torch.float64)[7], rtol=0, atol=1e-12)


def test_frequency_sampling_equals_the_authors_sample_loop_within_its_ripple() -> None:
    n_fft, taps = 2000, 128
    networks = tensors(4, n_fft, gain=0.5, seed=4)
    for delays, tolerance in (([21.0, 27.0, 33.0, 45.0], 1e-12), ([21.37, 27.5, 33.81, 45.12], 0.025)):
        moved = networks._replace(delays_samples=torch.tensor([delays], dtype=torch.float64))
        loop = fractional_loop(first_of(moved), n_fft, taps=taps)
        assert relative_error(respond(moved, n_fft)[0], loop) < tolerance


def test_both_forward_models_have_the_same_gradients() -> None:
    """Of a smooth projection, which the ripple does not reach; each by its own way back."""
    n_fft, taps = 700, 256
    networks = tensors(2, n_fft, gain=0.4, seed=5)
    networks = networks._replace(delays_samples=torch.tensor([[53.3, 72.6]], dtype=torch.float64))
    time = torch.arange(n_fft, dtype=torch.float64)
    gradients = []
    for sampled in (True, False):
        free = Parameters(*(x.clone().requires_grad_() for x in networks))
        response = (
            respond(free, n_fft, "cpu")[0] if sampled else fractional_loop(first_of(free), n_fft, taps=taps)
        )
        (torch.exp(-(((time - 90) / 20) ** 2)) * response).sum().backward()
        gradients.append(free)
    for name, one, two in zip(Parameters._fields, *gradients, strict=True):
        assert one.grad is not None
        assert two.grad is not None
        # Twice the ripple of the responses.
        assert relative_error(one.grad, two.grad) < 0.05, name


def test_a_response_folds_back_what_n_fft_does_not_hold() -> None:
    networks = tensors(3, 100, gain=0.9, longest=30.0, seed=6)
    networks = networks._replace(delays_samples=networks.delays_samples.round())
    whole = respond(networks, 4000)
    folded = respond(networks, 400)
    torch.testing.assert_close(folded, whole.unflatten(-1, (10, 400)).sum(-2), rtol=0, atol=1e-12)
    assert math.isclose(float(folded.sum()), float(whole.sum()), rel_tol=1e-9)
