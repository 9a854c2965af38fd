"""A batch from end to end: what is fitted, skipped, refused and summed up; engines have their own tests."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batch_rooms import TINY, TINY_OPTIONS, make_rooms
from command_line import contents, run
from test_batch_sources import write_sofa

from fdnlearn import registry
from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.cli.batch import describe
from fdnlearn.fdn import load_fdn
from fdnlearn.fitting import FitConfig
from fdnlearn.options import AUTO
from fdnlearn.runs import fit_recording
from fdnlearn.runs.many import BatchProgress, BatchResult, BatchRoom, run_batch
from fdnlearn.runs.many.folder import BatchFolder
from fdnlearn.runs.many.one import fit_room
from fdnlearn.runs.many.summary import COLUMNS
from fdnlearn.runs.pipeline import Job

pytestmark = pytest.mark.fit


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both engines fit in this process."""
    for name in registry.ENGINES:
        monkeypatch.setitem(registry.ENGINES, name, "batch_rooms:outcomes")


@pytest.fixture
def batch(tmp_path: Path) -> Callable[..., BatchResult]:
    def go(*inputs: object, **more: Any) -> BatchResult:
        return run_batch([str(given) for given in inputs], tmp_path / "out", more.pop("job", TINY), **more)

    return go


Go = Callable[..., BatchResult]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_room_has_what_a_single_fit_writes(tmp_path: Path, batch: Go) -> None:
    rooms = make_rooms(tmp_path / "rooms", 3)
    done = batch(rooms)
    assert (done.standing.total, done.standing.fitted, done.standing.failed) == (3, 3, 0)
    fit_recording(rooms / "r001.wav", tmp_path / "single", TINY.config)
    single, room = contents(tmp_path / "single"), contents(tmp_path / "out" / "rooms" / "r001")
    assert set(single) - set(room) == {"report.html"}
    for name in ("fdn.json", "ir.wav", "target.wav"):
        assert room[name] == single[name]


def test_the_table_says_what_the_rooms_say(tmp_path: Path, batch: Go) -> None:
    batch(make_rooms(tmp_path / "rooms", 3))
    rows = table(tmp_path / "out" / "summary.csv")
    assert [row["room"] for row in rows] == ["r000", "r001", "r002"]
    assert tuple(rows[0]) == COLUMNS
    metrics = json.loads((tmp_path / "out" / "rooms" / "r001" / "metrics.json").read_text())
    row = rows[1]
    assert float(row["t30_error"]) == abs(metrics["error"]["broadband"]["t30_percent"])
    assert float(row["loss"]) == metrics["loss"]
    assert row["sha256"] == metrics["recording"]["sha256"]
    assert row["sample_rate_hz"] == "8000"
    assert float(row["colour_rms_db"]) == metrics["colour"]["whole"]["rms_db"]
    assert 0 <= int(row["octave_values_within"]) <= int(row["octave_values"])
    parquet = pytest.importorskip("pyarrow.parquet")
    columnar = parquet.read_table(tmp_path / "out" / "summary.parquet").to_pylist()
    assert [list(row) for row in columnar] == [list(COLUMNS)] * 3
    assert [f"{row['t30_error']}" for row in columnar] == [row["t30_error"] for row in rows]


def test_the_table_holds_the_number_of_lines_that_was_settled(tmp_path: Path, batch: Go) -> None:
    config = FitConfig.for_model("banded", iterations=2, restarts=1, sample_rate_hz=8000)
    assert config.model.lines == AUTO
    batch(make_rooms(tmp_path / "rooms", 1), job=Job(config))
    (row,) = table(tmp_path / "out" / "summary.csv")
    assert int(row["lines"]) == load_fdn(tmp_path / "out" / "rooms" / "r000" / "fdn.json").lines > 0


def test_the_overview_is_one_page_that_fetches_nothing(tmp_path: Path, batch: Go) -> None:
    rooms = make_rooms(tmp_path / "rooms", 7)
    (rooms / "<b>bad.wav").write_text("no sound")
    done = batch(rooms)
    page = (tmp_path / "out" / "overview.html").read_text()
    assert not re.search(r"https?:|<script|@import", page)
    assert page.count("<audio") == 2 * 5
    assert "<b>bad" not in page
    assert "&lt;b&gt;bad" in page
    worst = [row["badness"] for row in done.summary["worst"]]
    assert worst == sorted(worst, reverse=True)
    errors = [float(row["t30_error"]) for row in table(tmp_path / "out" / "summary.csv")]
    assert done.summary["errors"]["t30"]["median"] == sorted(errors)[3]
    assert done.summary["errors"]["t30"]["largest"] == max(errors)


