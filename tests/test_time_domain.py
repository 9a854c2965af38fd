"""A network run sample by sample is the network that is sampled in frequency, wherever its delays are whole."""

from __future__ import annotations

import dataclasses
import threading

import numba
import numpy as np
import pytest
import torch
from brief_fits import BRIEF_BANDED, check_valid
from ops_cases import loop_filters, randn, relative_error

from fdnlearn.base.errors import UsageError
from fdnlearn.base.handover import APART, come, finish, reached, wait
from fdnlearn.base.jit import jit
from fdnlearn.fitting import solve
from fdnlearn.fitting.problem import problem_for
from fdnlearn.model.network import TIME_DOMAIN, Network
from fdnlearn.ops.response import Parameters
from fdnlearn.ops.time_domain import run
from fdnlearn.rir import Target

LINES, LENGTH = 6, 3000
#: Long enough that nothing folds back.
N_FFT = 1 << 16
#: On so many bins the filters' spectra are interpolated, which leaves an error of up to 2e-5; what the loop itself is
#: held to is in `test_ops.py`.
BOUND = 2e-5


def network(
    kind: torch.dtype = torch.float64, *, late: tuple[int, ...] = (40,), whole: bool = True
) -> Network:
    """Two networks of two inputs and three outputs, with everything that a banded one has."""
    sections = loop_filters(LINES)[1][None].expand(2, -1, -1, -1).clone()
    tone = loop_filters(2)[1].clone()
    return Network(
        feedback_matrix=torch.linalg.qr(randn(2, LINES, LINES))[0].to(kind),
        loop_gain=torch.full((2, LINES), 0.8, dtype=torch.float64),
        delays_samples=torch.tensor([[50, 71, 83, 97, 101, 113], [47, 59, 67, 73, 89, 127]], dtype=kind),
        input_gains=randn(2, LINES, 2, seed=1).to(kind),
        output_gains=randn(2, 3, LINES, seed=2).to(kind),
        direct_gains=randn(2, 3, 2, seed=3).to(kind),
        loop_sos=sections,
        tone_sos=tone,
        late_delays_samples=late,
        tap_gains=randn(2, 3, 4, seed=4).to(kind),
        tap_positions=torch.arange(24).reshape(2, 3, 4),
        whole=whole,
    )


@pytest.mark.parametrize("late", [(0,), (40,), (10, 35)])
def test_the_whole_network_is_that_of_frequency_sampling(late: tuple[int, ...]) -> None:
    one = network(late=late)
    expected = one.impulse_response(N_FFT, "cpu")
    exact = one.impulse_response(LENGTH, TIME_DOMAIN)
    assert exact.shape == (2, 3, 2, LENGTH)
    assert relative_error(exact, expected[..., :LENGTH]) < BOUND
    single = network(torch.float32, late=late).impulse_response(LENGTH, TIME_DOMAIN)
    assert single.dtype == torch.float32
    assert relative_error(single, exact) < 1e-6


def test_every_parameter_has_the_gradient_of_frequency_sampling() -> None:
    gains = ("loop_gain", "input_gains", "output_gains", "direct_gains", "tap_gains")
    names = ("feedback_matrix", *gains, "loop_sos", "tone_sos")
    outer = randn(2, 3, 2, LENGTH, seed=5)
    slopes = {}
    for kernel, length in (("cpu", N_FFT), (TIME_DOMAIN, LENGTH)):
        plain = network()
        leaves = {name: getattr(plain, name).clone().requires_grad_() for name in names}
        h = dataclasses.replace(plain, **leaves).impulse_response(length, kernel)[..., :LENGTH]
        slopes[kernel] = torch.autograd.grad((h * outer).sum(), list(leaves.values()))
    for name, slope, expected in zip(names, slopes[TIME_DOMAIN], slopes["cpu"], strict=True):
        # A section's fourth coefficient is one.
        learned = [0, 1, 2, 4, 5] if name.endswith("sos") else slice(None)
        assert relative_error(slope[..., learned], expected[..., learned]) < 5 * BOUND, name


