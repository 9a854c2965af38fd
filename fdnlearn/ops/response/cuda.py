"""The response on the GPU: the kernels of `cuda_system` as differentiable operations.

Where ``TRITON_INTERPRET=1`` is set before Triton is imported, the very same kernels run on CPU tensors in Triton's
interpreter: that is how they are tested where there is no GPU.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from fdnlearn.base.types import Complex, Float, shapes_checked
from fdnlearn.ops import launching
from fdnlearn.ops.launching import language as tl
from fdnlearn.ops.response import SINGLE_PRECISION_LIMIT, Parameters, reference
from fdnlearn.ops.response.cuda_system import _adjoint, _solve


def _parts(gain: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Real and imaginary part of a loop gain; of a flat one, itself twice."""
    if not gain.is_complex():
        real = gain.detach().to(dtype).contiguous()
        return real, real
    both = torch.view_as_real(gain.detach().resolve_conj()).to(dtype)
    return both[..., 0].contiguous(), both[..., 1].contiguous()


#: Lines, padded -> bins of a program and its warps, in single and in double precision: as many as keep the systems in
#: registers (`tests/test_kernels_compile.py`).
_TILES = {
    1: ((32, 1), (32, 1)),
    2: ((32, 1), (32, 1)),
    4: ((32, 1), (32, 1)),
    8: ((32, 1), (16, 1)),
    16: ((8, 1), (4, 4)),
    32: ((4, 4), (2, 8)),
}
_LARGE_TILE = ((2, 8), (1, 16))
#: Most lines whose elimination is unrolled.
_UNROLLED = 16


def _tile(lines: int, wide: bool) -> dict[str, int]:
    """Block and warps for a padded number of lines."""
    block, warps = _TILES.get(lines, _LARGE_TILE)[wide]
    return {"BLOCK": launching.block(block), "num_warps": warps}


def _shape(matrix: Tensor, inputs: Tensor, outputs: Tensor, gain: Tensor) -> dict[str, Any]:
    """What both kernels are specialised for."""
    n = matrix.shape[1]
    return {
        "N": n,
        "LINES": launching.power_of_two(n),
        "INS": inputs.shape[2],
        "OUTS": outputs.shape[1],
        "PER_BIN": gain.is_complex(),
    }


