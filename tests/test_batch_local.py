"""The engine of one machine, with its processes: killed workers, killed drivers, signals, memory."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from batch_rooms import TINY, TINY_OPTIONS, make_rooms, options_of, published, single_fits
from command_line import Outcome, launch, run, start
from device_memory import bytes_of_a_step
from processes import alive, resident_mb, wait_until, workers_of

from fdnlearn import FitConfig
from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import load_fdn
from fdnlearn.fitting import Solution, solve_many
from fdnlearn.fitting.problem import problem_for
from fdnlearn.fitting.stages import plan
from fdnlearn.rir import Target
from fdnlearn.runs.many import BatchRoom, RoomOutcome
from fdnlearn.runs.many.engine import ATTEMPTS, BatchOrder, Resources
from fdnlearn.runs.many.folder import BatchFolder
from fdnlearn.runs.many.local import outcomes
from fdnlearn.runs.many.memory import BASE_BYTES, fit_bytes
from fdnlearn.runs.many.one import fit_room, fit_rooms, target_of
from fdnlearn.runs.pipeline import Job

pytestmark = pytest.mark.process

ROOMS = 6
#: Fits of a third of a second, so that there is time to kill something.
STEADY = FitConfig.for_model("homogeneous", lines=4, iterations=60, restarts=1, sample_rate_hz=8000)
STEADY_OPTIONS = options_of(STEADY)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rooms(tmp_path_factory.mktemp("local") / "rooms", ROOMS)


@pytest.fixture(scope="module")
def networks(rooms: Path) -> dict[str, bytes]:
    """What single fits on one thread come to."""
    return single_fits(rooms, STEADY)


def batch(rooms: Path, out: Path) -> list[object]:
    return ["batch", rooms, "-o", out, "--workers", 2, *STEADY_OPTIONS, "--json"]


def end(process: subprocess.Popen[str]) -> Outcome:
    stdout, stderr = process.communicate(timeout=120)
    return Outcome(process.returncode, stdout, stderr)


@pytest.fixture
def running(rooms: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A batch in a process of its own that has finished its first room, and its folder."""
    out = tmp_path / "out"
    with start(*batch(rooms, out)) as process:
        try:
            wait_until(lambda: bool(published(out)) or process.poll() is not None, "the first room")
            assert process.poll() is None, process.communicate()
            yield process, out
        finally:
            process.kill()


def test_a_killed_worker_costs_nothing(
    running: tuple[subprocess.Popen[str], Path], networks: dict[str, bytes]
) -> None:
    process, out = running
    workers = workers_of(process.pid)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    outcome = end(process)
    assert outcome.code == 0, outcome.stderr
    found = json.loads(outcome.stdout)
    assert (found["fitted"], found["failed"], found["repeated"]) == (ROOMS, 0, 0)
    assert published(out) == networks


def test_a_killed_driver_takes_its_workers_along_and_the_same_command_goes_on(
    running: tuple[subprocess.Popen[str], Path], rooms: Path, networks: dict[str, bytes]
) -> None:
    process, out = running
    second = run(*batch(rooms, out))
    assert second.code == 1
    failure = json.loads(second.stdout)["failure"]
    assert (failure["subject"], failure["exit_code"]) == (str(out), 1)
    assert "another batch is running in it" in failure["problem"]
    workers = workers_of(process.pid)
    process.kill()
    wait_until(lambda: not any(map(alive, workers)), "the end of the workers", 10.0)
    before = len(published(out))
    assert 0 < before < ROOMS
    outcome = launch(*batch(rooms, out))
    assert outcome.code == 0, outcome.stderr
    found = json.loads(outcome.stdout)
    assert (found["skipped"], found["fitted"]) == (before, ROOMS - before)
    assert published(out) == networks
    assert {path.name for path in out.iterdir()} >= {"summary.csv", "overview.html"}
    assert not (out / ".work").exists()


def test_ctrl_c_finishes_the_fits_under_way(
    running: tuple[subprocess.Popen[str], Path], networks: dict[str, bytes]
) -> None:
    process, out = running
    process.send_signal(signal.SIGINT)
    outcome = end(process)
    assert outcome.code == 130
    done = published(out)
    assert 0 < len(done) < ROOMS
    assert f"interrupted; {len(done)} of {ROOMS} rooms are done" in outcome.stderr
    assert done.items() <= networks.items()
    assert len((out / "summary.csv").read_text().splitlines()) == 1 + len(done)


