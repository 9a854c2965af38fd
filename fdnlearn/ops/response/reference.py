"""The reference kernel: stock torch solves, any dtype and device; the truth the fast kernels are held to."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def response(
    feedback_matrix: Tensor,
    loop_gain: Tensor,
    delays_samples: Tensor,
    input_gains: Tensor,
    output_gains: Tensor,
    n_fft: int,
) -> Tensor:
    """Frequency response of a feedback delay network; see `fdnlearn.ops.response.response` for shapes."""
    real = feedback_matrix.dtype
    bins = n_fft // 2 + 1
    k = torch.arange(bins, device=feedback_matrix.device)
    # The phase reaches thousands of radians: whole turns of the integer part go exactly, the rest is small.
    delays = delays_samples.double()[..., None]
    whole = delays.detach().floor()
    turns = (whole.long() * k % n_fft + (delays - whole) * k) / n_fft
    angle = (2 * math.pi * (turns - turns.detach().floor())).to(real)
    phase = torch.polar(torch.ones_like(angle), angle)
    gain = loop_gain[..., None] if not loop_gain.is_complex() else loop_gain
    mixing = feedback_matrix[:, None] * gain.movedim(-1, 1)[:, :, None, :]
    system = torch.diag_embed(phase.movedim(-1, 1)) - mixing.to(phase.dtype)
    rhs = input_gains[:, None].to(phase.dtype).expand(-1, bins, -1, -1)
    line_outputs = torch.linalg.solve(system, rhs)
    spectrum: Tensor = output_gains[:, None].to(phase.dtype) @ line_outputs
    return spectrum.movedim(1, -1)


def impulse_response(
    feedback_matrix: Tensor,
    loop_gain: Tensor,
    delays_samples: Tensor,
    input_gains: Tensor,
    output_gains: Tensor,
    direct_gains: Tensor,
    n_fft: int,
) -> Tensor:
    """Periodic impulse response (B,O,I,n_fft); see `fdnlearn.ops.response` for shapes."""
    spectrum = response(feedback_matrix, loop_gain, delays_samples, input_gains, output_gains, n_fft)
    h: Tensor = torch.fft.irfft(spectrum + direct_gains[..., None], n=n_fft)
    return h
