"""How near the kernels come to what the machine can do: arithmetic and traffic against ceilings measured here.

    python benchmarks/roofline.py            the CPU's kernels, one thread
    python benchmarks/roofline.py --device   those of the GPU
    TRITON_INTERPRET=1 python benchmarks/roofline.py --device --tiny      whether that runs at all, without a GPU

Operations are those of the algorithm, eight a complex multiply-add: factor, two triangular solves twice, and the outer
product backwards; how a kernel really does it is its own affair. Traffic is what must go to memory once. Shortest of
many runs: what the machine can do when it is let.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

os.environ.update(dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numba
import numpy as np
import torch

#: Lines and bins.
SIZES = ((6, 8001), (6, 24001), (16, 8001), (16, 24001), (32, 8001))
#: Networks of a batch on a GPU.
BATCH = 64


@dataclass(frozen=True)
class Run:
    """Something that can be timed."""

    kernel: str
    lines: int
    bins: int
    go: Callable[[], Any]
    operations: float
    bytes_moved: float


def solve_and_adjoint(n: int, bins: int, batch: int = 1) -> Iterator[tuple[str, float, float]]:
    """Kernel, operations, bytes."""
    # Line outputs and adjoints, two parts each, are written by one and read by the other.
    moved = batch * bins * (16.0 * n + 8.0)
    yield "solve", batch * bins * 8.0 * (n**3 / 3 + 2 * n**2), moved
    yield "adjoint", batch * bins * 8.0 * n**2, moved


def on_the_cpu() -> Iterator[Run]:
    """The CPU's kernels on one network."""
    from fdnlearn.ops.response import elimination
    from fdnlearn.ops.response.lanes import LANES

    for n, bins in SIZES:
        rng = np.random.default_rng(0)
        u = np.linalg.qr(rng.standard_normal((n, n)))[0].astype(np.float32)[None]
        gain = np.full((1, n, 1), 0.9, np.float32)
        m = 100 + 900 * rng.random((1, n))
        b, c = np.ones((1, n, 1), np.float32), np.ones((1, 1, n), np.float32)
        kept = np.empty((4, 1, 1, n, -(-bins // LANES) * LANES), np.float32)
        h = np.empty((1, 1, 1, bins), np.complex64)
        parts = np.empty((1, -(-bins // elimination.BACKWARD_CHUNK), n, n + 4))
        none = np.empty((0, 0, 0), np.complex64)
        n_fft = 2 * (bins - 1)
        runs = {
            "solve": (elimination.solve, (u, gain, gain, m, b, c, n_fft, *kept, h)),
            "adjoint": (elimination.adjoint, (u, gain, gain, c, n_fft, *kept, np.ones_like(h), parts, none)),
        }
        for name, operations, moved in solve_and_adjoint(n, bins):
            kernel, arguments = runs[name]
            yield Run(name, n, bins, lambda k=kernel, a=arguments: k(*a), operations, moved)


def on_the_device(device: torch.device, sizes: tuple[tuple[int, int], ...], batch: int) -> Iterator[Run]:
    """The GPU's kernels on a batch of networks; sections of a loop filter, and the echo density, besides."""
    from fdnlearn.losses.echo_density import settings
    from fdnlearn.ops.echo import cuda as cuda_echo
    from fdnlearn.ops.filters import cuda as cuda_filters
    from fdnlearn.ops.response import Parameters, cuda

    for n, bins in sizes:
        generator = torch.Generator().manual_seed(0)
        u = torch.linalg.qr(torch.randn(batch, n, n, generator=generator))[0]
        m = 100 + 900 * torch.rand(batch, n, generator=generator)
        free = (u, torch.full((batch, n), 0.9), m, torch.ones(batch, n, 1), torch.ones(batch, 1, n))
        leaves = [x.to(device).requires_grad_() for x in free]
        n_fft = 2 * (bins - 1)
        network = Parameters(*leaves, torch.zeros(batch, 1, 1, device=device))
        h = cuda.response(network, n_fft)
        pull = torch.ones_like(h)
        runs: dict[str, Callable[[], Any]] = {
            "solve": lambda p=network, n_fft=n_fft: cuda.response(p, n_fft),  # type: ignore[misc]
            "adjoint": lambda h=h, f=leaves, p=pull: torch.autograd.grad(h, f, p, retain_graph=True),  # type: ignore[misc]
        }
        for name, operations, moved in solve_and_adjoint(n, bins, batch):
            yield Run(name, n, bins, runs[name], operations, moved)

    n, bins = sizes[0]
    sections = 9
    sos = torch.zeros(batch, n, sections, 6, dtype=torch.float64, device=device)
    sos[..., 0], sos[..., 3], sos[..., 5] = 1.0, 1.0, 0.1
    gains = torch.full((batch, n), 0.9, dtype=torch.float64, device=device)
    # Two polynomials and a complex quotient and product a section and bin; the response is written.
    yield Run(
        "filters", n, bins, lambda: cuda_filters.filter_response(gains, sos, 2 * (bins - 1), torch.complex64),
        batch * n * bins * sections * 30.0, batch * n * bins * 8.0,
    )  # fmt: skip

    how = settings(2 * (bins - 1), 16000.0, hop=16)
    h_t = torch.randn(batch, 1, 2 * (bins - 1), generator=torch.Generator().manual_seed(1)).to(device)
    # A square, a weight, an exponential and a quotient a sample of each window, over the samples that are read once.
    yield Run(
        "echo", 0, bins, lambda: cuda_echo.profile(h_t, how),
        batch * how.steepness.size * how.window.size * 12.0, batch * 2 * bins * 4.0,
    )  # fmt: skip


@numba.njit(fastmath=True)
def _multiply_add(x: np.ndarray, rounds: int) -> None:
    for _ in range(rounds):
        for i in range(x.size):
            y = x[i]
            y = y * 0.999 + 0.001
            y = y * 0.998 + 0.002
            y = y * 0.997 + 0.003
            y = y * 0.996 + 0.004
            y = y * 0.995 + 0.005
            y = y * 0.994 + 0.006
            y = y * 0.993 + 0.007
            y = y * 0.992 + 0.008
            x[i] = y


def ceilings_of_the_cpu() -> tuple[float, float]:
    """Single-precision operations and bytes a second of one thread: products, chains of multiply-adds; a copy."""
    a = np.ones((512, 512), np.float32)
    product = 2 * 512**3 / best(lambda: a @ a)
    x = np.ones(1024, np.float32)
    chain = 1000 * x.size * 16 / best(lambda: _multiply_add(x, 1000))
    source = np.ones(1 << 24, np.float32)
    copy = np.empty_like(source)
    return max(product, chain), 2 * source.nbytes / best(lambda: np.copyto(copy, source))


def ceilings_of(device: torch.device, size: int) -> tuple[float, float]:
    """The same of a GPU: matrix products in single precision proper, and a copy."""
    torch.backends.cuda.matmul.allow_tf32 = False
    a = torch.ones(size, size, device=device)
    out = torch.empty_like(a)
    product = 2 * size**3 / best(lambda: torch.mm(a, a, out=out), device)
    source = torch.ones(size * size * 4, device=device)
    copy = torch.empty_like(source)
    return product, 8 * source.numel() / best(lambda: copy.copy_(source), device)


def best(run: Callable[[], Any], device: torch.device | None = None, seconds: float = 1.5) -> float:
    """Shortest of many runs, each waited for."""
    wait = torch.cuda.synchronize if device is not None and device.type == "cuda" else (lambda: None)
    run()
    wait()
    found, deadline = [], time.perf_counter() + seconds
    while not found or time.perf_counter() < deadline:
        before = time.perf_counter()
        run()
        wait()
        found.append(time.perf_counter() - before)
    return min(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", action="store_true", help="of the GPU")
    parser.add_argument("--tiny", action="store_true", help="small enough for Triton's interpreter")
    options = parser.parse_args()
    gpu = torch.cuda.is_available()
    if options.device and not gpu and not options.tiny:
        sys.exit("roofline: no GPU here")
    device = torch.device("cuda" if options.device and gpu else "cpu")
    seconds = 0.1 if options.tiny else 1.5
    if not options.device:
        print(f"one thread, single precision; load {os.getloadavg()[0]:.1f}")
        peak, stream = ceilings_of_the_cpu()
        runs, waited = on_the_cpu(), None
    else:
        print(torch.cuda.get_device_name() if gpu else "Triton's interpreter")
        peak, stream = ceilings_of(device, 256 if options.tiny else 8192)
        sizes, batch = (((3, 201),), 2) if options.tiny else (SIZES, BATCH)
        runs, waited = on_the_device(device, sizes, batch), device
    print(f"ceilings: {peak / 1e9:.1f} GFLOP/s, {stream / 1e9:.1f} GB/s (copy, both ways)")
    heads = ("kernel", "lines", "bins", "ms", "GFLOP/s", "GB/s", "FLOP/byte", "of the roof")
    print("| " + " | ".join(heads) + " |\n|---" + "|---:" * (len(heads) - 1) + "|")
    for run in runs:
        taken = best(run.go, waited, seconds)
        rate, intensity = run.operations / taken, run.operations / run.bytes_moved
        print(
            f"| {run.kernel} | {run.lines or ''} | {run.bins} | {1e3 * taken:.2f} | {rate / 1e9:.1f} "
            f"| {run.bytes_moved / taken / 1e9:.1f} | {intensity:.1f} "
            f"| {100 * rate / min(peak, stream * intensity):.0f} % |",
            flush=True,
        )


if __name__ == "__main__":
    main()