def test_where_delays_move_or_are_very_short_frequencies_are_sampled() -> None:
    moving = network(whole=False)
    assert torch.equal(moving.impulse_response(4096, TIME_DOMAIN), moving.impulse_response(4096))
    short = dataclasses.replace(network(), delays_samples=network().delays_samples - 40)
    assert torch.equal(short.impulse_response(4096, TIME_DOMAIN), short.impulse_response(4096))


@pytest.mark.fit
def test_a_fit_can_be_run_sample_by_sample(target: Target) -> None:
    config = BRIEF_BANDED.with_settings(kernel=TIME_DOMAIN, device="cpu")
    result = solve(target, config)
    check_valid(result, lines=4)
    assert result.loss < result.history[0].loss
    again = solve(target, config)
    assert again.fdn == result.fdn


def test_an_unknown_kernel_is_wrong_usage(target: Target) -> None:
    with pytest.raises(UsageError, match="unknown"):
        problem_for(target, BRIEF_BANDED.with_settings(kernel="nonsense"))


@pytest.mark.parametrize("shortest", [40, 70, 300])
@pytest.mark.parametrize("runs", [1, 3])
def test_any_number_of_threads_computes_the_same_bytes(shortest: int, runs: int) -> None:
    def results(threads: int) -> list[torch.Tensor]:
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            delays = torch.arange(shortest, shortest + 7 * LINES, 7.0)[None].requires_grad_()
            matrix = torch.linalg.qr(randn(LINES, LINES))[0][None].float().requires_grad_()
            inputs, outputs = (randn(*shape).float() for shape in ((1, LINES, 1), (1, 2, LINES)))
            sections = loop_filters(LINES)[1][None].clone().requires_grad_()
            parameters = Parameters(
                matrix, torch.full((1, LINES), 0.8), delays, inputs, outputs, torch.zeros(1, 2, 1)
            )
            h = run(parameters, sections, randn(1, runs, 1, 20).float(), LENGTH)
            return [h, *torch.autograd.grad((h * h).sum(), (matrix, delays, sections))]
        finally:
            numba.set_num_threads(before)

    alone = results(1)
    for threads in (2, 3):
        if threads <= numba.config.NUMBA_NUM_THREADS:
            for value, truth in zip(results(threads), alone, strict=True):
                assert torch.equal(value, truth)


@pytest.mark.parametrize("both_at_once", [False, True])
def test_a_second_stage_is_done_whether_anybody_comes_for_it_or_not(both_at_once: bool) -> None:
    counters, order = np.zeros(4 * APART, np.int64), np.zeros(2 * 50, np.int64)
    threads = [threading.Thread(target=steps, args=(counters, order)) for _ in range(2)]
    for thread in threads:
        thread.start()
        if not both_at_once:
            thread.join()
    for thread in threads:
        thread.join()
    assert order.tolist() == [*range(1, 51), *range(1, 51)]


@jit()
def steps(counters: np.ndarray, order: np.ndarray) -> None:
    """Of each of fifty steps: a first stage, then a second that needs the first, and the second of the step before."""
    count = order.size // 2
    leads = come(counters, 0) == 0
    begin, follows = 0, True
    if not leads:
        wait(counters, APART, 1)
        begin = reached(counters, APART) - 1
    for k in range(begin, count):
        if leads:
            order[k] = k + 1
            finish(counters, 2 * APART, k + 1)
            if follows and reached(counters, 0) > 1:
                follows = False
                finish(counters, APART, k + 1)
        if follows:
            if not leads:
                wait(counters, 2 * APART, k + 1)
            order[count + k] = order[k] if k == 0 else order[count + k - 1] + 1
            finish(counters, 3 * APART, k + 1)
    if leads and follows:
        finish(counters, APART, count + 1)
