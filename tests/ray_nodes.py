"""Two Ray nodes on this machine, and batches on them whose processes are killed; prints what came of it as JSON.

To be run where nothing but the loopback interface is there: Ray listens on all of them. Arguments: folder of rooms,
folder for results, options of the fits.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from batch_rooms import published
from command_line import start
from processes import wait_until
from ray.cluster_utils import Cluster


def fitting() -> list[int]:
    """Processes of the cluster that are fitting a room."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::_fit"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def reach(process: subprocess.Popen[str], out: Path, count: int) -> None:
    """Wait until so many rooms are finished."""
    wait_until(lambda: len(published(out)) >= count or process.poll() is not None, f"{count} rooms", 200.0)
    assert process.poll() is None, process.communicate()


def kill_a_fit() -> int:
    """Kill a process in the middle of a fit."""
    wait_until(lambda: bool(fitting()), "a process that fits", 60.0)
    victim = fitting()[0]
    os.kill(victim, signal.SIGKILL)
    return victim


def end(process: subprocess.Popen[str]) -> dict[str, Any]:
    stdout, stderr = process.communicate(timeout=250)
    assert process.returncode == 0, stderr
    found: dict[str, Any] = json.loads(stdout)
    return {name: found[name] for name in ("total", "skipped", "fitted", "failed", "repeated")}


def main() -> None:
    """Kill a worker and a node under one batch, and the driver of another."""
    rooms, results, options = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    found: dict[str, Any] = {"version": ray.__version__}

    def begin(out: Path) -> subprocess.Popen[str]:
        address = ("--engine", "ray", "--address", cluster.address, "--json")
        return start("batch", rooms, "-o", out, *address, *options)

    process = begin(results / "killed")
    reach(process, results / "killed", 6)
    kill_a_fit()
    reach(process, results / "killed", 16)
    cluster.remove_node(second, allow_graceful=False)
    found["nodes killed at"] = len(published(results / "killed"))
    found["killed"] = end(process)

    process = begin(results / "driver")
    reach(process, results / "driver", 6)
    process.kill()
    process.communicate()
    found["driver killed at"] = len(published(results / "driver"))
    found["driver"] = end(begin(results / "driver"))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