def test_a_disk_that_takes_no_more_ends_the_batch(rooms: Path, tmp_path: Path) -> None:
    """No process may write a file beyond 8 KiB: the system's own refusal, of what workers write."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 13, 1 << 13))

    outcome = launch("batch", rooms, "-o", tmp_path / "out", *TINY_OPTIONS, "--workers", 1, preexec_fn=limit)
    assert outcome.code == 1
    assert "cannot be written (file too large); raise the file size limit" in outcome.complaint
    assert not published(tmp_path / "out")


def order(rooms: Sequence[BatchRoom], folder: Path, resources: Resources) -> BatchOrder:
    """Fits that nobody stops."""
    return BatchOrder(rooms, TINY, folder, resources, lambda: False)


class Doomed:
    """A worker whose process dies under certain rooms."""

    deadly: frozenset[str] = frozenset({"r001"})
    made = 0

    def __init__(self, *args: object) -> None:
        type(self).made += 1
        read, write = os.pipe()
        os.close(write)
        from multiprocessing.connection import Connection

        self.outcomes = Connection(read)
        self.rooms: tuple[BatchRoom, ...] = ()

    def fit(self, rooms: tuple[BatchRoom, ...]) -> bool:
        self.rooms = rooms
        return True

    def collect(self) -> tuple[RoomOutcome, ...] | None:
        rooms, self.rooms = self.rooms, ()
        if self.deadly & {room.name for room in rooms}:
            return None
        return tuple(RoomOutcome(room, "finished") for room in rooms)

    def end(self) -> None:
        self.outcomes.close()


def test_a_room_that_kills_its_process_each_time_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fdnlearn.runs.many.local.Worker", Doomed)
    Doomed.made = 0
    rooms = [BatchRoom(f"r{number:03d}", "a.wav") for number in range(5)]
    found = [o for o in outcomes(order(rooms, tmp_path, Resources(workers=1))) if o is not None]
    assert sorted((o.room.name, o.status) for o in found) == [
        (room.name, "failed" if room.name == "r001" else "finished") for room in rooms
    ]
    assert next(o for o in found if o.status == "failed").problem.startswith(
        "a.wav: its process was killed 3 times"
    )
    assert Doomed.made == 1 + ATTEMPTS


class TestSideBySide:
    def test_rooms_that_share_a_batch_are_fitted_as_alone(self, rooms: Path, tmp_path: Path) -> None:
        outs = []
        for together in (1, 4):
            outs.append(tmp_path / str(together))
            outcome = run(
                "batch",
                rooms,
                "-o",
                outs[-1],
                *TINY_OPTIONS,
                "--workers",
                1,
                "--together",
                together,
                "--json",
            )
            assert outcome.code == 0, outcome.stderr
            assert json.loads(outcome.stdout)["fitted"] == ROOMS
        alone, shared = (
            {p.parent.name: load_fdn(p) for p in (out / "rooms").glob("*/fdn.json")} for out in outs
        )
        assert alone.keys() == shared.keys()
        for name, fdn in alone.items():
            assert shared[name].delays_samples == pytest.approx(fdn.delays_samples, abs=2)
            assert shared[name].feedback_matrix[0] == pytest.approx(fdn.feedback_matrix[0], abs=0.01)

    def test_only_rooms_of_about_one_length_go_together(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        groups: list[list[str]] = []

        class Noting(Doomed):
            deadly = frozenset()

            def fit(self, rooms: tuple[BatchRoom, ...]) -> bool:
                groups.append([room.name for room in rooms])
                return super().fit(rooms)

        monkeypatch.setattr("fdnlearn.runs.many.local.Worker", Noting)
        coming = [
            BatchRoom(f"{seconds}-{path.stem}", str(path))
            for seconds in (0.3, 0.9)
            for path in sorted(make_rooms(tmp_path / str(seconds), 3, seconds).iterdir())
        ]
        coming = [coming[index] for index in (0, 3, 1, 4, 2, 5)]
        resources = Resources(workers=1, together=2)
        found = [o for o in outcomes(order(coming, tmp_path, resources)) if o is not None]
        assert {o.room.name for o in found} == {room.name for room in coming}
        assert [[name[:3] for name in group] for group in groups] == [
            ["0.3"] * 2,
            ["0.9"] * 2,
            ["0.3"],
            ["0.9"],
        ]

    def test_a_room_that_kills_its_process_costs_its_company_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fdnlearn.runs.many.local.Worker", Doomed)
        rooms = [BatchRoom(f"r{number:03d}", "a.wav") for number in range(6)]
        resources = Resources(workers=1, together=4)
        found = [o for o in outcomes(order(rooms, tmp_path, resources)) if o is not None]
        assert sorted((o.room.name, o.status) for o in found) == [
            (room.name, "failed" if room.name == "r001" else "finished") for room in rooms
        ]

    def test_on_a_gpu_a_few_processes_take_many_rooms_each(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []

        class Noting(Doomed):
            deadly = frozenset()
            made = 0

            def fit(self, rooms: tuple[BatchRoom, ...]) -> bool:
                sizes.append(len(rooms))
                return super().fit(rooms)

        driver = tmp_path / "nvidiactl"
        driver.touch()
        monkeypatch.setattr("fdnlearn.runs.many.local._GPU", driver)
        monkeypatch.setattr("fdnlearn.runs.many.local.cores", lambda: 16)
        monkeypatch.setattr("fdnlearn.runs.many.local.Worker", Noting)
        rooms = [BatchRoom(f"r{number:03d}", "a.wav") for number in range(200)]
        found = [o for o in outcomes(order(rooms, tmp_path, Resources())) if o is not None]
        assert {o.room.name for o in found} == {room.name for room in rooms}
        assert sizes == [32] * 6 + [8]
        assert Noting.made == 4

    @pytest.mark.parametrize("most", [2, 0])
    def test_what_goes_wrong_with_many_is_tried_with_fewer(
        self, most: int, rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []

        def little_memory(targets: Sequence[Target], config: FitConfig) -> list[Solution | FdnlearnError]:
            sizes.append(len(targets))
            if len(targets) > most:
                raise MemoryError
            return solve_many(targets, config)

        monkeypatch.setattr("fdnlearn.fitting.solve_many", little_memory)
        place = BatchFolder(tmp_path)
        bad = tmp_path / "bad.wav"
        bad.write_text("no sound")
        with place.held():
            place.open(TINY.settings(), force=False)
            group = [BatchRoom(path.stem, str(path)) for path in sorted(rooms.iterdir())[:4]]
            done = fit_rooms([*group[:2], BatchRoom("bad", str(bad)), *group[2:]], TINY, place.path)
        assert [o.status for o in done] == ["finished", "finished", "failed", "finished", "finished"]
        assert [o.room.name for o in done] == [
            group[0].name,
            group[1].name,
            "bad",
            group[2].name,
            group[3].name,
        ]
        assert "bad.wav" in done[2].problem
        assert sizes == [4, 2, 2]  # single rooms go their own way


def test_where_every_process_dies_the_batch_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fdnlearn.runs.many.local.Worker", Doomed)
    monkeypatch.setattr(Doomed, "deadly", frozenset(f"r{number:03d}" for number in range(50)))
    rooms = [BatchRoom(f"r{number:03d}", "a.wav") for number in range(50)]
    with pytest.raises(FdnlearnError, match=r"were killed under [56] rooms in a row"):
        list(outcomes(order(rooms, tmp_path, Resources(workers=2))))


class TestMemory:
    @pytest.mark.parametrize("model", ["homogeneous", "banded"])
    @pytest.mark.parametrize("channels", [1, 2])
    def test_what_is_admitted_holds_no_more_on_a_device_either(
        self, model: str, channels: int, make_room: Callable[..., FloatArray], tmp_path: Path
    ) -> None:
        path = tmp_path / "room.wav"
        samples = make_room(sample_rate_hz=8000, seconds=1.0, reverberation_time_s=0.6, channels=channels)
        soundfile.write(path, 0.1 * samples.T / np.abs(samples).max(), 8000, subtype="FLOAT")
        config = FitConfig.for_model(model, sample_rate_hz=8000, iterations=10, device="cpu")
        job = Job(config, channel="all")
        room = BatchRoom("room", str(path))
        problem = problem_for(target_of(room, job), config)
        for together in (1, 3):
            held = bytes_of_a_step([problem] * together, plan(config)[0].rows)
            assert 0 < held < together * (fit_bytes(room, job) - BASE_BYTES)

    def test_a_room_that_needs_too_much_fails_and_the_others_take_turns(
        self, rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fdnlearn.runs.many.local.Worker", Doomed)
        monkeypatch.setattr(Doomed, "deadly", frozenset())
        long = BatchRoom("long", str(make_rooms(tmp_path, 1, seconds=20.0) / "r000.wav"))
        short = [BatchRoom(path.stem, str(path)) for path in sorted(rooms.iterdir())]
        limit = 2 * BASE_BYTES + 1.5 * (fit_bytes(short[0], TINY) - BASE_BYTES)
        resources = Resources(workers=2, max_memory_bytes=limit)
        found = [o for o in outcomes(order([long, *short], tmp_path, resources)) if o is not None]
        assert (found[0].room.name, found[0].status) == ("long", "failed")
        assert "raise --max-memory" in found[0].problem
        assert {o.room.name for o in found[1:]} == {room.name for room in short}
        assert all(o.status == "finished" for o in found[1:])

    def test_a_limit_below_one_process_is_wrong_usage(self, tmp_path: Path) -> None:
        coming = outcomes(order([BatchRoom("r", "a.wav")], tmp_path, Resources(max_memory_bytes=1e8)))
        with pytest.raises(UsageError, match=r"--max-memory 0\.1: one fit needs"):
            next(coming)

    @pytest.mark.parametrize(
        "config", [FitConfig.for_model("homogeneous"), FitConfig.for_model("banded", lines=16)]
    )
    def test_the_estimate_grows_with_the_room(self, tmp_path: Path, config: FitConfig) -> None:
        estimates = []
        for seconds in (1.0, 2.0, 4.0):
            folder = make_rooms(tmp_path / str(seconds), 1, seconds)
            estimates.append(fit_bytes(BatchRoom("r", str(folder / "r000.wav")), Job(config)))
        assert BASE_BYTES < estimates[0] < estimates[1] < estimates[2]
        assert estimates[2] - estimates[1] == pytest.approx(2 * (estimates[1] - estimates[0]), rel=0.05)

    def test_the_estimate_is_of_what_would_be_read(self, tmp_path: Path) -> None:
        """Of a file from a pipe whose header claims gigabytes, and of none that would be refused."""
        path = make_rooms(tmp_path / "rooms", 1, 1.0) / "r000.wav"
        whole = path.read_bytes()
        size = whole.index(b"data") + 4
        path.with_name("pipe.wav").write_bytes(whole[:size] + b"\xff\xff\xff\xff" + whole[size + 4 :])
        path.with_name("text.wav").write_text("no sound")
        os.mkfifo(path.with_name("fifo.wav"))
        names = ("r000", "pipe", "text", "fifo", "missing")
        found = {n: fit_bytes(BatchRoom(n, str(path.with_name(f"{n}.wav"))), TINY) for n in names}
        assert BASE_BYTES < found["r000"] == found["pipe"] < BASE_BYTES + 1e9
        assert found["text"] == found["fifo"] == found["missing"] == BASE_BYTES

    def test_a_process_that_fits_room_after_room_stays_as_large_as_it_is(
        self, rooms: Path, tmp_path: Path
    ) -> None:
        """The benchmark does this with ten thousand; a leak of 4 kB an iteration would be 6 MB here."""
        job = Job(FitConfig.for_model("homogeneous", lines=2, iterations=20, restarts=1, sample_rate_hz=8000))
        place = BatchFolder(tmp_path / "out")
        sources = sorted(rooms.iterdir())
        with place.held():
            place.open(job.settings(), force=False)
            for number in range(60):
                room = BatchRoom(f"x{number}", str(sources[number % ROOMS]))
                assert fit_room(room, job, place.path).status == "finished"
                if number == 19:
                    before = resident_mb()
        assert resident_mb() - before < 2.5
