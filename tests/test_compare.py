"""The comparison as it is run: what it writes, that it loses no finished fit, how it fails."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import re
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from command_line import Outcome, contents, decay, record, run, start
from comparison_schema import SUMMARY

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.store import Store
from fdnlearn.fdn import loads_fdn
from fdnlearn.fitting import FitConfig, Solution, solve
from fdnlearn.rir.target import Target
from fdnlearn.runs.ends import FINISHED
from fdnlearn.runs.study import Plan, compare_methods, parse_methods
from fdnlearn.runs.study.cells import Cell, Place
from fdnlearn.runs.study.quantities import COMPARED

pytestmark = pytest.mark.fit

METHODS = "gradient,analytic"
QUICK = ("--methods", METHODS, "--seeds", 1, "--budget", 0.2, "--lines", 4, "--sample-rate", 8000)


@pytest.fixture(autouse=True)
def short_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fdnlearn.runs.study.fits._WARM_UP_BUDGET_S", 0.02)


@pytest.fixture(scope="module")
def rooms_here(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("rooms")
    return [record(folder / f"room {seed}.wav", decay(seed=seed)) for seed in (1, 2)]


@pytest.fixture(scope="module")
def broken(rooms_here: list[Path]) -> Path:
    path = rooms_here[0].with_name("broken <b>.wav")
    path.write_text("no audio")
    return path


@pytest.fixture(scope="module")
def done(
    rooms_here: list[Path], broken: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Outcome, Path]:
    """A real comparison of two methods in two rooms, with a third room that cannot be read."""
    folder = tmp_path_factory.mktemp("done") / "out"
    return run("compare", *rooms_here, broken, "-o", folder, *QUICK, "--json"), folder


class TestComparison:
    def test_a_room_that_fails_is_told_and_the_rest_goes_on(self, done: tuple[Outcome, Path]) -> None:
        outcome, folder = done
        assert outcome.code == 0
        assert outcome.stderr.count("\n") == 1
        assert outcome.stderr.startswith("fdnlearn: warning: broken <b>: ")
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["cells"] == {"total": 6, "finished": 4, "failed": 2, "pending": 0}
        [failure] = summary["failures"]
        assert (failure["room"], failure["method"]) == ("broken <b>", None)
        assert "broken <b>.wav" in failure["reason"]

    def test_the_summary_has_the_documented_form(self, done: tuple[Outcome, Path]) -> None:
        outcome, folder = done
        summary = json.loads((folder / "summary.json").read_text())
        jsonschema.validate(summary, SUMMARY)
        assert json.loads(outcome.stdout) == {**summary, "folder": str(folder)}
        assert list(summary["methods"]) == METHODS.split(",")
        assert [room["name"] for room in summary["rooms"]] == ["room 1", "room 2"]

    def test_every_cell_holds_a_network_and_its_metrics(self, done: tuple[Outcome, Path]) -> None:
        cells = [json.loads(path.read_text()) for path in (done[1] / "cells").glob("room*.json")]
        assert len(cells) == 4
        for cell in cells:
            fdn = loads_fdn(json.dumps(cell["fdn"]))
            assert (fdn.lines, fdn.sample_rate_hz) == (4, 8000)
            assert all(delay.is_integer() for delay in fdn.delays_samples)
            assert cell["metrics"]["error"]["broadband"]["edc_rms_db"] >= 0
            assert cell["settings"]["budget_s"] == 0.2
            assert cell["loss"] > 0

    def test_medians_are_those_of_the_cells(self, done: tuple[Outcome, Path]) -> None:
        summary = json.loads((done[1] / "summary.json").read_text())
        for spec in METHODS.split(","):
            cells = [json.loads(p.read_text()) for p in (done[1] / "cells").glob(f"room*.{spec}.*")]
            errors = [cell["metrics"]["error"]["broadband"]["edc_rms_db"] for cell in cells]
            assert summary["methods"][spec]["median"]["edc"]["value"] == pytest.approx(np.median(errors))
            assert summary["methods"][spec]["seconds"] == np.median([cell["seconds"] for cell in cells])

    def test_the_common_loss_of_a_fit_is_nearly_its_own(self, done: tuple[Outcome, Path]) -> None:
        # The fit folds its tail back and runs in single precision; what is rendered does neither.
        for path in (done[1] / "cells").glob("room*.json"):
            cell = json.loads(path.read_text())
            assert cell["loss"] == pytest.approx(cell["metrics"]["loss"], rel=0.1, abs=0.02)

    def test_the_page_stands_alone(self, done: tuple[Outcome, Path]) -> None:
        page = (done[1] / "report.html").read_text()
        assert page.startswith("<!doctype html>")
        for forbidden in ("<script", "http", "<link", "<iframe", "@import", "<b>.wav"):
            assert forbidden not in page.replace("http-equiv", "")
        sources = re.findall(r'(?:src|href)="([^"]*)"', page)
        assert sources
        assert all(source.startswith(("data:audio/wav;base64,", "#")) for source in sources)
        assert page.count("<audio") == 2 * 3
        assert page.count("<svg") == 3
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        assert "prefers-color-scheme: dark" in page
        assert "broken &lt;b&gt;" in page

    def test_a_finished_comparison_is_not_touched_by_accident(
        self, done: tuple[Outcome, Path], rooms_here: list[Path]
    ) -> None:
        before = contents(done[1])
        outcome = run("compare", *rooms_here, "-o", done[1], *QUICK)
        assert outcome.code == 1
        assert "already holds a comparison" in outcome.complaint
        assert contents(done[1]) == before

    def test_the_table_names_every_method_and_quantity(
        self, done: tuple[Outcome, Path], rooms_here: list[Path], no_fits: list[Place]
    ) -> None:
        outcome = run("compare", *rooms_here, "-o", done[1], *QUICK, "--resume")
        assert outcome.code == 0, outcome.stderr
        assert no_fits == []
        for word in (*METHODS.split(","), *(c.quantity.symbol for c in COMPARED), "Evaluations"):
            assert word in outcome.stdout
        assert "gradient against analytic in 2 rooms" in outcome.stdout


@pytest.fixture
def no_fits(monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """Places that were to be fitted; fitting itself fails the test."""
    asked: list[Place] = []

    def fit_cell(plan: Plan, room: Any, method: Any, place: Place, *_: Any) -> Cell:
        asked.append(place)
        raise AssertionError(f"{place} is fitted again")

    monkeypatch.setattr("fdnlearn.runs.study.runner.fit_cell", fit_cell)
    return asked


@pytest.fixture
def pretended(done: tuple[Outcome, Path], monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """Fits that take no time: bodies of real cells; the places in the order in which they were asked for."""
    path = next((done[1] / "cells").glob("room_1*.analytic.*"))
    body = json.loads(path.read_text())
    for key in ("format", "version", "cell", "status", "settings"):
        del body[key]
    asked: list[Place] = []

    def fit_cell(
        plan: Plan, room: Any, method: Any, place: Place, settings: Any, stop: Callable[..., bool]
    ) -> Cell | None:
        asked.append(place)
        return (
            None
            if stop(None)
            else Cell(place, FINISHED, settings, {**copy.deepcopy(body), "room": room.name})
        )

    monkeypatch.setattr("fdnlearn.runs.study.runner.fit_cell", fit_cell)
    monkeypatch.setattr("fdnlearn.runs.study.runner.warm_up", lambda plan, method: None)
    monkeypatch.setattr("fdnlearn.runs.study.page.listening_rooms", lambda run: ())
    return asked


def small_plan(recordings: Sequence[Path], methods: str = METHODS, seeds: int = 2) -> Plan:
    return Plan(tuple(recordings), parse_methods(methods), seeds=seeds, lines=4, sample_rate_hz=8000)


class TestSafety:
    def test_methods_take_turns(self, rooms_here: list[Path], tmp_path: Path, pretended: list[Place]) -> None:
        compare_methods(small_plan(rooms_here), tmp_path / "out")
        assert [(place.method, place.seed) for place in pretended[:4]] == [
            ("gradient", 0),
            ("analytic", 0),
            ("gradient", 1),
            ("analytic", 1),
        ]

    @pytest.mark.parametrize("stop_at", [2, 5, 8, 9])
    def test_an_interruption_loses_no_finished_cell(
        self, rooms_here: list[Path], tmp_path: Path, pretended: list[Place], stop_at: int
    ) -> None:
        calls = itertools.count()
        folder = tmp_path / "out"
        stopped = compare_methods(
            small_plan(rooms_here), folder, callback=lambda step: next(calls) >= 2 + stop_at
        )
        assert not stopped.complete
        assert not (folder / "report.html").exists()
        cells = contents(folder / "cells")
        assert stopped.summary["cells"]["finished"] == len(cells)
        jsonschema.validate(stopped.summary, SUMMARY)
        pretended.clear()
        finished = compare_methods(small_plan(rooms_here), folder, resume=True)
        assert finished.complete
        assert finished.summary["cells"] == {"total": 8, "finished": 8, "failed": 0, "pending": 0}
        assert len(pretended) == 8 - len(cells)
        assert cells.items() <= contents(folder / "cells").items()

    def test_a_comparison_can_grow(
        self, rooms_here: list[Path], tmp_path: Path, pretended: list[Place]
    ) -> None:
        folder = tmp_path / "out"
        compare_methods(small_plan(rooms_here[:1], "gradient", 1), folder)
        pretended.clear()
        compare_methods(small_plan(rooms_here, "gradient,analytic", 2), folder, resume=True)
        assert len(pretended) == 8 - 1

    def test_force_begins_anew(self, rooms_here: list[Path], tmp_path: Path, pretended: list[Place]) -> None:
        folder = tmp_path / "out"
        compare_methods(small_plan(rooms_here), folder)
        pretended.clear()
        (folder / "notes.txt").write_text("mine")
        compare_methods(small_plan(rooms_here, "gradient", 1), folder, force=True)
        assert len(pretended) == 2
        assert len(contents(folder / "cells")) == 2
        assert (folder / "notes.txt").read_text() == "mine"

    def test_other_settings_do_not_mix(
        self, rooms_here: list[Path], tmp_path: Path, pretended: list[Place]
    ) -> None:
        folder = tmp_path / "out"
        compare_methods(small_plan(rooms_here), folder)
        before = contents(folder)
        with pytest.raises(FdnlearnError, match=r"other settings \(lines 4 instead of 5\)"):
            compare_methods(dataclasses.replace(small_plan(rooms_here), lines=5), folder, resume=True)
        assert contents(folder) == before

    def test_a_second_comparison_is_refused_while_the_first_lives(
        self, rooms_here: list[Path], tmp_path: Path, pretended: list[Place]
    ) -> None:
        folder = tmp_path / "out"
        with Store(folder, "comparison").held():
            for more in ((), ("--resume",), ("--force",)):
                outcome = run("compare", rooms_here[0], "-o", folder, *QUICK, *more)
                assert outcome.code == 1
                assert f"{folder}: another comparison is running in it" in outcome.complaint
        assert pretended == []
        assert not folder.exists()
        assert compare_methods(small_plan(rooms_here), folder).complete
        assert {path.name for path in folder.iterdir()} == {"cells", "summary.json", "report.html"}

    def test_a_signal_ends_with_130_and_finished_cells_go_on_from_there(
        self, rooms_here: list[Path], tmp_path: Path
    ) -> None:
        folder = tmp_path / "out"
        long = ("--methods", "analytic,gradient", "--seeds", 1, "--budget", 200, "--lines", 4)
        process = start("compare", rooms_here[0], "-o", folder, *long, "--sample-rate", 8000)
        deadline = time.monotonic() + 90
        while not list((folder / "cells").glob("*.analytic.*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 130, stderr
        told = "stopping, the fit under way is dropped and finished ones are kept; once more to end at once"
        end = "interrupted; 1 of 2 fits are done; go on with --resume"
        assert stderr == f"fdnlearn: {told}\nfdnlearn: {end}\n"
        assert stdout == ""
        assert [name.split(".")[1] for name in contents(folder / "cells")] == ["analytic"]
        assert json.loads((folder / "summary.json").read_text())["cells"]["pending"] == 1


class TestFailures:
    def test_a_fit_that_fails_is_a_failed_cell_and_a_miss(
        self, rooms_here: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = solve

        def breaking(target: Target, config: FitConfig, *rest: Any) -> Solution:
            if config.settings()["learn_delays"] and target.name == "room 1.wav":
                raise ValueError("no\nway")
            return real(target, config, *rest)

        monkeypatch.setattr("fdnlearn.fitting.solve", breaking)
        monkeypatch.setattr("fdnlearn.runs.study.page.listening_rooms", lambda run: ())
        plan = dataclasses.replace(
            small_plan(rooms_here, "gradient,gradient:frozen-delays", 1), budget_s=0.05
        )
        found = compare_methods(plan, tmp_path / "out")
        assert found.summary["cells"] == {"total": 4, "finished": 3, "failed": 1, "pending": 0}
        [failure] = found.summary["failures"]
        assert failure == {"room": "room 1", "method": "gradient", "seed": 0, "reason": "ValueError: no way"}
        median = found.summary["methods"]["gradient"]["median"]["edc"]
        assert (median["value"], median["rooms"], median["missed"]) == (None, 2, 1)
        assert found.summary["methods"]["gradient:frozen-delays"]["median"]["edc"]["missed"] == 0
        assert found.summary["pairs"][0]["quantities"]["edc"]["worse_median"] is True
        assert "missed" in (tmp_path / "out" / "report.html").read_text()
        monkeypatch.setattr("fdnlearn.fitting.solve", real)
        again = compare_methods(plan, tmp_path / "out", resume=True)
        assert again.summary["cells"]["failed"] == 0

    def test_no_fit_that_succeeds_is_a_failure(
        self, rooms_here: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fdnlearn.runs.study.runner.warm_up", lambda plan, method: None)

        def breaking(*_: Any) -> Solution:
            raise FdnlearnError("fit", "diverged", "try another seed")

        monkeypatch.setattr("fdnlearn.fitting.solve", breaking)
        outcome = run("compare", rooms_here[0], "-o", tmp_path / "out", *QUICK)
        assert outcome.code == 1
        assert "no fit has succeeded (the first: fit: diverged; try another seed)" in outcome.complaint

    @pytest.mark.parametrize(
        ("args", "told"),
        [
            (("ROOM", "--methods", "magic"), "unknown method 'magic'"),
            (("ROOM", "--methods", "gradient:magic"), "unknown variant 'magic'"),
            (("ROOM", "--methods", ""), "names no method"),
            (("ROOM", "--budget", "0"), "'--budget'"),
            (("ROOM", "--budget", "nan"), "'--budget'"),
            (("ROOM", "--seeds", "0"), "'--seeds'"),
            (("ROOM", "--threads", "4096"), "are available"),
            (("ROOM", "--resume", "--force"), "contradict each other"),
            ((), "missing argument 'RIR...'"),
            (("ROOM", "ROOM"), "is named twice"),
            (("ROOM", "COPY"), "is the same recording as"),
        ],
    )
    def test_wrong_usage(
        self, args: tuple[str, ...], told: str, rooms_here: list[Path], tmp_path: Path
    ) -> None:
        copied = tmp_path / "copy.wav"
        copied.write_bytes(rooms_here[0].read_bytes())
        names = {"ROOM": rooms_here[0], "COPY": copied}
        folder = tmp_path / "out"
        outcome = run("compare", *(names.get(arg, arg) for arg in args), "-o", folder)
        assert outcome.code == 2
        assert told in outcome.complaint
        assert not folder.exists()

    def test_nothing_is_run_or_written_without_a_usable_recording(self, broken: Path, tmp_path: Path) -> None:
        absent = tmp_path / "absent.wav"
        alone = run("compare", absent, "-o", tmp_path / "out")
        assert alone.code == 1
        assert "absent.wav: " in alone.complaint
        both = run("compare", absent, broken, "-o", tmp_path / "out")
        assert both.code == 1
        assert "none of the 2 recordings can be used" in both.complaint
        assert not (tmp_path / "out").exists()

    def test_a_file_in_place_of_the_folder(self, rooms_here: list[Path], tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        outcome = run("compare", rooms_here[0], "-o", tmp_path / "out")
        assert outcome.code == 1
        assert "is not a folder" in outcome.complaint

    def test_rooms_of_the_same_name_are_told_apart(
        self, rooms_here: list[Path], tmp_path: Path, pretended: list[Place]
    ) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        copies = [tmp_path / "a" / "hall.wav", tmp_path / "b" / "hall.wav"]
        for path, room in zip(copies, rooms_here, strict=True):
            path.write_bytes(room.read_bytes())
        found = compare_methods(small_plan(copies, "gradient", 1), tmp_path / "out")
        names = [room["name"] for room in found.summary["rooms"]]
        assert len(set(names)) == 2
        assert all(name.startswith("hall (") for name in names)
