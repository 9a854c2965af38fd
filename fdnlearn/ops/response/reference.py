"""The response by stock solves of torch, any dtype and device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fdnlearn.base.types import Complex, Float, shapes_checked
from fdnlearn.ops.response import Parameters


@shapes_checked
def response(network: Parameters, n_fft: int) -> Complex[Tensor, "batch outputs inputs bins"]:
    """Frequency response (B,O,I,K); see `fdnlearn.ops.response`."""
    real = network.feedback_matrix.dtype
    bins = n_fft // 2 + 1
    k = torch.arange(bins, device=network.feedback_matrix.device)
    # The phase reaches thousands of radians: whole turns of the integer part go exactly, the rest is small.
    delays = network.delays_samples.double()[..., None]
    whole = delays.detach().floor()
    turns = (whole.long() * k % n_fft + (delays - whole) * k) / n_fft
    angle = (2 * math.pi * (turns - turns.detach().floor())).to(real)
    phase = torch.polar(torch.ones_like(angle), angle)
    gain = network.loop_gain if network.loop_gain.is_complex() else network.loop_gain[..., None]
    mixing = network.feedback_matrix[:, None] * gain.movedim(-1, 1)[:, :, None, :]
    system = torch.diag_embed(phase.movedim(-1, 1)) - mixing.to(phase.dtype)
    rhs = network.input_gains[:, None].to(phase.dtype).expand(-1, bins, -1, -1)
    line_outputs = torch.linalg.solve(system, rhs)
    spectrum: Tensor = network.output_gains[:, None].to(phase.dtype) @ line_outputs
    return spectrum.movedim(1, -1)


@shapes_checked
def impulse_response(network: Parameters, n_fft: int) -> Float[Tensor, "batch outputs inputs samples"]:
    """Periodic impulse response (B,O,I,n_fft); see `fdnlearn.ops.response`."""
    return inverse(response(network, n_fft), network.direct_gains, n_fft)


@shapes_checked
def inverse(
    spectrum: Complex[Tensor, "batch outputs inputs bins"],
    direct_gains: Float[Tensor, "batch outputs inputs"],
    n_fft: int,
) -> Float[Tensor, "batch outputs inputs samples"]:
    """Impulse response of a frequency response and the direct gains."""
    h: Tensor = torch.fft.irfft(spectrum + direct_gains[..., None], n=n_fft)
    return h
