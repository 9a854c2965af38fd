"""Real-time factor of the renderer against pyFDN's block renderer, same networks, same process, one thread.

``OMP_NUM_THREADS=1 python benchmarks/render.py``; see benchmarks/README.md for how to get pyFDN.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy starts its threads

import numpy as np
from history import add_option, append

from fdnlearn.fdn import FDN
from fdnlearn.render import BlockRenderer

SAMPLE_RATE_HZ = 48000
SECONDS = 10
REPEATS = 5
REVERBERATION_TIME_S = 1.5
#: Samples of a head at full rate: 3 ms of flank, 1.5 ms from the direct sound on, and more.
HEAD_SAMPLES = 330


def network(lines: int) -> FDN:
    """A random network with delays of 6 to 50 ms."""
    rng = np.random.default_rng(lines)
    delays = np.sort(rng.choice(np.arange(300, 2400), lines, replace=False))
    return FDN.from_arrays(
        sample_rate_hz=SAMPLE_RATE_HZ,
        delays=delays,
        feedback_matrix=np.linalg.qr(rng.standard_normal((lines, lines)))[0],
        input_gains=rng.standard_normal((lines, 1)),
        output_gains=rng.standard_normal((1, lines)),
        direct_gains=np.ones((1, 1)),
        line_gains=10.0 ** (-3.0 * delays / (SAMPLE_RATE_HZ * REVERBERATION_TIME_S)),
    )


def headed(lines: int) -> FDN:
    """The same with a head."""
    gains = np.random.default_rng(0).standard_normal(HEAD_SAMPLES) / HEAD_SAMPLES
    head = [{"output": 0, "input": 0, "coefficients": gains.tolist()}]
    return FDN.model_validate(network(lines).model_dump() | {"version": 2, "head": head})


def speeds(fdn: FDN, x: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Times real time, in one go and in blocks of 64."""

    def blocks() -> None:
        renderer = BlockRenderer(fdn)
        for at in range(0, x.size, 64):
            renderer.process(x[at : at + 64])

    return SECONDS / seconds(lambda: BlockRenderer(fdn).process(x)), SECONDS / seconds(blocks)


def peer(fdn: FDN, x: np.ndarray[Any, Any]) -> Callable[[], np.ndarray[Any, Any]]:
    """PyFDN's renderer on the same network; nothing but the processing is timed."""
    from pyFDN.translate.dss_to_td import dss_to_td

    a = fdn.arrays
    loop = a.feedback_matrix * np.asarray(fdn.absorption.gains)  # type: ignore[union-attr]
    delays = a.delays_samples.astype(int)

    def run() -> np.ndarray[Any, Any]:
        graph = dss_to_td(delays, loop, a.input_gains, a.output_gains, a.direct_gains)
        return graph.process_signal(x, squeeze=True)

    return run


def seconds(run: Callable[[], Any]) -> float:
    """Median processor time of a call, the first one left out: what else the machine does counts less."""
    run()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_option(parser)
    options = parser.parse_args()
    x = np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ * SECONDS)
    print(
        f"{SECONDS} s of mono at {SAMPLE_RATE_HZ} Hz, double precision, one thread, processor time, median of {REPEATS}"
    )
    print(f"{'lines':>5} {'fdnlearn':>12} {'block 64':>12} {'pyFDN':>12} {'ratio':>7}   times real time")
    for lines in (6, 16, 32):
        fdn = network(lines)
        own, blocked = speeds(fdn, x)
        if options.record:
            append(f"render N={lines}", own, "times real time")
            append(f"render N={lines} blocks of 64", blocked, "times real time")
        try:
            run = peer(fdn, x)
        except ImportError:
            print(f"{lines:>5} {own:>11.0f}x {blocked:>11.0f}x {'absent':>12}")
            continue
        theirs = SECONDS / seconds(run)
        expected = run()
        error = np.max(np.abs(BlockRenderer(fdn).process(x)[0] - expected)) / np.max(np.abs(expected))
        if error > 1e-9:
            raise SystemExit(f"the two renderers disagree by {error:.1e} at N = {lines}")
        print(f"{lines:>5} {own:>11.0f}x {blocked:>11.0f}x {theirs:>11.0f}x {own / theirs:>7.1f}")
    for lines in (6, 16):
        own, blocked = speeds(headed(lines), x)
        print(f"{lines:>5} {own:>11.0f}x {blocked:>11.0f}x   with a head of {HEAD_SAMPLES} samples")
        if options.record:
            append(f"render N={lines} with a head", own, "times real time")


if __name__ == "__main__":
    main()
