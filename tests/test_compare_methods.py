"""The parts of a comparison: methods and their ablations, and the cells that finished fits are kept in."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import decay, record

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.fitting import FitConfig, solve
from fdnlearn.fitting.problem import problem_for
from fdnlearn.losses.definitions import HOMOGENEOUS
from fdnlearn.losses.objective import weights_of
from fdnlearn.rir import load_target
from fdnlearn.rir.target import Target
from fdnlearn.runs.ends import FAILED, FINISHED
from fdnlearn.runs.study import VARIANTS, Plan, parse_methods
from fdnlearn.runs.study.cells import Cell, CellFolder, Place, room_key

WEIGHTS = weights_of(HOMOGENEOUS)


class TestMethods:
    def test_the_first_stays_first(self) -> None:
        found = parse_methods("gradient:edc-only, gradient,")
        assert [method.spec for method in found] == ["gradient:edc-only", "gradient"]
        assert [method.same_loss for method in found] == [False, True]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("gradient,magic", "unknown method 'magic'"),
            ("gradient:magic", "unknown variant 'magic'"),
            ("gradient:", "unknown variant ''"),
            ("analytic:edc-only", "analytic has none"),
            ("gradient,gradient", "names gradient twice"),
            (" , ", "names no method"),
        ],
    )
    def test_what_is_not_there_is_refused(self, text: str, told: str) -> None:
        with pytest.raises(UsageError, match=re.escape(told)):
            parse_methods(text)

    def test_methods_differ_in_nothing_but_themselves(self) -> None:
        plan = Plan((), parse_methods(",".join(("gradient", "genetic", *VARIANTS))), budget_s=2.0)
        base = plan.settings(plan.methods[0], 1, 2)
        for method in plan.methods[1:]:
            other = plan.settings(method, 1, 2)
            differing = {key for key in base if base[key] != other[key]}
            assert differing == {*method.changes, *({"method"} if method.name != "gradient" else ())}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    path = record(tmp_path_factory.mktemp("target") / "room.wav", decay(seconds=0.2))
    return load_target(path, sample_rate_hz=8000)


@pytest.mark.fit
class TestAblations:
    def test_frozen_delays_stay_where_they_start(self, target: Target) -> None:
        config = FitConfig.for_model(
            "homogeneous", lines=4, iterations=8, restarts=2, delays="fractional", learn_delays=False
        )
        problem = problem_for(target, config)
        starts = problem.model.delays(problem.draw(2, config.seed)["delay"].double()).numpy()
        found = np.array(solve(target, config).fdn.delays_samples)
        assert min(np.abs(found - start).max() for start in starts) < 1e-3
        learned = solve(target, config.with_settings(learn_delays=True)).fdn.delays_samples
        assert min(np.abs(np.array(learned) - start).max() for start in starts) > 1e-3

    def test_only_named_terms_count(self, target: Target) -> None:
        for terms in (("edp",), ("edc", "edc_db", "attributes"), None):
            problem = problem_for(target, FitConfig.for_model("homogeneous", lines=4, loss_terms=terms))
            assert dict(problem.objective.weights) == {n: WEIGHTS[n] for n in terms or WEIGHTS}
        free = problem.draw(1, 0)
        with torch.no_grad():
            total, found = problem.loss(free, None)
        parts = sum(WEIGHTS[name] * found[name] for name in WEIGHTS)
        torch.testing.assert_close(total, torch.as_tensor(parts), rtol=1e-5, atol=1e-6)

    def test_unknown_terms_and_impossible_ablations_are_refused(self, target: Target) -> None:
        with pytest.raises(UsageError, match="loss term magic: unknown"):
            solve(target, FitConfig.for_model("homogeneous", loss_terms=("edp", "magic")))
        with pytest.raises(UsageError, match="always searches delays"):
            solve(target, FitConfig.for_model("homogeneous", method="genetic", learn_delays=False))
        with pytest.raises(UsageError, match="--patience: means nothing to cmaes"):
            solve(target, FitConfig.for_model("homogeneous", method="cmaes", patience=5))


class TestCells:
    cell = Cell(Place("hall-12345678", "gradient", 0), FINISHED, {"budget_s": 1.0}, {})

    def finished(self, body: dict[str, Any]) -> Cell:
        names = ("room", "seconds", "evaluations", "loss", "curve", "metrics", "fdn", "machine", "date")
        return dataclasses.replace(self.cell, body={**dict.fromkeys(names, "x"), **body})

    @pytest.fixture
    def folder(self, tmp_path: Path) -> CellFolder:
        folder = CellFolder(tmp_path / "out")
        folder.open(clear=False)
        return folder

    def test_what_is_written_is_read_again(self, folder: CellFolder) -> None:
        cell = self.finished({"loss": math.inf, "curve": [1.0, math.nan]})
        folder.write(cell)
        found = folder.read(cell.place, cell.settings)
        assert found is not None
        assert found.place == cell.place
        assert (found.body["loss"], found.body["curve"]) == (None, [1.0, None])
        assert [path.name for path in folder.cells.iterdir()] == ["hall-12345678.gradient.seed0.json"]

    def test_other_settings_are_refused_and_named(self, folder: CellFolder) -> None:
        cell = self.finished({})
        folder.write(cell)
        with pytest.raises(FdnlearnError, match=r"other settings \(budget_s 1.0 instead of 5.0\)"):
            folder.read(cell.place, {"budget_s": 5.0})

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "null", '{"format": "fdnlearn.comparison-cell", "version": 1}']
    )
    def test_a_damaged_cell_is_an_unfinished_one(self, folder: CellFolder, text: str) -> None:
        (folder.cells / self.cell.place.file_name).write_text(text)
        assert folder.read(self.cell.place, self.cell.settings) is None

    def test_a_failed_cell_is_tried_again(self, folder: CellFolder) -> None:
        folder.write(dataclasses.replace(self.cell, status=FAILED, body={"room": "hall", "reason": "no"}))
        assert folder.read(self.cell.place, self.cell.settings) is None

    def test_file_names_are_safe_and_tell_contents_apart(self) -> None:
        key = room_key("../ä b:c" + 100 * "x", "0123456789abcdef")
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", key)
        assert room_key("hall", "a" * 64) != room_key("hall", "b" * 64)
        assert ":" not in Place(key, "gradient:edc-only", 0).file_name
