"""The response of a network: what its forms promise beyond equal numbers, and when a GPU is trusted with it."""

from __future__ import annotations

import pytest
import torch
from ops_cases import GPU, relative_error
from torch import Tensor
from torch_networks import cast, tensors

from fdnlearn.fitting.problem import resolve_device
from fdnlearn.ops import launching
from fdnlearn.ops.dispatch import FORMS, get_form
from fdnlearn.ops.response import Parameters, cuda, impulse_response, reference, response


def place(form: str) -> torch.device:
    return GPU if form == "cuda" else torch.device("cpu")


def on(device: torch.device, networks: Parameters) -> Parameters:
    return Parameters(*(x.to(device) for x in networks))


def evaluate(form: str, networks: Parameters, n_fft: int) -> list[Tensor]:
    """Response and the gradients of a random projection of it, on the CPU."""
    free = Parameters(*(x.to(place(form)).requires_grad_() for x in networks))
    h = impulse_response(free, n_fft, form)
    direction = torch.randn(h.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float32)
    slopes = torch.autograd.grad((h * direction.to(h)).sum(), free)
    return [x.detach().cpu() for x in (h, *slopes)]


def test_it_is_the_gpu_form_that_is_tested() -> None:
    assert launching.interpreted() == (GPU.type == "cpu")


@pytest.mark.parametrize("form", FORMS["response"])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_types_are_as_documented(form: str, dtype: torch.dtype, inputs: int, outputs: int) -> None:
    n_fft = 33
    networks = on(place(form), tensors(4, n_fft, batch=3, inputs=inputs, outputs=outputs, dtype=dtype))
    with torch.no_grad():
        spectrum = response(networks, n_fft, form)
        impulse = impulse_response(networks, n_fft, form)
    assert spectrum.shape == (3, outputs, inputs, 17)
    assert spectrum.dtype == dtype.to_complex()
    assert impulse.shape == (3, outputs, inputs, n_fft)
    assert impulse.dtype == dtype


@pytest.mark.parametrize("form", FORMS["response"])
def test_delays_may_stay_in_double_beside_single_precision(form: str) -> None:
    networks = on(place(form), tensors(3, 64, dtype=torch.float32))
    delays = networks.delays_samples.double().requires_grad_()
    impulse = impulse_response(networks._replace(delays_samples=delays), 64, form)
    impulse.square().sum().backward()
    assert impulse.dtype == torch.float32
    assert delays.grad is not None
    assert delays.grad.dtype == torch.float64


@pytest.mark.parametrize("form", FORMS["response"])
def test_every_tensor_may_be_the_only_one_that_is_learned(form: str) -> None:
    networks = on(place(form), tensors(3, 64))
    only = networks._replace(input_gains=networks.input_gains.clone().requires_grad_())
    impulse_response(only, 64, form).sum().backward()
    assert only.input_gains.grad is not None
    assert all(x.grad is None for x in only if x is not only.input_gains)


@pytest.mark.parametrize("form", FORMS["response"])
def test_phases_of_thousands_of_turns_are_exact(form: str) -> None:
    """A delay of one second rings at its own place to single precision, on the reference in single too."""
    n_fft, delay = 1 << 18, 200_001.0
    one = torch.ones(1, 1)
    networks = Parameters(one[None], 0 * one, delay * one, one[None], one[None], 0 * one[None])
    impulse = impulse_response(on(place(form), networks), n_fft, form)[0, 0, 0].cpu()
    expected = torch.zeros(n_fft)
    expected[int(delay)] = 1
    assert float((impulse - expected).abs().max()) < 1e-6


def test_without_a_name_it_is_the_form_of_the_device() -> None:
    networks = tensors(3, 64)
    assert torch.equal(
        impulse_response(networks, 64), get_form("response", "cpu").impulse_response(networks, 64)
    )
    assert torch.equal(response(networks, 64), get_form("response", "cpu").response(networks, 64))


@pytest.mark.gpu_interpreter
def test_a_block_is_what_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of the size that a GPU gets, their seams and their padding."""
    networks = tensors(6, 301, batch=2, dtype=torch.float64)
    whole = evaluate("cuda", networks, 301)
    monkeypatch.setattr(launching, "block", lambda wanted: wanted)
    parts = evaluate("cuda", networks, 301)
    assert max(relative_error(a, b) for a, b in zip(parts, whole, strict=True)) < 1e-13


@pytest.mark.gpu_interpreter
def test_networks_of_a_batch_are_solved_in_the_precision_that_each_needs() -> None:
    networks = tensors(6, 900, batch=3, gain=0.9, longest=300.0, dtype=torch.float32)
    mixed = networks._replace(
        loop_gain=networks.loop_gain * torch.tensor([[1.0], [0.9995 / 0.9], [0.5]], dtype=torch.float32)
    )
    found = evaluate("cuda", mixed, 900)
    truth = evaluate("reference", cast(mixed, torch.float64), 900)
    for row in range(3):
        errors = [relative_error(a[row], b[row]) for a, b in zip(found, truth, strict=True)]
        assert max(errors) <= 1e-5, errors


@pytest.mark.gpu_interpreter
def test_a_device_is_trusted_that_gives_what_the_reference_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda.trusted.cache_clear()
    assert cuda.trusted(GPU.type)
    for wrong in (lambda *x: 1.001 * reference.response(*x), lambda *x: 1 / 0):
        cuda.trusted.cache_clear()
        with monkeypatch.context() as patched:
            patched.setattr(cuda, "response", wrong)
            assert not cuda.trusted(GPU.type)
    cuda.trusted.cache_clear()


def test_auto_is_a_gpu_only_where_it_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for trusted, chosen in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(cuda, "trusted", lambda trusted=trusted: trusted)
        assert resolve_device("auto").type == chosen
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