def test_a_bad_file_is_one_line_and_costs_the_others_nothing(tmp_path: Path, batch: Go) -> None:
    rooms = make_rooms(tmp_path / "rooms", 2)
    (rooms / "bad.wav").write_text("no sound")
    manifest = tmp_path / "all.csv"
    manifest.write_text("path\nrooms/r000.wav\nrooms/bad.wav\nrooms/none.wav\n\n,\nrooms/r001.wav\n")
    done = batch(manifest)
    assert (done.standing.fitted, done.standing.failed) == (2, 3)
    lines = (tmp_path / "out" / "failures.csv").read_text().splitlines()
    assert lines[0] == "room,source,problem"
    assert len(lines) == 4
    assert "not a readable audio file" in lines[1]
    assert "none.wav: does not exist; check the path" in lines[2]
    assert "names no recording" in lines[3]


def test_failed_rooms_are_tried_again_and_finished_ones_are_not(tmp_path: Path, batch: Go) -> None:
    rooms = make_rooms(tmp_path / "rooms", 3)
    good = (rooms / "r001.wav").read_bytes()
    (rooms / "r001.wav").write_text("no sound")
    assert batch(rooms).standing.failed == 1
    out = tmp_path / "out"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("fdn.json")}
    (rooms / "r001.wav").write_bytes(good)
    again = batch(rooms)
    assert (again.standing.skipped, again.standing.fitted, again.standing.failed) == (2, 1, 0)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not (out / "failures.csv").exists()
    assert len(table(out / "summary.csv")) == 3
    assert batch(rooms).standing.skipped == 3


def test_a_recording_that_has_changed_is_fitted_again(tmp_path: Path, batch: Go) -> None:
    rooms = make_rooms(tmp_path / "rooms", 2)
    batch(rooms)
    proof = tmp_path / "out" / "rooms" / "r000" / "fdn.json"
    old = proof.read_bytes()
    (rooms / "r000.wav").write_bytes((rooms / "r001.wav").read_bytes())
    later = proof.stat().st_mtime_ns + 1_000_000
    while time.time_ns() < later:
        time.sleep(0.001)
    os.utime(rooms / "r000.wav", ns=(later, later))
    done = batch(rooms)
    assert (done.standing.skipped, done.standing.fitted) == (1, 1)
    assert proof.read_bytes() != old


def test_rooms_with_other_settings_are_not_mixed(tmp_path: Path) -> None:
    rooms = make_rooms(tmp_path / "rooms", 1)
    out = tmp_path / "out"
    assert run("batch", rooms, "-o", out, *TINY_OPTIONS).code == 0
    refused = run("batch", rooms, "-o", out, *TINY_OPTIONS, "--seed", 1)
    assert refused.code == 1
    assert "other settings (seed 0 instead of 1)" in refused.complaint
    assert run("batch", rooms, "-o", out, *TINY_OPTIONS, "--seed", 1, "--force").code == 0
    settings = json.loads((out / "rooms" / "r000" / "metrics.json").read_text())["settings"]
    assert settings["seed"] == 1
    assert {path.name for path in out.iterdir() if path.name.startswith(".")} == {".lock"}


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, batch: Go) -> None:
    rooms = make_rooms(tmp_path / "rooms", 1)
    (tmp_path / "out" / "rooms").mkdir(parents=True)
    precious = tmp_path / "out" / "rooms" / "precious"
    precious.touch()
    with pytest.raises(FdnlearnError, match="holds rooms of no batch"):
        batch(rooms, force=True)
    assert precious.exists()
    (tmp_path / "out" / "batch.json").write_text("{}")
    with pytest.raises(FdnlearnError, match="not readable as a batch"):
        batch(rooms)
    with pytest.raises(FdnlearnError, match="is not a folder"):
        run_batch([str(rooms)], rooms / "r000.wav", TINY)


def test_a_second_batch_is_refused_while_the_first_lives(tmp_path: Path, batch: Go) -> None:
    rooms = make_rooms(tmp_path / "rooms", 1)
    with (
        BatchFolder(tmp_path / "out").held(),
        pytest.raises(FdnlearnError, match="another batch is running in it"),
    ):
        batch(rooms)
    assert batch(rooms).complete


def test_a_sofa_file_is_as_many_rooms_as_measurements(tmp_path: Path, batch: Go) -> None:
    path = write_sofa(tmp_path / "hall.sofa", 3, receivers=2)
    done = batch(path)
    assert done.standing.fitted == 3
    rows = table(tmp_path / "out" / "summary.csv")
    assert [row["measurement"] for row in rows] == ["0", "1", "2"]
    assert len({row["loss"] for row in rows}) == 3
    for measurement in range(3):
        # In a single fit the receivers of all measurements count on.
        fit_recording(path, tmp_path / f"single{measurement}", TINY.config, channel=2 * measurement + 1)
        room = contents(tmp_path / "out" / "rooms" / rows[measurement]["room"])
        assert room["target.wav"] == contents(tmp_path / f"single{measurement}")["target.wav"]


