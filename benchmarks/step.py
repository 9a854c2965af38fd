"""A gradient step of this project against flamo's, on the same network, in one process, in turns.

One step: forward, broadband energy decay loss, backward, Adam; learnable delays, orthogonal matrix, gains and per-line
absorption in single precision. With ``--whole`` delays are whole and stay: the layer against flamo's integer delays.

``PYTHONPATH=/tmp/peers python benchmarks/step.py``; see benchmarks/README.md for how to get flamo. Without it the
script prints its own figures alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import os
import statistics
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import ModuleType

import numba
import numpy as np
import torch
from history import add_option, append
from torch import Tensor

from fdnlearn.fdn import FDN
from fdnlearn.fitting import FitConfig
from fdnlearn.fitting.descent import AdamState, advance, column_rates
from fdnlearn.fitting.problem import Problem, problem_for
from fdnlearn.layer import FeedbackDelayNetwork
from fdnlearn.losses.definitions import HOMOGENEOUS
from fdnlearn.losses.energy_decay import EnergyDecayTerm
from fdnlearn.losses.objective import objective_for
from fdnlearn.model import HomogeneousModel, Network
from fdnlearn.rir import Recording, Target, prepare_target

#: A step returns the loss it started from.
Step = Callable[[], float]

LEARNING_RATE = 0.01
REVERBERATION_TIME_S = 0.6
#: Seconds that a side works before it is the other's turn, and turns each.
TURN_S, TURNS = 0.4, 7


def target_at(sample_rate_hz: int) -> Target:
    """One second of decaying noise behind a direct sound."""
    t = np.arange(sample_rate_hz) / sample_rate_hz
    h = 0.1 * np.random.default_rng(0).standard_normal(t.size) * 10 ** (-3 * t / REVERBERATION_TIME_S)
    h[0] = 1.0
    recording = Recording("noise", "", sample_rate_hz, h[None], "synthetic")
    return prepare_target(recording, sample_rate_hz=sample_rate_hz)


def own_problem(lines: int, sample_rate_hz: int) -> Problem:
    """The problem of a fit, its loss cut down to the published energy decay and its bins to those of one second."""
    target = target_at(sample_rate_hz)
    problem = problem_for(
        target, FitConfig.for_model("homogeneous", lines=lines, sample_rate_hz=sample_rate_hz)
    )
    decay_alone = objective_for(target, HOMOGENEOUS, {"edc": 1.0})
    return dataclasses.replace(problem, objective=decay_alone, n_fft=sample_rate_hz)


def own_step(problem: Problem, free: Mapping[str, Tensor]) -> Step:
    """What a fit does in one iteration."""
    descent = AdamState.start(free)
    rates = LEARNING_RATE * column_rates(problem, free)
    return lambda: advance(descent, problem, free, None, rates)[0][0]


def own_whole_step(problem: Problem, start: Network) -> Step:
    """The module on whole delays, driven as flamo's are."""
    module = FeedbackDelayNetwork(
        FDN.from_arrays(
            sample_rate_hz=problem.target.sample_rate_hz,
            delays=start.delays_samples[0],
            feedback_matrix=start.feedback_matrix[0],
            input_gains=start.input_gains[0],
            output_gains=start.output_gains[0],
            direct_gains=start.direct_gains[0],
            line_gains=start.loop_gain[0],
        )
    )
    return driven(problem, lambda: module.impulse_response(problem.n_fft)[0, 0], list(module.parameters()))