def _forward(ctx: Any, tensors: tuple[Tensor, ...], n_fft: int) -> Tensor:
    """Run the forward kernel, keep on `ctx` what the adjoint needs and return H (B,O,I,K)."""
    matrix, gain, delays, inputs, outputs = (x.detach() for x in tensors)
    matrix, inputs, outputs = matrix.contiguous(), inputs.contiguous(), outputs.contiguous()
    dtype, bins = matrix.dtype, n_fft // 2 + 1
    shape = _shape(matrix, inputs, outputs, gain)
    batch, n, n_in, n_out = matrix.shape[0], shape["N"], shape["INS"], shape["OUTS"]
    keep = any(ctx.needs_input_grad)
    room: dict[str, Any] = {"dtype": dtype, "device": matrix.device}
    s = torch.empty((2, batch, n_in, n, bins) if keep else (2, 1), **room)
    adjoints = torch.empty((2, batch, n_out, n, bins) if keep else (2, 1), **room)
    h = torch.empty((batch, n_out, n_in, bins, 2), **room)
    # As on the CPU: near a loop gain of one, single precision would lose what the kernel is held to. Which networks
    # that is stays on the device: both launches go to all of them, and to ask would be to wait.
    loudest = gain.abs().reshape(batch, -1).amax(1)
    wide = (loudest > (SINGLE_PRECISION_LIMIT if dtype == torch.float32 else -1.0)).to(torch.int32)
    gain_re, gain_im = _parts(gain, dtype)
    for kind in (tl.float32, tl.float64) if dtype == torch.float32 else (tl.float64,):
        double = kind == tl.float64
        tile = _tile(shape["LINES"], double)
        _solve[batch, launching.blocks(bins, tile["BLOCK"])](
            matrix, gain_re, gain_im, delays.double().contiguous(), inputs, outputs, wide, *s, *adjoints, h,
            n_fft, bins, **shape, **tile, KEEP=keep, DTYPE=kind, UNROLL=n <= _UNROLLED and not double,
        )  # fmt: skip
    if keep:
        ctx.saved = (matrix, gain_re, gain_im, outputs, s, adjoints, n_fft, shape)
    ctx.delay_dtype = delays.dtype
    return torch.view_as_complex(h)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the five tensors from the one of H."""
    matrix, gain_re, gain_im, outputs, s, adjoints, n_fft, shape = ctx.saved
    batch, n, n_in, n_out = matrix.shape[0], shape["N"], shape["INS"], shape["OUTS"]
    bins, dtype = n_fft // 2 + 1, matrix.dtype
    tile = _tile(shape["LINES"], dtype == torch.float64)
    chunks = launching.blocks(bins, tile["BLOCK"])
    room: dict[str, Any] = {"dtype": dtype, "device": matrix.device}
    parts = torch.empty((batch, chunks, n, n + 2 + n_in + n_out), **room)
    d_gain = torch.empty((batch, n, bins, 2) if shape["PER_BIN"] else (1,), **room)
    g = torch.view_as_real(grad.resolve_conj()).to(dtype).contiguous()
    _adjoint[batch, chunks](
        matrix, gain_re, gain_im, outputs, *s, *adjoints, g, parts, d_gain, bins, chunks, **shape, **tile,
        DTYPE=tl.float64 if dtype == torch.float64 else tl.float32,
    )  # fmt: skip
    sums = parts.sum(1, dtype=torch.float64).to(dtype)
    return (
        sums[..., :n],
        torch.view_as_complex(d_gain) if shape["PER_BIN"] else sums[..., n],
        (sums[..., n + 1].double() * (2 * math.pi / n_fft)).to(ctx.delay_dtype),
        sums[..., n + 2 : n + 2 + n_in],
        sums[..., n + 2 + n_in :].transpose(1, 2),
    )


class _FrequencyResponse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, n_fft: int, *tensors: Tensor) -> Tensor:
        return _forward(ctx, tensors, n_fft)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, *_backward(ctx, grad)


@shapes_checked
def response(network: Parameters, n_fft: int) -> Complex[Tensor, "batch outputs inputs bins"]:
    """Frequency response (B,O,I,K); see `fdnlearn.ops.response`."""
    result: Tensor = _FrequencyResponse.apply(n_fft, *network[:5])
    return result


@shapes_checked
def impulse_response(network: Parameters, n_fft: int) -> Float[Tensor, "batch outputs inputs samples"]:
    """Periodic impulse response (B,O,I,n_fft); see `fdnlearn.ops.response`."""
    return reference.inverse(response(network, n_fft), network.direct_gains, n_fft)


@functools.cache
def trusted(device: str = "cuda") -> bool:
    """Whether the kernels run on a device and give there what the reference gives: tried once, on a small network."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.linalg.qr(torch.randn(1, 6, 6, generator=generator, dtype=torch.float64))[0]
    gains = torch.rand(3, 1, 6, generator=generator, dtype=torch.float64)
    shaped = (0.9 * gains[0], 2 + 60 * gains[1], gains[2][..., None], gains[0][:, None] - 0.5)
    forms: tuple[tuple[Any, torch.dtype], ...] = (
        (response, torch.float32),
        (reference.response, torch.float64),
    )
    results = []
    try:
        for respond, dtype in forms:
            free = [x.to(device, dtype).requires_grad_() for x in (matrix, *shaped)]
            h = respond(Parameters._make((*free, torch.zeros(1, 1, 1))), 400)
            slopes = torch.autograd.grad(h.abs().square().sum(), free)
            results.append([x.detach().cpu().to(torch.complex128) for x in (h, *slopes)])
    # Whatever a driver or compiler says: it does not work here.
    except Exception:
        return False
    return all(float((a - b).norm() / b.norm()) < 1e-4 for a, b in zip(*results, strict=True))
