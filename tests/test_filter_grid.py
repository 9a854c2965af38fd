"""Responses of sections on the CPU, interpolated from a grid: near enough to the exact ones, and pulled back alike."""

from __future__ import annotations

import pytest
import torch
from ops_cases import GPU, loop_filters

from fdnlearn.ops.dispatch import FORMS, get_form
from fdnlearn.ops.filters import filter_response, reference
from fdnlearn.ops.filters.cpu import DENSITY, grid_for


@pytest.mark.parametrize("n_fft", [48000, 60001])
def test_interpolated_responses_are_near_the_exact_ones(n_fft: int) -> None:
    gains, sos = loop_filters()
    assert grid_for(n_fft).bins.size < n_fft / 40
    found = filter_response(gains, sos, n_fft, torch.complex128)
    assert float((found - reference.filter_response(gains, sos, n_fft, torch.complex128)).abs().max()) < 2e-5


@pytest.mark.parametrize("n_fft", [2, 3, 16, 255, 256])
def test_short_transforms_are_exact(n_fft: int) -> None:
    assert n_fft // 2 <= DENSITY
    gains, sos = loop_filters(2)
    found = filter_response(gains, sos, n_fft, torch.complex128)
    torch.testing.assert_close(found, reference.filter_response(gains, sos, n_fft, torch.complex128))


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


@pytest.mark.parametrize("form", FORMS["filters"])
def test_filter_responses_keep_the_types_they_are_asked_for(form: str) -> None:
    device = GPU if form == "cuda" else torch.device("cpu")
    gains, sos = (x.to(device) for x in loop_filters(2))
    leaf = gains.reshape(1, 2).float().requires_grad_()
    h = get_form("filters", form).filter_response(leaf, sos.reshape(1, 2, -1, 6), 64, torch.complex64)
    assert (h.shape, h.dtype) == ((1, 2, 33), torch.complex64)
    h.abs().sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.dtype == torch.float32
