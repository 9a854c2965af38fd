"""Random networks as tensors, for the tests of the operations and of the model."""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.ops.response import Parameters


def tensors(
    lines: int,
    n_fft: int,
    *,
    batch: int = 1,
    inputs: int = 1,
    outputs: int = 1,
    per_bin: bool = False,
    gain: float = 0.9,
    longest: float = 40.0,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> Parameters:
    """Random networks whose loop gains reach `gain`, numbers rounded to `dtype`; `per_bin` gains are complex."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, generator=generator, dtype=torch.float64)

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=generator, dtype=torch.float64)

    loop_gain = gain * (1 - 0.3 * uniform(lines))
    loop_gain[:, 0] = gain
    if per_bin:
        bins = n_fft // 2 + 1
        loop_gain = torch.polar(
            loop_gain[..., None] * (1 - 0.5 * uniform(lines, bins)), 6 * uniform(lines, bins)
        )
    networks = Parameters(
        feedback_matrix=torch.linalg.qr(normal(lines, lines))[0],
        loop_gain=loop_gain,
        delays_samples=2 + (longest - 2) * uniform(lines),
        input_gains=normal(lines, inputs) / lines**0.5,
        output_gains=normal(outputs, lines) / lines**0.5,
        direct_gains=normal(outputs, inputs),
    )
    return cast(networks, dtype)


def cast(networks: Parameters, dtype: torch.dtype) -> Parameters:
    """The same numbers in another precision."""
    return Parameters(*(x.to(dtype.to_complex() if x.is_complex() else dtype) for x in networks))


def first_of(networks: Parameters) -> Parameters:
    """The first network of a batch, its tensors without the axis of the batch."""
    return Parameters(*(x[0] for x in networks))
