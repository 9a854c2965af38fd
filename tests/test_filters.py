"""Responses of sections on all bins: near enough to the exact ones, with the right gradients; and the transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from fdnlearn.fdn.families import peq_1
from fdnlearn.ops.filters.cpu import DENSITY, filter_response, grid_for
from fdnlearn.ops.fourier import irfft, rfft

KNOTS_HZ = np.array([62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0])


def loop_filters(lines: int = 5) -> tuple[Tensor, Tensor]:
    times = 0.3 + torch.rand(lines, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return peq_1.sections(
        torch, KNOTS_HZ, times, torch.linspace(300, 2000, lines, dtype=torch.float64), 48000.0
    )


def exact(gains: Tensor, sos: Tensor, n_fft: int) -> Tensor:
    z1 = torch.from_numpy(np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft))
    powers = torch.stack((torch.ones_like(z1), z1, z1 * z1))
    up, down = (part.to(powers.dtype) @ powers for part in (sos[..., :3], sos[..., 3:]))
    return gains[..., None] * (up / down).prod(dim=-2)


@pytest.mark.parametrize("n_fft", [48000, 60001])
def test_interpolated_responses_are_near_the_exact_ones(n_fft: int) -> None:
    gains, sos = loop_filters()
    assert grid_for(n_fft).bins.size < n_fft / 40
    found = filter_response(gains, sos, n_fft, torch.complex128)
    assert float((found - exact(gains, sos, n_fft)).abs().max()) < 2e-5


@pytest.mark.parametrize("n_fft", [2, 3, 16, 255, 256])
def test_short_transforms_are_exact(n_fft: int) -> None:
    assert n_fft // 2 <= DENSITY
    gains, sos = loop_filters(2)
    torch.testing.assert_close(filter_response(gains, sos, n_fft, torch.complex128), exact(gains, sos, n_fft))


@pytest.mark.long
def test_responses_have_the_right_gradients() -> None:
    gains, sos = (x.clone().requires_grad_() for x in loop_filters(2))

    def respond(gains: Tensor, coefficients: Tensor) -> Tensor:
        whole = torch.cat(
            (coefficients[..., :3], torch.ones_like(coefficients[..., :1]), coefficients[..., 3:]), -1
        )
        return filter_response(gains, whole, 64, torch.complex128)

    free = sos.detach()[..., [0, 1, 2, 4, 5]].clone().requires_grad_()
    assert torch.autograd.gradcheck(respond, (gains, free))


def test_the_interpolation_is_pulled_back_as_it_was_made() -> None:
    gains, sos = (x.clone().requires_grad_() for x in loop_filters(3))
    n_fft = 3000
    weight = torch.randn(
        3, n_fft // 2 + 1, generator=torch.Generator().manual_seed(2), dtype=torch.complex128
    )
    loss = (filter_response(gains, sos, n_fft, torch.complex128) * weight).real.sum()
    (slope,) = torch.autograd.grad(loss, gains)
    direct = (filter_response(gains, sos, n_fft, torch.complex128).detach() * weight).real.sum(
        -1
    ) / gains.detach()
    torch.testing.assert_close(slope, direct)


@pytest.mark.parametrize("n", [16, 17])
def test_transforms_are_those_of_torch_with_their_gradients(n: int) -> None:
    x = torch.randn(
        2, 3, n, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True
    )
    torch.testing.assert_close(rfft(x), torch.fft.rfft(x))
    torch.testing.assert_close(irfft(rfft(x), n), x)
    weight = torch.randn(2, 3, n // 2 + 1, dtype=torch.complex128, generator=torch.Generator().manual_seed(4))
    for ours, stock in ((rfft, torch.fft.rfft),):
        one, two = (torch.autograd.grad((f(x) * weight).real.sum(), x)[0] for f in (ours, stock))
        torch.testing.assert_close(one, two)
    spectrum = torch.fft.rfft(x.detach())

    def power(f: object, s: Tensor) -> Tensor:
        y: Tensor = f(s, n)  # type: ignore[operator]
        return (y * torch.arange(n)).square().sum()

    grads = []
    for f in (irfft, lambda s, size: torch.fft.irfft(s, n=size)):
        leaf = spectrum.clone().requires_grad_()
        # The imaginary part of the first and (for even lengths) the last bin has no effect on a real signal.
        grads.append(torch.autograd.grad(power(f, leaf), leaf)[0])
    torch.testing.assert_close(grads[0].real, grads[1].real)
    inner = slice(1, (n - 1) // 2 + 1)
    torch.testing.assert_close(grads[0].imag[..., inner], grads[1].imag[..., inner])
