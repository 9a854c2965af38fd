"""Response and gradients of a banded network: sample by sample against frequency sampling, processor time of a call.

    python benchmarks/time_domain.py [--seconds 1] [--lines 16 32]

One row a number of lines, in one process, calls taking turns; medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from fdnlearn.fdn.families import peq_1
from fdnlearn.model.network import TIME_DOMAIN, Network

RATE_HZ = 48000
KNOTS_HZ = np.array([62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0])


def banded(lines: int) -> Network:
    """A network as a banded fit has one after its delays were rounded, in single precision."""
    generator = torch.Generator().manual_seed(0)
    delays = torch.linspace(300, 1700, lines, dtype=torch.float64).round()
    times = 0.6 + 0.4 * torch.rand(lines, 9, generator=generator, dtype=torch.float64)
    gains, sections = peq_1.sections(torch, KNOTS_HZ, times, delays, float(RATE_HZ))
    matrix = torch.linalg.qr(torch.randn(lines, lines, generator=generator))[0]

    def signs(*shape: int) -> torch.Tensor:
        return torch.where(torch.rand(*shape, generator=generator) < 0.5, -1.0, 1.0) / lines**0.5

    return Network(
        feedback_matrix=matrix[None].requires_grad_(),
        loop_gain=gains[None],
        delays_samples=delays[None].float(),
        input_gains=signs(1, lines, 1),
        output_gains=signs(1, 1, lines),
        direct_gains=torch.ones(1, 1, 1),
        loop_sos=sections[None].detach().requires_grad_(),
        whole=True,
    )


def median_ms(calls: dict[str, Callable[[], object]], repeats: int = 15) -> dict[str, float]:
    """Processor time of each call, in turns."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            started = time.process_time()
            call()
            found[name].append(1e3 * (time.process_time() - started))
    return {name: statistics.median(values[1:]) for name, values in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--lines", type=int, nargs="+", default=[16, 32])
    options = parser.parse_args()
    torch.set_num_threads(1)
    length = round(options.seconds * RATE_HZ)
    print(f"{options.seconds:g} s at {RATE_HZ} Hz, nine sections a line, processor time of a call in ms")
    for lines in options.lines:
        network = banded(lines)
        outer = torch.randn(1, 1, 1, length)

        def value(kernel: str, network: Network = network) -> None:
            with torch.no_grad():
                network.impulse_response(length, kernel)

        def both(kernel: str, network: Network = network, outer: torch.Tensor = outer) -> None:
            h = network.impulse_response(length, kernel)
            assert network.loop_sos is not None
            torch.autograd.grad((h * outer).sum(), [network.feedback_matrix, network.loop_sos])

        for name, call in (("response", value), ("response and gradients", both)):
            ms = median_ms({kernel: lambda k=kernel, c=call: c(k) for kernel in ("cpu", TIME_DOMAIN)})  # type: ignore[misc]
            print(
                f"{lines:>3} lines, {name:<22}: frequencies {ms['cpu']:.1f}, sample by sample {ms[TIME_DOMAIN]:.1f}, "
                f"ratio {ms[TIME_DOMAIN] / ms['cpu']:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
