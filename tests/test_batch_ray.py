"""The engine of many machines: two nodes on this one, workers and nodes and drivers killed; and its failures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from batch_rooms import TINY, TINY_OPTIONS, make_rooms, published, single_fits
from command_line import environment, launch, run

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.runs.many import BatchRoom, RoomOutcome
from fdnlearn.runs.many import cluster as engine
from fdnlearn.runs.many.engine import BatchOrder, Resources
from fdnlearn.runs.pipeline import Job

ROOMS = 64
TESTS = Path(__file__).resolve().parent


def alone(*command: object) -> list[str]:
    """A command that sees the loopback interface only, whose processes all end with it."""
    inside = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    there = all(shutil.which(name) for name in ("unshare", "ip"))
    if not there or subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("no right to make a network namespace (unshare, ip)")
    return [*inside, "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *map(str, command)]


@pytest.mark.process
@pytest.mark.timeout(600)
def test_killed_workers_nodes_and_drivers_cost_nothing(tmp_path: Path) -> None:
    rooms = make_rooms(tmp_path / "rooms", ROOMS)
    command = alone(sys.executable, TESTS / "ray_nodes.py", rooms, tmp_path, *TINY_OPTIONS)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=550, env=environment(), check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    found = json.loads(done.stdout.splitlines()[-1])
    # All there, none lost, and no fit of a room ended after another had.
    assert found["killed"] == {"total": ROOMS, "skipped": 0, "fitted": ROOMS, "failed": 0, "repeated": 0}
    assert found["driver"]["skipped"] >= 6
    assert found["driver"]["skipped"] + found["driver"]["fitted"] == ROOMS
    assert (found["driver"]["failed"], found["driver"]["repeated"]) == (0, 0)
    networks = single_fits(rooms, TINY.config)
    assert len(networks) == ROOMS
    assert published(tmp_path / "killed") == networks
    assert published(tmp_path / "driver") == networks


@pytest.mark.process
def test_an_address_nobody_listens_at_is_one_line(tmp_path: Path) -> None:
    rooms = make_rooms(tmp_path / "rooms", 1)
    outcome = launch(
        "batch", rooms, "-o", tmp_path / "out", *TINY_OPTIONS, "--engine", "ray", "--address", "127.0.0.1:1"
    )
    assert outcome.code == 1
    assert outcome.complaint == (
        "fdnlearn: --address 127.0.0.1:1: cannot be reached (connection refused); "
        "start one with ray start --head, or leave --address away"
    )


@pytest.mark.parametrize("address", ["nowhere", "host:port", ":1"])
def test_what_is_no_address_is_wrong_usage(tmp_path: Path, address: str) -> None:
    rooms = make_rooms(tmp_path / "rooms", 1)
    outcome = run(
        "batch", rooms, "-o", tmp_path / "out", *TINY_OPTIONS, "--engine", "ray", "--address", address
    )
    assert outcome.code == 2
    assert f"--address {address}: is not an address; write HOST:PORT" in outcome.complaint


def test_without_ray_the_remedy_is_its_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    order = BatchOrder([BatchRoom("r", "a.wav")], TINY, tmp_path, Resources(), lambda: False)
    with pytest.raises(UsageError, match=r'pip install "fdnlearn\[ray\]"'):
        next(engine.outcomes(order))


class FakeRay:
    """As much of Ray as the engine talks to; a task runs when it is waited for."""

    class exceptions:
        class RayError(Exception):
            pass

        class WorkerCrashedError(RayError):
            pass

        class NodeDiedError(RayError):
            pass

        class OutOfMemoryError(RayError):
            pass

    def __init__(self, resources: dict[str, float]) -> None:
        self.there = resources
        self.asked: list[dict[str, float]] = []
        self.groups: list[list[str]] = []
        self.most_pending = 0

    def init(self, **options: object) -> None:
        pass

    def shutdown(self) -> None:
        pass

    def put(self, value: object) -> object:
        return value

    def cluster_resources(self) -> dict[str, float]:
        return self.there

    def remote(self, **options: float) -> object:
        outer = self

        class Task:
            @staticmethod
            def options(**more: float) -> object:
                class Handle:
                    @staticmethod
                    def remote(group: tuple[BatchRoom, ...], *rest: object) -> tuple[BatchRoom, ...]:
                        outer.asked.append({**options, **more})
                        outer.groups.append([room.name for room in group])
                        return group

                return Handle

        return lambda function: Task

    def wait(self, handles: list[object], **options: object) -> tuple[list[object], list[object]]:
        self.most_pending = max(self.most_pending, len(handles))
        return handles[:1], handles[1:]

    def get(self, group: tuple[BatchRoom, ...]) -> tuple[RoomOutcome, ...]:
        names = {room.name for room in group}
        if "r1" in names:
            raise self.exceptions.WorkerCrashedError("gone")
        if "r2" in names:
            raise self.exceptions.RayError("no such node\nsecond line")
        return tuple(RoomOutcome(room, "finished") for room in group)


class TestTasks:
    def go(self, monkeypatch: pytest.MonkeyPatch, ray: FakeRay, resources: Resources) -> list[RoomOutcome]:
        monkeypatch.setattr(engine, "_library", lambda: ray)
        rooms = [BatchRoom(f"r{number}", "a.wav") for number in range(9)]
        order = BatchOrder(rooms, Job(TINY.config), Path("out"), resources, lambda: False)
        return [outcome for outcome in engine.outcomes(order) if outcome is not None]

    def test_few_are_ahead_and_one_that_is_lost_fails_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ray = FakeRay({"CPU": 2.0})
        found = {o.room.name: o for o in self.go(monkeypatch, ray, Resources())}
        assert ray.most_pending == 4
        assert [name for name, o in found.items() if o.status == "failed"] == ["r1", "r2"]
        assert "was killed 3 times" in found["r1"].problem
        assert "second line" in found["r2"].problem
        assert len(found) == 9

    def test_rooms_go_together_and_alone_where_a_group_is_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ray = FakeRay({"CPU": 1.0})
        found = {
            o.room.name: o for o in self.go(monkeypatch, ray, Resources(together=4, max_memory_bytes=4e9))
        }
        assert ray.groups[:2] == [["r0", "r1", "r2", "r3"], ["r4", "r5", "r6", "r7"]]
        assert [g for g in ray.groups if len(g) == 1 and g < ["r4"]] == [["r0"], ["r1"], ["r2"], ["r3"]]
        assert {name for name, o in found.items() if o.status == "failed"} == {"r1", "r2"}
        assert len(found) == 9

    def test_they_take_the_shares_that_were_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ray = FakeRay({"CPU": 8.0, "GPU": 1.0})
        self.go(monkeypatch, ray, Resources(threads=2, gpus=0.25, max_memory_bytes=4e9))
        assert {(a["num_cpus"], a["num_gpus"], a["max_retries"]) for a in ray.asked} == {(2, 0.25, 3)}
        assert all(a["memory"] > 1e8 for a in ray.asked)
        assert ray.most_pending == 8

    def test_a_cluster_without_gpus_is_said_to_have_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(FdnlearnError, match=r"--gpus 0\.5: the cluster has no GPU"):
            self.go(monkeypatch, FakeRay({"CPU": 8.0}), Resources(gpus=0.5))
