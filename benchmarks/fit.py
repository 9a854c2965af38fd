"""Wall time and peak memory of a whole fit over the length of its target, and of the command cold and warm.

``python benchmarks/fit.py`` runs every length in a process of its own, so that one's memory does not count for the
next. ``--command`` times ``fdnlearn fit`` instead, first with an empty cache of compiled code, then again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from history import add_option, append

LENGTHS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
#: Range of the rooms, dB above their noise: the decay fills the recording, as in a well-made measurement.
RANGE_DB = 65.0


def room(length_s: float, sample_rate_hz: int) -> npt.NDArray[np.float64]:
    """Decaying Gaussian noise behind a direct sound, `RANGE_DB` above its noise floor at the end."""
    rng = np.random.default_rng(0)
    t = np.arange(round(length_s * sample_rate_hz)) / sample_rate_hz
    h = 0.1 * rng.standard_normal(t.size) * 10 ** (-RANGE_DB / 20 * t / length_s)
    h[0] = 1.0
    return h + 0.1 * 10 ** (-RANGE_DB / 20) * rng.standard_normal(t.size)


def measure(length_s: float, options: argparse.Namespace) -> None:
    """Fit one room and print the figures as JSON."""
    from fdnlearn.fitting import FitConfig, solve
    from fdnlearn.rir import Recording, prepare_target

    rate = options.rate
    recording = Recording("room", "", rate, room(length_s, rate)[None], "synthetic")
    target = prepare_target(recording, sample_rate_hz=rate)
    config = FitConfig.for_model(
        options.model, sample_rate_hz=rate, lines=options.lines, iterations=options.iterations, restarts=16
    )
    solve(target, config, lambda _: True)  # compiles
    result = solve(target, config)
    figures = {
        "t60_s": target.reverberation_time_s,
        "fit_s": result.seconds,
        "ms_per_iteration": 1e3 * result.seconds / result.iterations,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        / (1e6 if sys.platform == "darwin" else 1e3),
        "loss": result.loss,
        "first_loss": result.history[0].loss,
    }
    print(json.dumps(figures))


def lengths(options: argparse.Namespace) -> None:
    """Print the table over lengths."""
    print(
        f"model {options.model}, {options.lines} lines, {options.rate} Hz, {options.iterations} iterations, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    print(
        f"{'length/s':>8} {'T60/s':>6} {'fit/s':>7} {'per s of room':>13} {'ms/iter':>8} {'peak/MB':>8} {'loss':>7}"
    )
    for length_s in options.lengths:
        command = [sys.executable, __file__, *sys.argv[1:], "--measure", str(length_s)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        found = json.loads(done.stdout)
        assert found["loss"] < found["first_loss"], "the fit does not learn"
        print(
            f"{length_s:>8.1f} {found['t60_s']:>6.2f} {found['fit_s']:>7.2f} {found['fit_s'] / length_s:>13.2f} "
            f"{found['ms_per_iteration']:>8.2f} {found['peak_mb']:>8.0f} {found['loss']:>7.4f}",
            flush=True,
        )
        if options.record:
            append(f"fit {_case(options)} {length_s:g} s", found["fit_s"], "s")


def _case(options: argparse.Namespace) -> str:
    return f"{options.model} N={options.lines} {options.rate / 1000:g} kHz {options.iterations} iterations"


def whole_command(options: argparse.Namespace) -> None:
    """Time ``fdnlearn fit`` on one second of room: reading, fitting, rendering, measuring, report and all."""
    from scipy.io import wavfile

    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "room.wav"
        wavfile.write(recording, options.rate, room(1.0, options.rate).astype(np.float32))
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
        command = [
            sys.executable,
            "-c",
            "from fdnlearn.cli.main import main; main()",
            "fit",
            str(recording),
            "-o",
            str(Path(folder) / "fit"),
        ]
        command += [
            "--model",
            options.model,
            "--lines",
            str(options.lines),
            "--sample-rate",
            str(options.rate),
        ]
        command += ["--iterations", str(options.iterations), "--force"]
        print(f"fdnlearn fit, 1 s at {options.rate} Hz, {options.lines} lines, load {os.getloadavg()[0]:.1f}")
        for name in ("cold", "warm", "warm"):
            before = time.perf_counter()
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            seconds = time.perf_counter() - before
            print(f"{name}: {seconds:.1f} s", flush=True)
            if options.record:
                append(f"command {_case(options)} 1 s {name}", seconds, "s")


def main() -> None:
    """Print the figures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=float, nargs="+", default=list(LENGTHS_S), help="seconds")
    parser.add_argument("--rate", type=int, default=16000)
    parser.add_argument("--lines", type=int, default=6)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--model", default="homogeneous")
    parser.add_argument("--command", action="store_true", help="time the command line, cold and warm")
    parser.add_argument("--measure", type=float, help=argparse.SUPPRESS)
    add_option(parser)
    options = parser.parse_args()
    if options.measure is not None:
        measure(options.measure, options)
    elif options.command:
        whole_command(options)
    else:
        lengths(options)


if __name__ == "__main__":
    main()
