"""What the comparison computes from its fits, against references worked out otherwise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_data import make_document
from scipy import stats

from fdnlearn.acoustics.values import Measurement
from fdnlearn.fitting import Progress, Solution, Status
from fdnlearn.runs.study.curves import curve_of, median_curves
from fdnlearn.runs.study.pairs import FEWEST_ROOMS, LEVEL, held_against
from fdnlearn.runs.study.quantities import COMPARED, errors_of
from fdnlearn.runs.study.statistics import (
    bootstrap_interval,
    compare_pairs,
    finite,
    holm,
    rank_biserial,
    signed_rank_p,
)

#: Distinct magnitudes: no ties.
differences = st.lists(st.integers(1, 10**6), min_size=1, max_size=8, unique=True).flatmap(
    lambda sizes: st.tuples(*(st.sampled_from((-float(size), float(size))) for size in sizes))
)


class TestStatistics:
    def test_six_rooms_all_better_give_the_smallest_possible_p(self) -> None:
        assert signed_rank_p(np.arange(1.0, 7.0)) == pytest.approx(2 / 2**6)

    @given(differences)
    @settings(max_examples=50, deadline=None)
    def test_p_is_the_share_of_sign_patterns_that_are_as_extreme(self, values: tuple[float, ...]) -> None:
        ranks = stats.rankdata(np.abs(values))
        total = ranks.sum()
        sums = [float(np.dot(ranks, s)) for s in itertools.product((0, 1), repeat=len(values))]
        found = float(ranks[np.array(values) > 0].sum())
        as_extreme = [s for s in sums if abs(s - total / 2) >= abs(found - total / 2) - 1e-9]
        assert signed_rank_p(np.array(values)) == pytest.approx(len(as_extreme) / len(sums))

    def test_equal_pairs_say_nothing(self) -> None:
        paired = compare_pairs([1.0, 2.0, math.inf], [1.0, 2.0, math.inf])
        assert (paired.p, paired.effect, paired.median_difference) == (1.0, 0.0, 0.0)

    def test_effect_is_the_favourable_minus_the_unfavourable_share_of_the_ranks(self) -> None:
        # Ranks 1, 2, 3, 4 with the second unfavourable: (1 + 3 + 4 - 2) / 10.
        assert rank_biserial(np.array([1.0, -2.0, 3.0, 4.0])) == pytest.approx(0.6)
        assert rank_biserial(np.array([0.5, 7.0])) == 1.0

    @given(differences)
    @settings(max_examples=30, deadline=None)
    def test_effect_turns_its_sign_with_the_roles(self, values: tuple[float, ...]) -> None:
        assert rank_biserial(-np.array(values)) == pytest.approx(-rank_biserial(np.array(values)))

    def test_holm_by_hand(self) -> None:
        # 0.005 * 4, 0.01 * 3, 0.03 * 2, then 0.04 * 1 raised to the one before.
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
        assert holm([]) == []

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.sampled_from([0.01, 0.05, 0.2]))
    def test_holm_rejects_what_the_step_down_procedure_rejects(self, ps: list[float], level: float) -> None:
        adjusted = holm(ps)
        assert all(p <= a <= 1.0 for p, a in zip(ps, adjusted, strict=True))
        going_on, rejected = True, 0
        for done, p in enumerate(sorted(ps)):
            going_on = going_on and min(1.0, (len(ps) - done) * p) <= level
            rejected += going_on
        assert sum(a <= level for a in adjusted) == rejected

    def test_the_interval_is_that_of_resampled_medians_and_repeats(self) -> None:
        rng = np.random.default_rng(5)
        sample = rng.normal(1.0, 1.0, 25)
        interval = bootstrap_interval(sample)
        assert interval == bootstrap_interval(sample)
        medians = np.median(rng.choice(sample, (20000, 25)), axis=1)
        np.testing.assert_allclose(interval, np.quantile(medians, [0.025, 0.975]), atol=0.12)

    def test_one_room_has_no_interval(self) -> None:
        assert bootstrap_interval(np.array([1.0])) is None

    def test_a_miss_ranks_last_and_is_no_number(self) -> None:
        paired = compare_pairs([1.0, 1.0, 1.0], [math.inf, math.inf, 1.5])
        assert paired.median_difference == math.inf
        assert paired.effect == 1.0
        assert paired.interval is not None
        assert paired.interval[1] == math.inf
        assert rank_biserial(finite([math.inf, -1.0])) == pytest.approx(1 / 3)

    def test_what_is_not_paired_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no pairs"):
            compare_pairs([1.0], [1.0, 2.0])
        with pytest.raises(ValueError, match="no pairs"):
            compare_pairs([], [])


class TestPairs:
    def errors(self, own: Sequence[float], rival: Sequence[float]) -> dict[str, Any]:
        return {c.key: (own, rival) for c in COMPARED}

    def test_a_method_that_is_better_everywhere_passes(self) -> None:
        own = [0.1 + 0.01 * room for room in range(10)]
        found = held_against("a", "b", self.errors(own, [20.0 + e * e for e in own]))
        assert found["judged"] == found["better_on"] == 6
        assert found["never_worse"] is True
        assert found["quantities"]["t30"]["p_holm"] == pytest.approx(6 * 2 / 2**10)
        turned = held_against("b", "a", self.errors([20.0 + e * e for e in own], own))
        assert turned["worse_on"] == 6
        assert turned["never_worse"] is False

    def test_a_quarter_of_a_jnd_decides_between_worse_and_not(self) -> None:
        tolerance = {c.key: c.tolerance for c in COMPARED}
        assert tolerance == {
            "t20": 1.25, "t30": 1.25, "edt": 1.25, "c80": 0.25, "d50": 1.25, "ts": 2.5, "edc": 0.25, "edp": 0.025,
        }  # fmt: skip
        for key, limit in tolerance.items():
            for step, worse in ((0.9 * limit, False), (1.1 * limit, True)):
                found = held_against("a", "b", self.errors([1.0 + step], [1.0]))
                assert found["quantities"][key]["worse_median"] is worse

    def test_only_judged_quantities_are_corrected_and_summed_up(self) -> None:
        found = held_against("a", "b", self.errors([1.0, 2.0], [3.0, 5.0]))
        for key in ("edt", "ts"):
            assert found["quantities"][key]["p"] is not None
            assert found["quantities"][key]["p_holm"] is None
            assert found["quantities"][key]["finding"] is None
        assert found["judged"] == 6

    def test_quantities_that_count_nowhere_are_left_out(self) -> None:
        found = held_against("a", "b", {**self.errors([1.0], [2.0]), "t30": ([], [])})
        assert found["judged"] == 5
        assert found["quantities"]["t30"]["rooms"] == 0
        nothing = held_against("a", "b", self.errors([], []))
        assert (nothing["judged"], nothing["never_worse"]) == (0, None)

    def test_two_methods_that_miss_alike_are_equal(self) -> None:
        found = held_against("a", "b", self.errors([math.inf] * 3, [math.inf] * 3))
        assert found["never_worse"] is True
        assert found["quantities"]["edc"]["finding"] == "no worse"

    def test_fewer_rooms_than_the_least_cannot_be_significant(self) -> None:
        assert 6 * 2.0 ** (1 - FEWEST_ROOMS) < LEVEL <= 6 * 2.0 ** (2 - FEWEST_ROOMS)


class TestCurves:
    def history(self, count: int, rows: int | None = 1) -> tuple[Progress, ...]:
        return tuple(
            Progress(i, count, "s", 0.01 * i, 1 / i, 1 / i, {}, None if rows is None else rows * i)
            for i in range(1, count + 1)
        )

    def result(self, history: tuple[Progress, ...]) -> Solution:
        return Solution(None, None, None, None, Status.BUDGET, 0.25, len(history), 30.0, history)  # type: ignore[arg-type]

    def test_a_long_history_is_thinned_out_and_keeps_its_ends(self) -> None:
        curve = curve_of(self.result(self.history(3000, rows=16)))
        assert len(curve["loss"]) == len(curve["seconds"]) == len(curve["evaluations"]) < 250
        assert (curve["evaluations"][0], curve["evaluations"][-1]) == (16, 48000)
        assert (curve["loss"][0], curve["loss"][-1]) == (1.0, 0.25)
        assert curve["seconds"] == sorted(curve["seconds"])

    def test_an_iteration_is_an_evaluation_where_nothing_else_is_said(self) -> None:
        assert curve_of(self.result(self.history(3, rows=None)))["evaluations"] == [1, 2, 3, 3]

    def test_a_result_without_history_is_one_point(self) -> None:
        curve = curve_of(self.result(()))
        assert curve == {"seconds": [30.0], "evaluations": [1], "loss": [0.25]}

    def test_medians_begin_with_half_of_the_fits_and_end_with_them(self) -> None:
        curves = {
            "a": [
                {"seconds": [1.0, 10.0], "loss": [4.0, 1.0]},
                {"seconds": [2.0, 10.0], "loss": [2.0, None]},
            ],
            "b": [{"seconds": [0.5], "loss": [3.0]}],
        }
        found = median_curves(curves, "seconds")
        grid, a, b = np.array(found["grid"]), found["loss"]["a"], found["loss"]["b"]
        assert grid[0] == pytest.approx(0.5)
        assert grid[-1] == pytest.approx(10.0)
        assert all(value is None for value, t in zip(a, grid, strict=True) if t < 2.0)
        assert all(value == 3.0 for value, t in zip(a, grid, strict=True) if 2.0 <= t < 9.9)
        assert b[0] == 3.0
        assert not any(b[2:])

    def test_fits_of_one_evaluation_are_one_point(self) -> None:
        curves = {
            "a": [{"seconds": [t], "loss": [t]} for t in (1.0, 2.0, 4.0)],
            "b": [{"seconds": [9.0], "loss": [1]}],
        }
        found = median_curves(curves, "seconds")
        known = [
            (t, loss) for t, loss in zip(found["grid"], found["loss"]["a"], strict=True) if loss is not None
        ]
        assert len(known) == 1
        assert known[0] == (pytest.approx(2.0, rel=0.05), 2.0)

    def test_no_curves_are_no_figure(self) -> None:
        assert median_curves({}, "seconds") == {"grid": [], "loss": {}}


class TestQuantities:
    def metrics(self, **errors: float | None) -> Measurement:
        document = {part: make_document(())[part] for part in ("target", "fitted", "error", "measurable")}
        values = {"t20_percent": 1.0, "t30_percent": 2.0, "edt_percent": 3.0, "c80_db": 0.4, "d50_pp": 5.0}
        values |= {"ts_ms": 6.0, "edc_rms_db": 0.7, "edp_rms": 0.08} | errors  # type: ignore[dict-item]
        document["error"]["broadband"] |= values
        document["measurable"]["broadband"]["t20"]["counts"] = False
        return Measurement.model_validate(document)

    def test_errors_by_quantity_and_none_where_the_recording_does_not_allow_one(self) -> None:
        assert errors_of(self.metrics()) == {
            "t20": None, "t30": 2.0, "edt": 3.0, "c80": 0.4, "d50": 5.0, "ts": 6.0, "edc": 0.7, "edp": 0.08,
        }  # fmt: skip

    def test_a_fit_without_a_value_is_a_miss(self) -> None:
        found = errors_of(self.metrics(t30_percent=None, t20_percent=None, edc_rms_db=None, edp_rms=None))
        assert (found["t30"], found["t20"]) == (math.inf, None)
        assert (found["edc"], found["edp"]) == (math.inf, None)
