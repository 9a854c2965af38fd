"""What the time of ``fdnlearn fit`` on one second of room goes to, its cache of compiled code empty or warm.

``python benchmarks/parts.py`` runs the steps of the command one after the other in a process of its own, everything
they need imported beforehand, and prints wall and processor time of each; of warm runs the medians. Setting up is what
is done before the first iteration: with an empty cache child processes compile, whose processor time counts.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from fit import room

#: What the command imports where it is needed.
MODULES = (
    "fdnlearn.cli.fit",
    "fdnlearn.fitting.gradient",
    "fdnlearn.fitting.solving",
    "fdnlearn.report.gallery",
    "jinja2",
    "soundfile",
)
PARTS = ("interpreter", "imports", "preparation", "setting up", "fit", "evaluation", "report", "writing")


def processor_s() -> float:
    """Processor time of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(recording: Path, options: argparse.Namespace) -> None:
    """Go through the steps of a fit and print wall and processor time of each as JSON."""
    # The clock of the parent: what is before this line is the interpreter's own start.
    found, last = {}, (options.began_s, 0.0)

    def done(name: str) -> None:
        nonlocal last
        now = time.monotonic(), processor_s()
        found[name] = now[0] - last[0], now[1] - last[1]
        last = now

    done("interpreter")
    for module in MODULES:
        importlib.import_module(module)
    from fdnlearn.fitting import FitConfig
    from fdnlearn.fitting.problem import problem_for
    from fdnlearn.ops.dispatch import FORMS, get_form
    from fdnlearn.registry import MODELS, load
    from fdnlearn.report import ReportData, write_report
    from fdnlearn.runs import Job, outputs

    for operation, forms in FORMS.items():
        if "cpu" in forms:
            get_form(operation, "cpu")
    load(MODELS[options.model].build)
    load(MODELS[options.model].loss)
    done("imports")
    iterations = {} if options.iterations is None else {"iterations": options.iterations}
    config = FitConfig.for_model(options.model, sample_rate_hz=options.rate, **iterations)
    job = Job(config)
    target = job.prepare(recording)
    done("preparation")
    problem_for(target, config)
    done("setting up")
    solution = job.solve(target)
    done("fit")
    evaluation = job.evaluate(solution)
    done("evaluation")
    fitted = outputs.on_target_scale(evaluation.fdn, evaluation.response)
    page = ReportData(target, evaluation.fdn, fitted, evaluation.metrics, solution.history)
    write_report(recording.with_name("report.html"), page)
    done("report")
    job.write(evaluation, recording.parent)
    done("writing")
    print(json.dumps(found))


def run(recording: Path, cache: Path) -> dict[str, tuple[float, float]]:
    """The figures of one process."""
    command = [sys.executable, __file__, *sys.argv[1:], "--measure", str(recording)]
    command += ["--began-s", repr(time.monotonic())]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, tuple[float, float]] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="homogeneous")
    parser.add_argument("--rate", type=int, default=16000)
    parser.add_argument("--iterations", type=int, help="the model's own where left out")
    parser.add_argument("--turns", type=int, default=5, help="warm runs")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--began-s", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        measure(options.measure, options)
        return
    from scipy.io import wavfile

    with tempfile.TemporaryDirectory() as folder:
        recording, cache = Path(folder) / "room.wav", Path(folder) / "cache"
        wavfile.write(recording, options.rate, room(1.0, options.rate).astype(np.float32))
        runs = [run(recording, cache) for _ in range(1 + options.turns)]
    print(
        f"{options.model}, 1 s at {options.rate} Hz, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"warm: medians of {options.turns}\n"
        f"{'':12} {'cold/s':>7} {'proc/s':>7} {'warm/s':>7} {'proc/s':>7}"
    )
    rows = {name: (runs[0][name], [one[name] for one in runs[1:]]) for name in PARTS}
    rows["all"] = (
        tuple(sum(runs[0][name][k] for name in PARTS) for k in range(2)),
        [tuple(sum(one[name][k] for name in PARTS) for k in range(2)) for one in runs[1:]],
    )
    for name, (cold, warm) in rows.items():
        medians = [statistics.median(one[k] for one in warm) for k in range(2)]
        print(f"{name:12} " + " ".join(f"{figure:7.2f}" for figure in (*cold, *medians)))


if __name__ == "__main__":
    main()
