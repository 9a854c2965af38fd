"""The network of the contract one sample at a time: slow, obvious, and used only to check the fast ways.

Both loops take the parameters of one network, without the axis of a batch, and return its impulse responses
(O, I, length).
"""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.ops.response import Parameters


def integer_loop(network: Parameters, length: int) -> Tensor:
    """``s_i[n + m_i] = sum_j U_ij g_j s_j[n] + sum_k B_ik x_k[n]``, ``y[n] = C s[n] + D x[n]``, whole delays."""
    matrix, loop_gain, delays_samples, input_gains, output_gains, direct_gains = network
    lines, inputs = input_gains.shape
    outputs = output_gains.shape[0]
    delays = [int(m) for m in delays_samples]
    y = torch.zeros(outputs, inputs, length, dtype=matrix.dtype)
    for k in range(inputs):
        s = torch.zeros(lines, length + max(delays), dtype=matrix.dtype)
        for n in range(length):
            x = 1.0 if n == 0 else 0.0
            y[:, k, n] = output_gains @ s[:, n] + direct_gains[:, k] * x
            fed = matrix @ (loop_gain * s[:, n]) + input_gains[:, k] * x
            for i, m in enumerate(delays):
                s[i, n + m] = fed[i]
    return y


def fractional_delay(delays_samples: Tensor, taps: int) -> Tensor:
    """Filters (N, taps) for n = 1 to `taps` that delay by m_i samples, `taps` even.

    The inverse DFT of ``e^{-jwm}`` below the Nyquist frequency, ``cos(pi m)`` there and the conjugate above has the
    closed form ``h[n] = sin(pi (n - m)) cot(pi (n - m) / L) / L`` (S.-C. Pei and Y.-C. Lai, "Closed form variable
    fractional time delay using FFT", IEEE Signal Processing Letters 19(5), 2012).
    """
    apart = torch.pi * (torch.arange(1, taps + 1, dtype=delays_samples.dtype) - delays_samples[:, None])
    # sin and tan vanish together where n = m: h = 1 there.
    away = torch.where(apart.abs() < 1e-9, torch.ones_like(apart), apart)
    return torch.where(apart.abs() < 1e-9, 1.0, torch.sin(away) / (taps * torch.tan(away / taps)))


def fractional_loop(network: Parameters, length: int, *, taps: int) -> Tensor:
    """The same network, every line a buffer of `taps` samples read through `fractional_delay`; differentiable."""
    matrix, loop_gain, delays_samples, input_gains, output_gains, direct_gains = network
    lines, inputs = input_gains.shape
    filters = fractional_delay(delays_samples, taps)[:, None]
    # buffer[i, k, n - 1] is what entered line i n samples ago, the impulse being at input k.
    buffer = torch.zeros(lines, inputs, taps, dtype=matrix.dtype)
    outputs = []
    for n in range(length):
        x = torch.eye(inputs, dtype=matrix.dtype) * (n == 0)
        s = (filters * buffer).sum(-1)
        outputs.append(output_gains @ s + direct_gains @ x)
        fed = matrix @ (loop_gain[:, None] * s) + input_gains @ x
        buffer = torch.cat((fed[..., None], buffer[..., :-1]), dim=-1)
    return torch.stack(outputs, dim=-1)
