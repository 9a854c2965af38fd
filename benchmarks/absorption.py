"""How well absorption filters keep reverberation times, and what they cost: error against multiplies a sample.

    FDNLEARN_ROOMS=folder python benchmarks/absorption.py [--write docs/absorption.md]

Four designs, each closed form, from the same times at octave knots (62.5 Hz to 16 kHz) to one filter a line at 48 kHz:
`peq-1` as the package has it; the same sections designed twice, the second time with the interaction that they have at
the gains of the first (V. Valimaki and J. Liski, "Accurate cascade graphic equalizer", IEEE SPL 24, 2017); three
shelves two octaves and more apart, their gains by least squares; one pole (J.-M. Jot and A. Chaigne, AES 90, 1991).
Curves are the octave times of the measured rooms, where there are any, and random ones; delays 5 to 80 ms.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rooms import REPORT, TUNE

from fdnlearn.base.types import FloatArray
from fdnlearn.fdn.families import FAMILIES
from fdnlearn.fdn.families.equaliser import SHELF_Q, Equaliser, equaliser, interaction, response
from fdnlearn.model.banded_start import KNOTS_HZ, slopes_for
from fdnlearn.rir import load_target

Design = Callable[[FloatArray, FloatArray, FloatArray, float], tuple[FloatArray, FloatArray]]

RATE_HZ = 48000.0
DELAYS_S = (0.005, 0.01, 0.02, 0.04, 0.08)
KNOTS = np.array(KNOTS_HZ)
#: Knots whose times count: those of the octaves that are measured.
COUNTED = slice(1, 8)
RANDOM_CURVES = 200


def levels_db(times_s: FloatArray, delays: FloatArray, rate_hz: float) -> FloatArray:
    """What a line must lose in one round trip."""
    wanted: FloatArray = -60.0 * delays[:, None] / (rate_hz * times_s)
    return wanted


def twice(
    knots: FloatArray, times_s: FloatArray, delays: FloatArray, rate_hz: float
) -> tuple[FloatArray, FloatArray]:
    """The sections of `peq-1`, designed a second time with the interaction at the gains of the first."""
    eq = equaliser(tuple(knots.tolist()), rate_hz)
    wanted = levels_db(times_s, delays, rate_hz)
    mean = wanted.mean(axis=1)
    first = (wanted - mean[:, None]) @ eq.commands.T
    second = np.linalg.solve(interaction(eq, first, knots), (wanted - mean[:, None])[..., None])[..., 0]
    return 10.0 ** (mean / 20.0), np.asarray(eq.sections(np, second))


#: Where the three shelves step.
SHELVES_HZ = (250.0, 1500.0, 8000.0)


def shelves(
    knots: FloatArray, times_s: FloatArray, delays: FloatArray, rate_hz: float
) -> tuple[FloatArray, FloatArray]:
    """A gain and three high shelves, their gains by least squares over the knots."""
    unit = Equaliser(("high_shelf",) * 3, SHELVES_HZ, (SHELF_Q,) * 3, np.zeros((0, 0)), rate_hz)
    steps = interaction(unit, np.full(3, 4.0), knots)
    basis = np.column_stack([np.ones(knots.size), steps])
    unit = replace(unit, commands=np.linalg.pinv(basis))
    found = levels_db(times_s, delays, rate_hz) @ unit.commands.T
    return 10.0 ** (found[:, 0] / 20.0), np.asarray(unit.sections(np, found[:, 1:]))


def one_pole(
    knots: FloatArray, times_s: FloatArray, delays: FloatArray, rate_hz: float
) -> tuple[FloatArray, FloatArray]:
    """One pole through the losses at 0 Hz (those of the lowest knot) and half the rate (of the highest)."""
    wanted = 10.0 ** (levels_db(times_s[:, [0, -1]], delays, rate_hz) / 20.0)
    ratio = wanted[:, 1] / wanted[:, 0]
    pole = (1.0 - ratio) / (1.0 + ratio)
    sos = np.zeros((delays.size, 1, 6))
    sos[:, 0, 0], sos[:, 0, 3], sos[:, 0, 4] = 1.0 - pole, 1.0, -pole
    return wanted[:, 0], sos


@dataclass(frozen=True)
class Candidate:
    """A design, and multiplies a sample and line of its filter (five a section, one of them the gain's)."""

    design: Design
    multiplies: int


CANDIDATES: Mapping[str, Candidate] = {
    "peq-1": Candidate(FAMILIES["peq-1"].design, 1 + 5 * KNOTS.size),
    "peq-1 designed twice": Candidate(twice, 1 + 5 * KNOTS.size),
    "three shelves": Candidate(shelves, 1 + 5 * 3),
    "one pole": Candidate(one_pole, 2),
}


def errors_percent(design: Design, times_s: FloatArray) -> FloatArray:
    """Error of the time that each line's filter means, at the counted knots, (lines, knots)."""
    delays = np.array(DELAYS_S) * RATE_HZ
    gains, sos = design(KNOTS, np.tile(times_s, (delays.size, 1)), delays, RATE_HZ)
    magnitude = np.abs(gains[:, None] * np.prod(response(sos, KNOTS, RATE_HZ), axis=1))
    # Where next to nothing is lost the loop's cap may hold; a line that is silent has no time.
    realised = -60.0 * delays[:, None] / (RATE_HZ * 20.0 * np.log10(np.clip(magnitude, 1e-300, 1 - 1e-9)))
    heard = levels_db(np.tile(times_s, (delays.size, 1)), delays, RATE_HZ) > -60.0
    miss: FloatArray = 100.0 * np.abs(realised / times_s - 1.0)
    return np.where(heard, miss, np.nan)[:, COUNTED]


def random_curves(count: int) -> list[FloatArray]:
    """Times from 0.2 to 6 s whose neighbours differ by a factor of 1.25 (rms)."""
    rng = np.random.default_rng(0)
    curves = []
    for _ in range(count):
        walk = np.cumsum(rng.normal(0.0, np.log(1.25), KNOTS.size))
        curves.append(np.exp(rng.uniform(np.log(0.4), np.log(3.0)) + walk - walk.mean()).clip(0.2, 6.0))
    return curves


def measured_curves(folder: Path) -> list[FloatArray]:
    """Octave times of the measured rooms."""
    paths = [folder / f"{name}.wav" for name in (*TUNE, *REPORT)]
    targets = [load_target(path, sample_rate_hz=int(RATE_HZ)) for path in paths if path.exists()]
    return [slopes_for(target, KNOTS, "1", 16)[0][0] for target in targets]


def design_ms(design: Design) -> float:
    """Median time of designing 16 lines."""
    delays = np.linspace(240.0, 3000.0, 16)
    times = np.tile(random_curves(1)[0], (16, 1))
    spent = []
    for _ in range(21):
        started = time.perf_counter()
        design(KNOTS, times, delays, RATE_HZ)
        spent.append(1e3 * (time.perf_counter() - started))
    return statistics.median(spent)


def table(curves: Sequence[FloatArray]) -> str:
    """One row a design."""
    rows = ["| design | multiplies | median | 95 % | worst | design / ms |", "|---|---|---|---|---|---|"]
    for name, candidate in CANDIDATES.items():
        found = np.concatenate([errors_percent(candidate.design, curve).ravel() for curve in curves])
        found = found[np.isfinite(found)]
        told = [f"{np.percentile(found, q):.2g} %" for q in (50, 95, 100)]
        rows.append(
            f"| {name} | {candidate.multiplies} | {' | '.join(told)} | {design_ms(candidate.design):.1f} |"
        )
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="also write the tables into this Markdown file")
    options = parser.parse_args(arguments)
    parts = [
        "# Absorption filters compared\n\n"
        "Written by `benchmarks/absorption.py`: error of the reverberation time that a line's filter means, at the "
        "octaves from 125 Hz to 8 kHz, for delays of 5 to 80 ms at 48 kHz; multiplies a sample and line; time to "
        f"design 16 lines. {platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}."
    ]
    if folder := os.environ.get("FDNLEARN_ROOMS"):
        curves = measured_curves(Path(folder))
        parts.append(f"## Octave times of {len(curves)} measured rooms\n\n{table(curves)}")
    parts.append(f"## {RANDOM_CURVES} random curves, 0.2 to 6 s\n\n{table(random_curves(RANDOM_CURVES))}")
    print("\n\n".join(parts))
    if options.write:
        options.write.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
