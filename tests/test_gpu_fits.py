"""Fits through the GPU's forms: on a GPU where there is one, else in Triton's interpreter, on small sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from brief_fits import BRIEF, BRIEF_BANDED
from ops_cases import GPU, relative_error
from targets import target_of

from fdnlearn.base.types import FloatArray
from fdnlearn.fitting import FitConfig
from fdnlearn.fitting.batch import ProblemBatch
from fdnlearn.fitting.descent import AdamState, advance, column_rates
from fdnlearn.fitting.problem import problem_for
from fdnlearn.rir import Target

pytestmark = pytest.mark.gpu_interpreter


@pytest.mark.parametrize("config", [BRIEF, BRIEF_BANDED])
def test_rooms_side_by_side_have_the_losses_they_have_alone(
    make_room: Callable[..., FloatArray], config: FitConfig
) -> None:
    """Through the GPU's kernel, and on a GPU through all that the loss runs there."""
    targets = [
        target_of(make_room(sample_rate_hz=8000, seconds=0.3, reverberation_time_s=time_s), 8000)
        for time_s in (0.22, 0.225)
    ]
    config = config.with_settings(kernel="cuda", device=GPU.type)
    problems = [problem_for(target, config) for target in targets]
    longest = max(problem.n_fft for problem in problems)
    batch = ProblemBatch(tuple(replace(problem, n_fft=longest) for problem in problems))
    free = batch.draw(2, 0)
    for tensor in free.values():
        tensor.requires_grad_()
    loss, _ = batch.loss(free, None)
    loss.sum().backward()
    for room, problem in enumerate(batch.problems):
        alone = {name: tensor.requires_grad_() for name, tensor in problem.draw(2, 0).items()}
        expected, _ = problem.loss(alone, None)
        expected.sum().backward()
        assert relative_error(loss[room::2].detach(), expected.detach()) < 1e-4
        for name in ("delay", "matrix", "output"):
            found, slope = free[name].grad, alone[name].grad
            assert found is not None
            assert slope is not None
            assert relative_error(found[room::2], slope) < 1e-3, name


def test_a_descent_goes_the_same_way(target: Target) -> None:
    """In double, over the first steps: a loss of magnitudes amplifies rounding a hundredfold with each of them.

    After eight steps even the CPU's kernel and the reference have parted.
    """
    losses = []
    for kernel in ("reference", "cuda"):
        problem = problem_for(target, BRIEF.with_settings(kernel=kernel, device=GPU.type))
        free = {name: x.double() for name, x in problem.draw(1, 0).items()}
        descent, rates = AdamState.start(free), 0.1 * column_rates(problem, free)
        losses.append([advance(descent, problem, free, None, rates)[0][0] for _ in range(5)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert min(losses[1]) < 0.8 * losses[1][0]