def test_a_full_disk_ends_the_batch_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = make_rooms(tmp_path / "rooms", 3)
    out = tmp_path / "out"

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("fdnlearn.runs.outputs.save_fdn", full)
        outcome = run("batch", rooms, "-o", out, *TINY_OPTIONS)
    assert outcome.code == 1
    assert "r000: cannot be written (no space left on device); free some space" in outcome.complaint
    assert not list((out / "rooms").iterdir())
    assert run("batch", rooms, "-o", out, *TINY_OPTIONS).code == 0


def test_an_option_that_is_wrong_for_all_is_wrong_usage(tmp_path: Path) -> None:
    rooms = make_rooms(tmp_path / "rooms", 2)
    outcome = run("batch", rooms, "-o", tmp_path / "out", "--model", "banded", "--method", "classic")
    assert outcome.code == 2
    assert "is not fitted by classic" in outcome.complaint


def test_where_no_room_can_be_fitted_the_batch_fails(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("no sound")
    outcome = run("batch", tmp_path / "bad.wav", "-o", tmp_path / "out", *TINY_OPTIONS)
    assert outcome.code == 1
    assert "no room could be fitted (the first: " in outcome.complaint


def test_a_channel_that_one_file_lacks_is_that_files_failure(tmp_path: Path) -> None:
    manifest = tmp_path / "rooms.csv"
    make_rooms(tmp_path, 1)
    manifest.write_text("path,name,channel\nr000.wav,first,1\nr000.wav,second,5\n")
    outcome = run("batch", manifest, "-o", tmp_path / "out", *TINY_OPTIONS)
    assert outcome.code == 1
    assert "warning: second: " in outcome.stderr
    assert "has no channel 5" in outcome.stderr
    assert load_fdn(tmp_path / "out" / "rooms" / "first" / "fdn.json").lines > 0


def test_the_exit_code_tells_of_failed_rooms_as_long_as_there_are_any(tmp_path: Path) -> None:
    rooms = make_rooms(tmp_path / "rooms", 2)
    bad = rooms / "bad.wav"
    bad.write_text("no sound")
    arguments = ("batch", rooms, "-o", tmp_path / "out", "--json", *TINY_OPTIONS)
    for fitted in (2, 0):  # again: finished rooms are skipped, the failed one fails once more
        outcome = run(*arguments)
        document = json.loads(outcome.stdout)
        assert (outcome.code, document["fitted"], document["failed"]) == (1, fitted, 1)
        assert (tmp_path / "out" / "overview.html").is_file()
    bad.unlink()
    assert run(*arguments).code == 0


def test_a_stopped_batch_sums_up_and_goes_on(tmp_path: Path, batch: Go) -> None:
    rooms = make_rooms(tmp_path / "rooms", 4)
    stopped = batch(rooms, callback=lambda standing: standing.fitted >= 2)
    assert not stopped.complete
    assert stopped.standing.fitted == 2
    assert len(table(tmp_path / "out" / "summary.csv")) == 2
    rest = batch(rooms)
    assert (rest.standing.skipped, rest.standing.fitted) == (2, 2)


def test_what_two_fits_of_a_room_find_is_kept_once(tmp_path: Path) -> None:
    rooms = make_rooms(tmp_path / "rooms", 1)
    room = BatchRoom("r000", str(rooms / "r000.wav"))
    place = BatchFolder(tmp_path / "out")
    with place.held():
        place.open(TINY.settings(), force=False)
        assert fit_room(room, TINY, place.path).status == "finished"
        before = contents(place.rooms)
        assert not place.publish(room, lambda folder: (folder / "fdn.json").write_text("a later one"))
    assert contents(place.rooms) == before


def test_the_report_of_each_room_is_an_option(tmp_path: Path, short_report: None) -> None:
    rooms = make_rooms(tmp_path / "rooms", 1)
    outcome = run("batch", rooms, "-o", tmp_path / "out", *TINY_OPTIONS, "--report", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.stdout)["fitted"] == 1
    assert (tmp_path / "out" / "rooms" / "r000" / "report.html").exists()


def test_options_of_a_cluster_need_one(tmp_path: Path) -> None:
    outcome = run("batch", tmp_path, "--address", "10.0.0.1:6379")
    assert outcome.code == 2
    assert "add --engine ray" in outcome.complaint
    with pytest.raises(UsageError, match="unknown engine"):
        run_batch([str(tmp_path)], tmp_path / "out", TINY, engine="steam")


def test_pace_and_time_left_are_told_in_one_line() -> None:
    assert describe(BatchProgress(100, 10, 30, 2, 0.5)) == "0.5 rooms/s, 0:01:56 left, 2 failed"
    assert describe(BatchProgress(100, 0, 0, 0, None)) == "rooms"
    assert describe(BatchProgress(1_000_000, 0, 10, 0, 3.1)) == "3.1 rooms/s, 89:36:17 left"
