"""What a room costs in real time: the player's core and the C99 export, on one core at 48 kHz.

``python benchmarks/player.py``; needs g++ and gcc.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from history import add_option, append

from fdnlearn.export import export
from fdnlearn.export.player import fit_text, source_folder
from fdnlearn.fdn import FDN

SAMPLE_RATE_HZ = 48000
SECONDS = 5
BLOCK = 64
KNOTS_HZ = [31.25 * 2.0**k for k in range(10)]
TURNS = 3

C_PROGRAM = """\
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "room.h"
static room_state room;
int main(void)
{
    static float x[2][64], y[2][64];
    const float *in[2] = {x[0], x[1]};
    float *out[2] = {y[0], y[1]};
    double best[7];
    for (int k = 0; k < 2; ++k)
        for (int t = 0; t < 64; ++t)
            x[k][t] = (float)rand() / RAND_MAX - 0.5f;
    for (int repeat = 0; repeat < 7; ++repeat) {
        room_reset(&room);
        const clock_t start = clock();
        for (long done = 0; done < 48000L * SECONDS; done += 64)
            room_process(&room, in, out, 64);
        best[repeat] = (double)(clock() - start) / CLOCKS_PER_SEC / SECONDS;
        for (int i = repeat; i > 0 && best[i] < best[i - 1]; --i) {
            const double swap = best[i];
            best[i] = best[i - 1];
            best[i - 1] = swap;
        }
    }
    printf("%.6f\\n", best[3]);
    return 0;
}
"""


def homogeneous() -> FDN:
    """Six lines, mono."""
    rng = np.random.default_rng(0)
    delays = np.sort(rng.choice(np.arange(300, 2400), 6, replace=False))
    return FDN.from_arrays(
        sample_rate_hz=SAMPLE_RATE_HZ,
        delays=delays,
        feedback_matrix=np.linalg.qr(rng.standard_normal((6, 6)))[0],
        input_gains=rng.standard_normal((6, 1)),
        output_gains=rng.standard_normal((1, 6)),
        direct_gains=np.ones((1, 1)),
        line_gains=10.0 ** (-3.0 * delays / (SAMPLE_RATE_HZ * 1.5)),
    )


def banded(inputs: int, taps: int) -> FDN:
    """Sixteen lines with ten sections each, stereo, an equaliser of ten sections, `taps` early taps in every output."""
    rng = np.random.default_rng(1)
    delays = np.sort(rng.choice(np.arange(300, 3000), 16, replace=False))
    plain = FDN.from_arrays(
        sample_rate_hz=SAMPLE_RATE_HZ,
        delays=delays,
        feedback_matrix=np.linalg.qr(rng.standard_normal((16, 16)))[0],
        input_gains=rng.standard_normal((16, inputs)),
        output_gains=rng.standard_normal((2, 16)),
        direct_gains=np.ones((2, inputs)),
        line_gains=np.full(16, 0.5),
    )
    places = sorted(rng.choice(np.arange(1, 2000), taps, replace=False).tolist())
    echoes = [
        {"samples": int(at), "gain": float(g)}
        for at, g in zip(places, rng.standard_normal(taps), strict=True)
    ]
    return FDN.model_validate(
        plain.model_dump()
        | {
            "absorption": {
                "kind": "reverberation_time",
                "family": "peq-1",
                "frequencies_hz": KNOTS_HZ,
                "times_s": [np.linspace(2.0, 0.6, len(KNOTS_HZ)).tolist()],
                "line_groups": [0] * 16,
            },
            "tone": [{"type": "peaking", "frequency_hz": hz, "gain_db": 1.0, "q": 1.4} for hz in KNOTS_HZ],
            "early": [{"kind": "sparse", "output": o, "input": 0, "taps": echoes} for o in (0, 1) if taps],
        }
    )


def headed(samples: int) -> FDN:
    """The same, and a head of its own in every output."""
    rng = np.random.default_rng(2)
    fields = banded(1, 272).model_dump()
    shape = np.exp(-np.abs(np.arange(samples) - samples // 2) / (0.1 * samples))
    head = [
        {"output": o, "input": 0, "coefficients": (shape * rng.standard_normal(samples)).tolist()}
        for o in (0, 1)
    ]
    return FDN.model_validate(fields | {"version": 2, "head": head, "direct_peak_samples": samples // 2})


def figure(command: list[str]) -> list[float]:
    """The numbers that a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def c_cost(fdn: FDN, folder: Path, flags: list[str]) -> list[str]:
    """The compiled C export, as a command."""
    export(fdn, "c99", folder, name="room")
    (folder / "main.c").write_text(C_PROGRAM)
    program = folder / ("main" + "".join(flags).replace("=", "-"))
    command = ["gcc", "-std=c99", f"-DSECONDS={SECONDS}", *flags, str(folder / "main.c"), "-o", str(program)]
    subprocess.run(command, check=True)
    return [str(program)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_option(parser)
    options = parser.parse_args()
    source = source_folder()
    loop = source.parents[1] / "fdnlearn" / "export" / "c"
    print(
        f"processor time per second of audio at {SAMPLE_RATE_HZ} Hz, blocks of {BLOCK}, "
        f"median of 7, best of {TURNS} turns"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        player = folder / "bench"
        flags = ["-std=c++17", "-O3", "-ffp-contract=off", "-I", str(loop)]
        subprocess.run(["g++", *flags, str(source / "tests" / "bench.cpp"), "-o", str(player)], check=True)
        cases = {
            "N = 6, mono": homogeneous(),
            "N = 16 banded, stereo": banded(1, 0),
            "N = 16 banded, 2 in 2 out": banded(2, 0),
            "N = 16 banded, stereo, 272 taps": banded(1, 272),
            "the same, head of 330 samples": headed(330),
        }
        for index, (title, fdn) in enumerate(cases.items()):
            fit = folder / f"{index}.json"
            fit.write_text(fit_text(fdn))
            ways = {"player": [str(player), str(fit), str(SAMPLE_RATE_HZ), str(SECONDS), str(BLOCK)]}
            for flags in (["-O2"], ["-O3"], ["-O3", "-march=x86-64-v3"]):
                place = folder / f"{index}"
                place.mkdir(exist_ok=True)
                ways[f"c99 {' '.join(flags)}"] = c_cost(fdn, place, flags)
            best: dict[str, list[float]] = {}
            for _ in range(TURNS):
                for way, command in ways.items():
                    figures = figure(command)
                    best[way] = min(best.get(way, figures), figures, key=lambda f: f[-1])
            for way, figures in best.items():
                loading = f", loading {1e3 * figures[0]:.1f} ms" if way == "player" else ""
                print(f"{title:34} {way:28} {100 * figures[-1]:6.2f} %  {1 / figures[-1]:6.0f}x{loading}")
                if options.record:
                    append(f"{way} {title}", 100 * figures[-1], "% of a core")


if __name__ == "__main__":
    main()
