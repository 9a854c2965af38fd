"""Networks as a user of the layer gives them, and the plain sums that they are held to."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from ops_cases import randn
from torch import Tensor

from fdnlearn.layer import NetworkTensors, tap_response
from fdnlearn.ops.filters import reference as filters
from fdnlearn.ops.response import Parameters, response
from fdnlearn.ops.time_domain import reference

#: What gradients go to.
LEARNED = (
    "feedback_matrix",
    "input_gains",
    "output_gains",
    "direct_gains",
    "line_gains",
    "line_sos",
    "tone_sos",
    "early",
)


def sections(*shape: int, seed: int) -> Tensor:
    """Random stable sections (..., 6) in double, their gain at most one."""
    poles = 0.8 * torch.tanh(randn(*shape, 2, seed=seed))
    b = torch.stack(
        (torch.ones(shape, dtype=torch.float64), 0.2 * poles[..., 0], 0.1 * poles[..., 1]), dim=-1
    )
    a = torch.stack((-poles.sum(-1), poles.prod(-1)), dim=-1)
    a = torch.cat((torch.ones(*shape, 1, dtype=torch.float64), a), dim=-1)
    loudest = (torch.fft.rfft(b, 512).abs() / torch.fft.rfft(a, 512).abs()).amax(-1, keepdim=True)
    return torch.cat((b / (1.01 * loudest), a), dim=-1)


def given(
    delays: tuple[int, ...] = (40, 53, 67),
    *,
    batch: int = 2,
    inputs: int = 1,
    outputs: int = 1,
    line_sections: int = 2,
    tone_sections: int = 2,
    taps: int = 3,
    dtype: torch.dtype = torch.float64,
    **fields: Any,
) -> NetworkTensors:
    """A batch of networks with everything that there is; `fields` replace those made here."""
    n = len(delays)
    turned = [delays[b % n :] + delays[: b % n] for b in range(batch)]
    positions = torch.arange(batch * outputs * inputs * taps).reshape(batch, outputs, inputs, taps) * 7 % 23
    plain = {
        "feedback_matrix": torch.linalg.qr(randn(batch, n, n, seed=1))[0].to(dtype),
        "input_gains": randn(batch, n, inputs, seed=2).to(dtype),
        "output_gains": randn(batch, outputs, n, seed=3).to(dtype),
        "direct_gains": randn(batch, outputs, inputs, seed=4).to(dtype),
        "line_gains": 0.6 + 0.3 * torch.sigmoid(randn(batch, n, seed=5)),
        "line_sos": sections(batch, n, line_sections, seed=6) if line_sections else None,
        "tone_sos": sections(batch, tone_sections, seed=7) if tone_sections else None,
        "early": tap_response(positions, randn(batch, outputs, inputs, taps, seed=8).to(dtype))
        if taps
        else None,
        "late_delay_samples": 11,
        "pre_delay_samples": 5,
        "gain": -0.7,
    }
    return NetworkTensors(torch.tensor(turned), **(plain | fields))


def learned(network: NetworkTensors) -> dict[str, Tensor]:
    """The tensors that are there and have gradients."""
    return {name: x for name in LEARNED if (x := getattr(network, name)) is not None}


def of_network(network: NetworkTensors, b: int) -> NetworkTensors:
    """Network b of a batch alone."""
    own = {name: x[b : b + 1] for name, x in learned(network).items()}
    return dataclasses.replace(network, delays_samples=network.delays_samples[b : b + 1], **own)


def biquads(x: Tensor, sos: Tensor) -> Tensor:
    """Signals (..., T) through sections (S, 6), by the difference equation."""
    for b0, b1, b2, _, a1, a2 in sos.tolist():
        x1 = x2 = y1 = y2 = torch.zeros_like(x[..., 0])
        out = []
        for now in x.unbind(-1):
            y = b0 * now + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            x1, x2, y1, y2 = now, x1, y, y1
            out.append(y)
        x = torch.stack(out, dim=-1)
    return x


def sample_by_sample(network: NetworkTensors, audio: Tensor, length: int) -> Tensor:
    """What a network of a batch of one makes of audio (I, T), (O, length), as the contract says it."""
    plain = Parameters(
        network.feedback_matrix,
        network.line_gains,
        network.delays_samples.double(),
        network.input_gains,
        network.output_gains,
        network.direct_gains,
    )
    late = reference.run(plain, network.line_sos, audio[None, None], length)[0, 0]
    if network.tone_sos is not None:
        late = biquads(late, network.tone_sos[0])
    y = torch.zeros(network.outputs, length + 4096, dtype=audio.dtype)
    y[:, network.late_delay_samples : network.late_delay_samples + length] += late
    direct = network.direct_delay_samples
    y[:, direct : direct + audio.shape[1]] += network.direct_gains[0] @ audio
    if network.early is not None:
        for at, gains in enumerate(network.early[0].unbind(-1)):
            y[:, at : at + audio.shape[1]] += gains @ audio
    silence = torch.zeros(network.outputs, network.pre_delay_samples, dtype=audio.dtype)
    return network.gain * torch.cat((silence, y), dim=1)[:, :length]


def frequency_sampled(network: NetworkTensors, n_fft: int) -> Tensor:
    """Responses (B, O, I, n_fft) of networks without early part, by stock solves on all bins."""
    kind = torch.complex128
    assert network.line_sos is not None
    assert network.tone_sos is not None
    plain = Parameters(
        network.feedback_matrix,
        filters.filter_response(network.line_gains, network.line_sos, n_fft, kind),
        network.delays_samples.double(),
        network.input_gains,
        network.output_gains,
        network.direct_gains,
    )
    unity = torch.ones(len(network.tone_sos), dtype=torch.float64)
    tone = filters.filter_response(unity, network.tone_sos, n_fft, kind)
    late = response(plain, n_fft, "reference") * tone[:, None, None]
    turns = network.late_delay_samples * torch.arange(n_fft // 2 + 1) % n_fft / n_fft
    late = late * torch.exp(-2j * torch.pi * turns.to(kind))
    return torch.fft.irfft(late + network.direct_gains[..., None], n_fft)
