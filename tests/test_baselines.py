"""Methods without gradients: same call, same result, same promises as the gradient fit."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from brief_fits import stop_after
from command_line import QUICK, record, run
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import target_of

from fdnlearn.acoustics import room_parameters
from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import dumps_fdn, loads_fdn
from fdnlearn.fitting import Checkpointing, FitConfig, Progress, Solution, Status, loop, solve
from fdnlearn.fitting.baselines import analytic, classic, genes
from fdnlearn.fitting.baselines.cmaes import CmaEsStrategy
from fdnlearn.fitting.baselines.genetic import GeneticOptimiser, GeneticStrategy
from fdnlearn.fitting.baselines.orthogonal_designs import orthogonal_matrix
from fdnlearn.fitting.problem import problem_for
from fdnlearn.registry import MODELS
from fdnlearn.render import impulse_response
from fdnlearn.rir import Target

pytestmark = pytest.mark.fit

RATE_HZ = 8000
SEARCHES = ("genetic", "cmaes", "classic")
GENERATIONS = 8


@pytest.fixture(autouse=True)
def _few_individuals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classic, "POPULATION", 40)


@pytest.fixture
def target(make_room: Callable[..., FloatArray]) -> Target:
    return target_of(make_room(sample_rate_hz=RATE_HZ, seconds=0.25, reverberation_time_s=0.15), RATE_HZ)


def config(method: str, **changes: object) -> FitConfig:
    usual = {"lines": 3, "sample_rate_hz": RATE_HZ, "iterations": GENERATIONS}
    return FitConfig.for_model("homogeneous", method=method, **{**usual, **changes})


def same(one: Solution, other: Solution) -> bool:
    return dumps_fdn(one.fdn) == dumps_fdn(other.fdn) and one.loss == other.loss


@pytest.mark.parametrize("method", [*SEARCHES, "analytic"])
def test_every_method_returns_what_the_gradient_fit_returns(method: str, target: Target) -> None:
    seen: list[Progress] = []

    def callback(done: Progress) -> bool:
        seen.append(done)
        return False

    result = solve(target, config(method), callback)
    assert result.status is Status.COMPLETED
    assert tuple(seen) == result.history
    assert result.iterations == result.history[-1].iteration == result.history[-1].total_iterations
    assert loads_fdn(dumps_fdn(result.fdn)) == result.fdn
    assert all(delay.is_integer() for delay in result.fdn.delays_samples)
    assert result.fdn.lines == (16 if method == "classic" else 3)
    assert math.isfinite(result.loss)
    assert result.loss == result.history[-1].best_loss
    assert result.seconds == result.history[-1].seconds > 0
    assert not result.warnings
    assert (result.unsnapped is None) == (method in ("classic", "analytic"))
    assert result.fdn.gain == target.gain


@pytest.mark.last_bits
@pytest.mark.parametrize("method", [*SEARCHES, "analytic"])
def test_the_seed_decides(method: str, target: Target) -> None:
    global_state = np.random.get_state()[1]  # noqa: NPY002
    first, again, other = (solve(target, config(method, iterations=4, seed=seed)) for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)
    np.testing.assert_array_equal(np.random.get_state()[1], global_state)  # noqa: NPY002


@pytest.mark.last_bits
@pytest.mark.parametrize("method", SEARCHES)
@pytest.mark.parametrize("stop", [1, 6, GENERATIONS])
def test_an_interrupted_fit_resumes_as_if_nothing_had_been(
    method: str, stop: int, target: Target, tmp_path: Path
) -> None:
    """Before, across and after the rounding of the delays, and when all was done but the last word."""
    path = tmp_path / "checkpoint.safetensors"
    whole = solve(target, config(method))
    part = solve(target, config(method), stop_after(stop), Checkpointing(path))
    assert part.status is Status.INTERRUPTED
    assert part.iterations == stop
    assert all(delay.is_integer() for delay in part.fdn.delays_samples)
    resumed = solve(target, config(method), None, Checkpointing(path, resume=True))
    assert resumed.status is Status.COMPLETED
    assert same(resumed, whole)
    assert [p.best_loss for p in resumed.history] == [p.best_loss for p in whole.history]
    assert [p.evaluations for p in resumed.history] == [p.evaluations for p in whole.history]


@pytest.mark.parametrize("method", ["genetic", "cmaes"])
def test_a_fit_that_ends_before_its_delays_are_rounded_rounds_them(method: str, target: Target) -> None:
    result = solve(target, config(method), stop_after(2))
    assert any("before its delays were snapped" in warning for warning in result.warnings)
    assert result.unsnapped is not None
    np.testing.assert_allclose(result.fdn.delays_samples, result.unsnapped.delays_samples, atol=0.5)


def test_a_checkpoint_of_another_fit_is_refused(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    solve(target, config("genetic"), stop_after(2), Checkpointing(path))
    for other in (config("cmaes"), config("genetic", seed=1), config("classic"), config("analytic")):
        with pytest.raises(FdnlearnError, match="belongs to a fit with other settings"):
            solve(target, other, None, Checkpointing(path, resume=True))


def test_a_checkpoint_that_other_libraries_wrote_is_refused(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    solve(target, config("genetic"), stop_after(3), Checkpointing(path))
    ask = GeneticOptimiser.ask
    monkeypatch.setattr(GeneticOptimiser, "ask", lambda self: ask(self) + 1e-12)
    with pytest.raises(FdnlearnError, match="cannot be replayed by the installed optimisers; start again"):
        solve(target, config("genetic"), None, Checkpointing(path, resume=True))


@pytest.mark.parametrize("method", SEARCHES)
def test_the_budget_ends_the_fit_with_its_delays_rounded(
    method: str, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**9))
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    result = solve(target, config(method, iterations=10**6, budget_s=100.0))
    assert result.status is Status.BUDGET
    assert 80 <= result.seconds <= 105
    assert not result.warnings
    if method != "classic":
        share = sum(p.stage == "search" for p in result.history) / result.iterations
        wanted = {"genetic": GeneticStrategy(), "cmaes": CmaEsStrategy()}[method].search_share
        assert share == pytest.approx(wanted, abs=0.15)


def test_evaluations_are_counted(target: Target) -> None:
    population = GeneticStrategy().population
    for done in solve(target, config("genetic", iterations=3)).history:
        assert done.evaluations == done.iteration * population
    assert solve(target, config("classic", iterations=2)).history[-1].evaluations == 2 * classic.POPULATION
    counts = [p.evaluations or 0 for p in solve(target, config("cmaes", iterations=4)).history]
    assert counts[0] == MODELS["homogeneous"].restarts
    assert np.all(np.diff(counts) > 0)


@pytest.mark.last_bits
@pytest.mark.parametrize("method", SEARCHES)
def test_a_search_improves_on_what_it_began_with(method: str, target: Target) -> None:
    result = solve(target, config(method, iterations=30))
    searched = [p.best_loss for p in result.history if p.stage == result.history[0].stage]
    # What rounding costs, and how much of it so short a search regains, is chance.
    assert searched[-1] < 0.7 * searched[0]
    for stage in {p.stage for p in result.history}:
        best = [p.best_loss for p in result.history if p.stage == stage]
        assert best == sorted(best, reverse=True)


def test_all_methods_begin_where_the_gradient_fit_begins(target: Target) -> None:
    begun = {
        m: solve(target, config(m), stop_after(1)).history[0].loss for m in ("gradient", "genetic", "cmaes")
    }
    assert begun["cmaes"] == pytest.approx(begun["gradient"], rel=1e-4)
    assert begun["genetic"] <= begun["gradient"] * (1 + 1e-4)


@pytest.mark.parametrize("method", ["genetic", "cmaes"])
def test_delays_may_stay_fractional(method: str, target: Target) -> None:
    result = solve(target, config(method, delays="fractional"))
    assert not any(delay.is_integer() for delay in result.fdn.delays_samples)
    assert {p.stage for p in result.history} == {"search"}
    assert result.unsnapped is None


@pytest.mark.parametrize("method", [*SEARCHES, "analytic"])
@pytest.mark.parametrize("change", [{"iterations": 1}, {"iterations": 2}, {"lines": 1}, {"restarts": 1}])
def test_the_smallest_of_everything_works(method: str, change: dict[str, int], target: Target) -> None:
    assert math.isfinite(solve(target, config(method, **{"iterations": 3} | change)).loss)


@pytest.mark.parametrize("method", [*SEARCHES, "analytic"])
def test_every_channel_of_a_target_has_its_output(method: str, make_room: Callable[..., FloatArray]) -> None:
    room = make_room(sample_rate_hz=RATE_HZ, seconds=0.25, reverberation_time_s=0.15, channels=2)
    result = solve(target_of(room, RATE_HZ), config(method, iterations=2))
    assert np.asarray(impulse_response(result.fdn)).shape[0] == 2


@pytest.mark.parametrize(
    ("method", "package"), [("genetic", "pymoo"), ("classic", "pymoo"), ("cmaes", "cma")]
)
def test_a_missing_extra_is_one_clear_line(
    method: str, package: str, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf'needs {package}, .*; pip install "fdnlearn\[baselines\]"'):
        solve(target, config(method))
    done = run("fit", record(tmp_path / "room.wav"), "-o", tmp_path / "out", *QUICK, "--method", method)
    assert done.code == 2
    assert 'pip install "fdnlearn[baselines]"' in done.complaint


def test_the_loss_without_a_gradient_is_the_loss(target: Target) -> None:
    problem = problem_for(target, config("genetic"))
    free = problem.draw(4, 0)
    with torch.no_grad():
        bare, terms = problem.loss(free, None)
    loss, expected = problem.loss({name: t.clone().requires_grad_() for name, t in free.items()}, None)
    torch.testing.assert_close(bare, loss.detach(), rtol=1e-5, atol=1e-7)
    for name, term in expected.items():
        torch.testing.assert_close(terms[name].double(), term.double(), rtol=1e-5, atol=1e-7)


def test_genes_are_the_free_parameters_that_do_something(target: Target) -> None:
    problem = problem_for(target, config("genetic", lines=6))
    starts = problem.draw(16, 0)
    space = genes.Genes.around(starts)
    assert len(space.columns) == 15 + 4 * 6 + 1
    decoded = space.decode(space.encode(starts), problem.device)
    with torch.no_grad():
        expected, found = (problem.loss(free, None)[0] for free in (starts, decoded))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_candidates_that_diverge_are_the_worst(target: Target) -> None:
    problem = problem_for(target, config("genetic"))
    free = problem.draw(3, 0)
    free["output"][1] = torch.nan
    with torch.no_grad():
        losses, _ = genes.evaluate(problem, free)
    assert np.isfinite(losses).all()
    assert losses.argmax() == 1


def test_memory_decides_how_many_calls_a_population_takes(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = problem_for(target, config("genetic"))
    free = problem.draw(7, 0)
    with torch.no_grad():
        whole, terms = genes.evaluate(problem, free)
        monkeypatch.setattr(genes, "_BATCH_BYTES", 3 * 16 * problem.n_fft)
        assert genes.rows_at_once(problem) == 3
        parts, parts_terms = genes.evaluate(problem, free)
    np.testing.assert_array_equal(whole, parts)
    for name in terms:
        np.testing.assert_array_equal(terms[name], parts_terms[name])


class TestAnalytic:
    @pytest.mark.parametrize("time_s", [0.15, 0.5, 1.2])
    @pytest.mark.parametrize("lines", [6, 8])
    def test_the_decay_is_that_of_the_room(
        self, time_s: float, lines: int, make_room: Callable[..., FloatArray]
    ) -> None:
        room = make_room(sample_rate_hz=16000, seconds=1.3 * time_s, reverberation_time_s=time_s)
        fitted = solve(
            target_of(room, 16000), FitConfig.for_model("homogeneous", method="analytic", lines=lines)
        ).fdn
        np.testing.assert_allclose(fitted.reverberation_times_s, time_s, rtol=0.05)
        measured = room_parameters(np.asarray(impulse_response(fitted))[0], 16000, "none").broadband.t30_s
        assert measured == pytest.approx(time_s, rel=0.05)

    def test_level_and_direct_to_reverberant_ratio_are_those_of_the_room(self, target: Target) -> None:
        h = np.asarray(impulse_response(solve(target, config("analytic", lines=6)).fdn))[0] / target.gain
        assert np.square(h).sum() == pytest.approx(target.energy_decay[0, 0], rel=0.02)
        late = target.energy_decay[0, round(0.0025 * RATE_HZ)]
        assert h[0] ** 2 == pytest.approx(target.energy_decay[0, 0] - late, rel=1e-3)

    @given(mean=st.floats(1, 2000), lines=st.integers(1, 32))
    @settings(max_examples=25, deadline=None)
    def test_delays_are_different_whole_and_pairwise_coprime(self, mean: float, lines: int) -> None:
        delays = analytic.coprime_delays(mean, lines, 16000)
        assert delays.size == lines
        assert all(math.gcd(int(a), int(b)) == 1 for a, b in combinations(delays, 2))
        assert delays.min() >= 2

    @pytest.mark.parametrize("lines", [1, 2, 6, 16])
    def test_a_room_that_mixes_later_has_longer_delays(self, lines: int) -> None:
        means = [analytic.mean_delay_samples(t, lines) for t in (100.0, 300.0, 1000.0)]
        assert means == sorted(means)
        assert means[0] > 0

    @pytest.mark.parametrize("lines", [1, 2, 6, 8, 13])
    def test_the_matrix_is_orthogonal_and_hadamard_where_there_is_one(self, lines: int) -> None:
        matrix = orthogonal_matrix(lines, np.random.default_rng(0))
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(lines), atol=1e-12)
        if lines in (1, 2, 8):
            np.testing.assert_allclose(np.abs(matrix), 1 / math.sqrt(lines))


def test_the_classic_method_has_its_own_genes(target: Target) -> None:
    fitted = solve(target, config("classic", iterations=3)).fdn
    assert fitted.lines == 16
    np.testing.assert_allclose(np.abs(fitted.arrays.feedback_matrix), 0.25, atol=1e-7)
    delays_s = np.array(fitted.delays_samples) / RATE_HZ
    assert delays_s.min() >= 0.001
    assert delays_s.max() <= 0.25
    np.testing.assert_allclose(fitted.reverberation_times_s, target.reverberation_time_s, rtol=1e-6)
    assert np.abs(fitted.arrays.input_gains).max() <= 1
