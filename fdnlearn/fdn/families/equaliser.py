"""An equaliser whose response in dB is, nearly, a linear function of its gains in dB.

What `peq-1` shares with the output equaliser of the banded model: a low shelf, peaks and a high shelf of the
cookbook, as many as there are knots. A section's response scales with its gain in dB if its bandwidth is defined
at half its gain in dB, as here (J.-M. Jot, "Proportional parametric equalizers", AES 139, 2015), so that one
constant matrix turns target levels at the knots into gains of the sections.

Arithmetic is written for numbers, arrays and tensors alike: what trains is what runs.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from fdnlearn.base.types import Complex128, Float64, FloatArray, Shaped, shapes_checked
from fdnlearn.fdn.biquads import COOKBOOK

#: Q of a peak between knots an octave apart, and of the shelves: those of a maximally flat shelf.
OCTAVE_Q = math.sqrt(2.0)
SHELF_Q = math.sqrt(0.5)
#: Gain in dB at which the matrix is measured.
PROTOTYPE_DB = 4.0
#: Knots at or above this part of half the rate have no section: what they ask for is not heard.
HIGHEST = 0.95


@shapes_checked
@dataclass(frozen=True, eq=False)
class Equaliser:
    """Sections for given knots at a given rate.

    Attributes
    ----------
    types : tuple of str
        Keys of `COOKBOOK`, one a section.
    centres_hz, q : tuple of float
    commands : ndarray, shape (S, S)
        Target levels at the knots (dB) to gains of the sections (dB).
    sample_rate_hz : float
    """

    types: tuple[str, ...]
    centres_hz: tuple[float, ...]
    q: tuple[float, ...]
    commands: Float64[FloatArray, "sections sections"]
    sample_rate_hz: float

    @shapes_checked
    def commands_on(self, xp: ModuleType, device: Any) -> Float64[Any, "sections sections"]:
        """`commands`, transposed, as an array of `xp` on a device."""
        return _commands(self, xp, device)

    @shapes_checked
    def sections(
        self, xp: ModuleType, gains_db: Shaped[Any, "*batch sections"]
    ) -> Shaped[Any, "*batch sections 6"]:
        """Sections (..., S, 6), rows ``b0 b1 b2 1 a1 a2``, for gains (..., S), arrays of `xp`, complex ones too."""
        parts = []
        for kind, run, cosines, alphas in _runs(self, xp, gains_db.device):
            root = xp.exp(gains_db[..., run] * (math.log(10.0) / 80.0))
            b, a = COOKBOOK[kind](root * root, root, cosines, alphas)
            one = xp.ones_like(root)
            parts.append(xp.stack([*(x / a[0] for x in b), one, *(x / a[0] for x in a[1:])], -1))
        return xp.concatenate(parts, -2)


@functools.lru_cache(maxsize=64)
def _commands(eq: Equaliser, xp: ModuleType, device: Any) -> Any:
    return xp.asarray(eq.commands.T, device=device)


@functools.lru_cache(maxsize=64)
def _runs(eq: Equaliser, xp: ModuleType, device: Any) -> tuple[tuple[str, slice, Any, Any], ...]:
    """Neighbouring sections of one type, their ``cos w0`` and ``alpha`` as an array on a device: each run in one go."""
    w = 2.0 * np.pi * np.array(eq.centres_hz) / eq.sample_rate_hz
    cosines, alphas = np.cos(w), np.sin(w) / (2.0 * np.array(eq.q))
    runs, first = [], 0
    for kind, group in itertools.groupby(eq.types):
        run = slice(first, first + len(list(group)))
        constants = (xp.asarray(values[run], device=device) for values in (cosines, alphas))
        runs.append((kind, run, *constants))
        first = run.stop
    return tuple(runs)


@functools.lru_cache(maxsize=64)
def equaliser(frequencies_hz: Sequence[float], sample_rate_hz: float) -> Equaliser:
    """Low shelf between the first two knots, a peak at each inner knot, high shelf between the last two.

    A peak's Q is sqrt(2) where its neighbours are an octave away and goes with the inverse of their distance in
    octaves.

    Parameters
    ----------
    frequencies_hz : tuple of float
        Ascending, at least three, all below half the rate; see `reach`.
    sample_rate_hz : float
    """
    knots = frequencies_hz
    inner = knots[1:-1]
    octaves = [math.log2(knots[i + 2] / knots[i]) / 2.0 for i in range(len(inner))]
    unit = Equaliser(
        types=("low_shelf", *["peaking"] * len(inner), "high_shelf"),
        centres_hz=(math.sqrt(knots[0] * knots[1]), *inner, math.sqrt(knots[-2] * knots[-1])),
        q=(SHELF_Q, *(OCTAVE_Q / width for width in octaves), SHELF_Q),
        commands=np.zeros((0, 0)),
        sample_rate_hz=sample_rate_hz,
    )
    matrix = interaction(unit, np.full(len(knots), PROTOTYPE_DB), np.array(knots))
    return replace(unit, commands=np.asarray(np.linalg.inv(matrix), dtype=np.float64))


@shapes_checked
def reach(frequencies_hz: Float64[FloatArray, " knots"], sample_rate_hz: float) -> int:
    """How many of the knots an equaliser at this rate can have: those below 0.95 of half the rate."""
    return int(np.sum(frequencies_hz < HIGHEST * sample_rate_hz / 2.0))


@shapes_checked
def interaction(
    eq: Equaliser,
    gains_db: Float64[FloatArray, "*batch sections"],
    frequencies_hz: Float64[FloatArray, " bins"],
) -> Float64[FloatArray, "*batch bins sections"]:
    """Level in dB at the frequencies per dB of gain of each section, shape (..., F, S); `gains_db` is (..., S)."""
    sos = eq.sections(np, gains_db)
    level = 20.0 * np.log10(np.abs(response(sos, frequencies_hz, eq.sample_rate_hz)))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(gains_db[..., None] != 0.0, level / gains_db[..., None], 0.0)
    return np.swapaxes(share, -1, -2)


@shapes_checked
def response(
    sos: Float64[FloatArray, "*batch sections 6"],
    frequencies_hz: Float64[FloatArray, " bins"],
    sample_rate_hz: float,
) -> Complex128[Any, "*batch sections bins"]:
    """Complex response of every section (..., S, F)."""
    powers = np.exp(-2j * np.pi / sample_rate_hz * np.outer(np.arange(3), frequencies_hz))
    return (sos[..., :3] @ powers) / (sos[..., 3:] @ powers)
