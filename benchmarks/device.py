"""What fits cost on a GPU, and whether they come out as on the CPU.

    python benchmarks/device.py agreement    response and gradient of a step, first losses: device against CPU
    python benchmarks/device.py together     rooms a second and memory over how many go side by side
    python benchmarks/device.py one          seconds of one banded fit of 1 s at 48 kHz, sixteen lines
    python benchmarks/device.py fits         whole fits of the same rooms: medians of their errors, device against CPU
    python benchmarks/device.py all

``--device cpu`` shows what the scripts do where there is no GPU; agreement is then that of the CPU with itself.
``--rooms`` and ``--iterations`` make it short.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fdnlearn.fitting import FitConfig, Solution, solve, solve_many
from fdnlearn.fitting.descent import AdamState, advance, column_rates
from fdnlearn.fitting.problem import Problem, problem_for
from fdnlearn.rir import Recording, Target, prepare_target
from fdnlearn.runs import Job
from fdnlearn.runs.study.quantities import COMPARED, errors_of

RATES_HZ = {"homogeneous": 16000, "banded": 48000}
#: Bars of `agreement`: relative L2 of responses and of gradients.
RESPONSE_BAR, GRADIENT_BAR = 1e-5, 1e-4


def rooms_of(model: str, count: int) -> list[Target]:
    """Rooms of a second, T60 about half of it, over a floor at -75 dB."""
    rate = RATES_HZ[model]
    t = np.arange(rate) / rate
    found = []
    for number in range(count):
        rng = np.random.default_rng(number)
        h = 0.2 * rng.standard_normal(t.size) * 10 ** (-3 * t / (0.4 + 0.2 * rng.random()))
        h[0] = 1.0
        h += 10 ** (-75 / 20) * rng.standard_normal(t.size)
        recording = Recording(f"room {number}", "", rate, 0.5 * h[None], "synthetic")
        found.append(prepare_target(recording, sample_rate_hz=rate))
    return found


def config_of(model: str, options: argparse.Namespace, device: str | None = None) -> FitConfig:
    """A model's usual settings, shortened if asked for."""
    config = FitConfig.for_model(model, device=device or options.device)
    return config if options.iterations is None else config.with_settings(iterations=options.iterations)


def agreement(options: argparse.Namespace) -> None:
    """One step and the first losses."""
    for model in RATES_HZ:
        (target,) = rooms_of(model, 1)
        found = []
        for device in ("cpu", options.device):
            problem = problem_for(target, config_of(model, options, device))
            start = problem_for(target, config_of(model, options, "cpu")).draw(2, 0)
            free = {name: x.to(problem.device).requires_grad_() for name, x in start.items()}
            h = problem.responses(free, None)
            gradient = torch.autograd.grad(
                problem.objective(h)[0].sum(), list(free.values()), allow_unused=True
            )
            slopes = torch.cat([x.flatten().cpu() for x in gradient if x is not None])
            found.append((h.detach().cpu(), slopes, first_losses(problem, start)))
        (h, slopes, losses), (h_there, slopes_there, losses_there) = found
        apart = max(abs(b / a - 1) for a, b in zip(losses, losses_there, strict=True))
        print(
            f"{model:>12}: response {miss(h_there, h):.1e} (bar {RESPONSE_BAR}), gradient "
            f"{miss(slopes_there, slopes):.1e} (bar {GRADIENT_BAR}), first {len(losses)} losses {apart:.1e}",
            flush=True,
        )


def first_losses(problem: Problem, start: dict[str, Tensor]) -> list[float]:
    """Of five steps."""
    free = {name: x.to(problem.device) for name, x in start.items()}
    descent, rates = AdamState.start(free), 0.1 * column_rates(problem, free)
    return [advance(descent, problem, free, None, rates)[0][0] for _ in range(5)]


def miss(found: Tensor, expected: Tensor) -> float:
    """Relative L2."""
    return float((found - expected).norm() / expected.norm())


def together(options: argparse.Namespace) -> None:
    """Rooms a second of `solve_many`, from prepared targets to networks."""
    for model, most in (("homogeneous", options.rooms), ("banded", max(1, options.rooms // 4))):
        config = config_of(model, options)
        targets = rooms_of(model, most)
        solve_many(targets[:1], config.with_settings(iterations=8))
        group = max(1, most // 16)
        while group <= most:
            peak_memory_gb(reset=True)
            began = time.perf_counter()
            for first in range(0, most, group):
                found = solve_many(targets[first : first + group], config)
                assert all(isinstance(result, Solution) for result in found)
            seconds = time.perf_counter() - began
            print(
                f"{model:>12}: {group:>4} of {most} side by side: {most / seconds:.2f} rooms/s, "
                f"{peak_memory_gb():.2f} GB on the device",
                flush=True,
            )
            group *= 4


def peak_memory_gb(*, reset: bool = False) -> float:
    """Most that tensors took on the GPU since the last reset; 0 without one."""
    if not torch.cuda.is_available():
        return 0.0
    if reset:
        torch.cuda.reset_peak_memory_stats()
    return torch.cuda.max_memory_allocated() / 1e9


def one(options: argparse.Namespace) -> None:
    """Seconds of one banded fit, the kernels compiled before."""
    (target,) = rooms_of("banded", 1)
    config = config_of("banded", options).with_settings(lines=16)
    solve(target, config.with_settings(iterations=8))
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        result = solve(target, config)
        seconds.append(time.perf_counter() - began)
    print(
        f"banded, 1 s at 48 kHz, {result.fdn.lines} lines: {result.iterations} steps in "
        f"{statistics.median(seconds):.1f} s, {1e3 * statistics.median(seconds) / result.iterations:.1f} ms a step",
        flush=True,
    )


def fits(options: argparse.Namespace) -> None:
    """Medians over rooms of the errors of whole fits."""
    for model, count in (("homogeneous", min(options.rooms, 32)), ("banded", min(options.rooms, 8))):
        targets = rooms_of(model, count)
        medians = []
        for device in ("cpu", options.device):
            config = config_of(model, options, device)
            results = solve_many(targets, config)
            medians.append(median_errors(results))
        for compared in COMPARED:
            here, there = (found[compared.key] for found in medians)
            if here is None or there is None:
                continue
            worse = (there - here) / compared.step
            print(
                f"{model:>12}: {compared.quantity.symbol:>4} {here:.3g} on the CPU, {there:.3g} on the device: "
                f"{worse:+.2f} JND (bar 0.25)",
                flush=True,
            )


def median_errors(results: Sequence[object]) -> dict[str, float | None]:
    """By quantity, of the rooms in which it counts."""
    rows = []
    for result in results:
        assert isinstance(result, Solution)
        rows.append(errors_of(Job(result.config).evaluate(result).metrics))
    found: dict[str, float | None] = {}
    for compared in COMPARED:
        known = [row[compared.key] for row in rows if row[compared.key] is not None]
        found[compared.key] = statistics.median(known) if known else None  # type: ignore[type-var]
    return found


TABLES = {table.__name__: table for table in (agreement, together, one, fits)}


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("table", choices=[*TABLES, "all"])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--rooms", type=int, default=256)
    parser.add_argument("--iterations", type=int, help="of the last stage, instead of the usual number")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU here", flush=True)
    for name, table in TABLES.items():
        if options.table in (name, "all"):
            table(options)


if __name__ == "__main__":
    main()
