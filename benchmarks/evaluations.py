"""Candidates a second: the bare batched kernel and loss against the derivative-free methods as they are used.

``python benchmarks/evaluations.py``: N = 6, 16 kHz, a room of 1 s. After every generation of a real fit the same number
of candidates is evaluated without the fit around it, so that both see the same machine; medians.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time

import cma
import numba
import numpy as np
import pymoo
import torch

from fdnlearn.fitting import FitConfig, Progress, solve
from fdnlearn.fitting.problem import problem_for
from fdnlearn.fitting.threads import one_torch_thread
from fdnlearn.rir import Recording, Target, prepare_target

SAMPLE_RATE_HZ = 16000
SECONDS = 1.0
LINES = 6
BATCH = 100


def room() -> Target:
    """Exponentially decaying noise with a direct sound."""
    t = np.arange(round(SECONDS * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    h = 0.1 * np.random.default_rng(0).standard_normal(t.size) * 10.0 ** (-3.0 * t / SECONDS)
    h[0] = 0.5
    recording = Recording("noise", "0" * 64, SAMPLE_RATE_HZ, h[None], "float64")
    return prepare_target(recording, sample_rate_hz=SAMPLE_RATE_HZ)


def rates(target: Target, method: str, evaluations: int) -> tuple[float, float]:
    """Candidates a second of a method and of the bare kernel and loss."""
    config = FitConfig.for_model("homogeneous", method=method, lines=LINES, iterations=10**6)
    problem = problem_for(target, config)
    free = problem.draw(BATCH, 1)
    used, bare = [], []
    counted, left = 0, 0.0

    def evaluate() -> float:
        start = time.perf_counter()
        with torch.no_grad():
            problem.loss(free, None)
        return time.perf_counter() - start

    def callback(done: Progress) -> bool:
        nonlocal counted, left
        now, count = time.perf_counter(), done.evaluations or 0
        if done.iteration > 2:
            used.append((now - left) / (count - counted))
        if not bare or count // BATCH > len(bare):
            bare.append(evaluate() / BATCH)
        counted, left = count, time.perf_counter()
        return count >= evaluations

    with one_torch_thread(problem.device):
        evaluate()
        solve(target, config, callback)
    return 1 / statistics.median(used), 1 / statistics.median(bare)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=5000, help="candidates a method")
    evaluations = parser.parse_args().evaluations
    target = room()
    print(
        f"N = {LINES}, {SAMPLE_RATE_HZ} Hz, {target.length_samples / SAMPLE_RATE_HZ:.2f} s, {evaluations} candidates; "
        f"{numba.get_num_threads()} threads, {platform.processor() or platform.machine()}, Python "
        f"{platform.python_version()}, pymoo {pymoo.__version__}, cma {cma.__version__}"
    )
    print(f"{'method':>8} {'used':>8} {'bare':>8}  candidates a second; share")
    for method in ("genetic", "cmaes"):
        used, bare = rates(target, method, evaluations)
        print(f"{method:>8} {used:>8.0f} {bare:>8.0f}  {100 * used / bare:.0f} %")


if __name__ == "__main__":
    main()