def flamo_step(problem: Problem, start: Network, matrix: Tensor, dsp: ModuleType, system: ModuleType) -> Step:
    """Flamo's modules with the same initial network, `matrix` being its feedback matrix before the exponential.

    The delays are the only filter in the loop, which sends flamo's recursion down its fastest path, and the impulse
    enters as its spectrum, which saves flamo a transform.
    """
    n, n_fft, fs = problem.model.lines, problem.n_fft, problem.target.sample_rate_hz
    common = {"nfft": n_fft, "requires_grad": True}
    fed = dsp.Gain(size=(n, 1), **common)
    taken = dsp.Gain(size=(1, n), **common)
    mixing = dsp.Matrix(size=(n, n), matrix_type="orthogonal", **common)
    absorption = dsp.parallelGain(size=(n,), map=torch.sigmoid, **common)
    delays = dsp.parallelDelay(
        size=(n,), max_len=4000, fs=fs, unit=100, isint=start.whole, nfft=n_fft, requires_grad=not start.whole
    )
    fed.assign_value(start.input_gains[0])
    taken.assign_value(start.output_gains[0])
    mixing.assign_value(matrix)
    absorption.assign_value(torch.logit(start.loop_gain[0]))
    seconds = delays.sample2s(start.delays_samples[0])
    delays.assign_value(
        seconds if start.whole else seconds.expm1().log()
    )  # what is learned has a map, softplus
    loop = system.Recursion(fF=delays, fB=system.Series(OrderedDict(absorption=absorption, mixing=mixing)))
    network = system.Series(OrderedDict(fed=fed, loop=loop, taken=taken))
    direct = torch.nn.Parameter(start.direct_gains[0, 0, 0].clone())
    impulse = torch.ones(1, n_fft // 2 + 1, 1, dtype=torch.complex64)

    def h() -> Tensor:
        return torch.fft.irfft(network(impulse)[0, :, 0] + direct, n=n_fft)

    return driven(problem, h, [*network.parameters(), direct])


def driven(problem: Problem, response: Callable[[], Tensor], parameters: list[torch.nn.Parameter]) -> Step:
    """Adam on the loss of a response, all in stock torch."""
    adam = torch.optim.Adam([p for p in parameters if p.requires_grad and p.numel()], lr=LEARNING_RATE)
    decays = problem.objective.terms[0]
    assert isinstance(decays, EnergyDecayTerm)
    aim = decays.target
    goal = torch.from_numpy(aim.decay[0]).float()
    scale = goal.square().sum()

    def step() -> float:
        adam.zero_grad()
        decay = response().square().flip(0).cumsum(0).flip(0)[: aim.length : aim.hop]
        loss = (decay - goal).square().sum() / scale
        loss.backward()
        adam.step()
        return float(loss.detach())

    return step


def timed(step: Step, threads: int) -> tuple[float, list[float]]:
    """Median seconds of a step in one turn, and the losses it went through."""
    torch.set_num_threads(threads)
    times: list[float] = []
    losses: list[float] = []
    while sum(times) < TURN_S:
        before = time.perf_counter()
        losses.append(step())
        times.append(time.perf_counter() - before)
    return statistics.median(times), losses


def compare(
    lines: int,
    sample_rate_hz: int,
    modules: tuple[ModuleType, ModuleType] | None,
    threads: int,
    *,
    whole: bool = False,
) -> float:
    """Print one row of the table; the milliseconds of our step."""
    problem = own_problem(lines, sample_rate_hz)
    free = problem.draw(1, seed=0)
    model = problem.model
    assert isinstance(model, HomogeneousModel)
    start = model.network(free, model.delays(free["delay"]).round() if whole else None)
    # The kernels of this project use all cores themselves; torch's pool would only spin beside them.
    own = own_whole_step(problem, start) if whole else own_step(problem, free)
    sides: dict[str, tuple[Step, int]] = {"fdnlearn": (own, 1)}
    if modules is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sides["flamo"] = (flamo_step(problem, start, free["matrix"][0].clone(), *modules), threads)
    times: dict[str, list[float]] = {name: [] for name in sides}
    losses: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(TURNS + 1):
        for name, (step, count) in sides.items():
            seconds, went = timed(step, count)
            losses[name] += went
            if turn:  # the first turn compiles and fills caches
                times[name].append(1e3 * seconds)
    for name, went in losses.items():
        assert min(went) < 0.9 * went[0], f"{name} does not learn"
    row = [f"{lines:>5} {sample_rate_hz:>8}", *(f"{statistics.median(t):>12.2f}" for t in times.values())]
    if modules is not None:
        first, second = (went[0] for went in losses.values())
        assert abs(first / second - 1) < 0.02, f"not the same network: losses {first:g} and {second:g}"
        ratios = [b / a for a, b in zip(*times.values(), strict=True)]
        ours, theirs = (min(t) for t in times.values())
        spread = f"{min(ratios):.1f}-{max(ratios):.1f}"
        row.append(f"{statistics.median(ratios):>8.1f} {spread:>12} {theirs / ours:>8.1f}")
    print(" ".join(row), flush=True)
    return statistics.median(times["fdnlearn"])


def find_flamo() -> tuple[ModuleType, ModuleType] | None:
    """Flamo's `dsp` and `system`, if it is there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from flamo.processor import dsp, system
        except ImportError as error:
            print(f"flamo is not there ({error}): own figures alone")
            return None
    return dsp, system


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, nargs="+", default=[6, 16, 32])
    parser.add_argument("--rates", type=int, nargs="+", default=[16000, 48000])
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of both sides")
    parser.add_argument("--whole", action="store_true", help="whole delays, which are not learned")
    add_option(parser)
    options = parser.parse_args()
    # One response is one run of the loop, which is one core's; a second would only be waited for.
    numba.set_num_threads(1 if options.whole else options.threads)
    modules = find_flamo()
    names = ("numpy", "scipy", "numba", "torch", *(("flamo",) if modules else ()))
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    print(f"{options.threads} threads, load {os.getloadavg()[0]:.1f}; {versions}")
    print(f"1 s, one response, single precision, median of {TURNS} turns")
    head = f"{'lines':>5} {'rate/Hz':>8} {'fdnlearn/ms':>12}"
    print(head + (f" {'flamo/ms':>12} {'ratio':>8} {'from-to':>12} {'of best':>8}" if modules else ""))
    for sample_rate_hz in options.rates:
        for lines in options.lines:
            step_ms = compare(lines, sample_rate_hz, modules, options.threads, whole=options.whole)
            if options.record:
                kind = "whole step" if options.whole else "step"
                case = f"{kind} N={lines} {sample_rate_hz / 1000:g} kHz {options.threads} threads"
                append(case, step_ms, "ms")


if __name__ == "__main__":
    main()
