"""Whether a figure is the room's or that of how it happens to be recorded.

A figure that counts keeps its value within one just-noticeable difference when the recording is a tenth shorter, and
when it has half as much noise again. And the decay that it is read from is one of a room.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from fdnlearn.acoustics.bands import Octave, filter_octaves
from fdnlearn.acoustics.energy_decay import EnergyDecay
from fdnlearn.acoustics.quantities import JND_TABLE
from fdnlearn.base.types import Float64, FloatArray, shapes_checked

Values = Mapping[str, float | None]

#: Of ratios of energies that have no just-noticeable difference, in dB: what the others have.
_UNNAMED = 1.0
#: How far a value may move: a just-noticeable difference, relative of times and absolute of the others.
TOLERANCE: Mapping[str, float] = MappingProxyType(
    {
        quantity.value_key: (quantity.jnd or _UNNAMED) / (100.0 if quantity.error_unit == "%" else 1.0)
        for quantity in JND_TABLE
    }
)
#: Part of the recording that is left.
_SHORTER = 0.9
#: Power of the noise that is added, re the noise that is there.
_NOISE = 0.5
_SEED = 3382
#: How much shorter T30 may be than T20, and how many times as long EDT, besides what is chance.
_BEND, _HELD_UP = 0.05, 1.5


@shapes_checked
def noise_like(
    h: Float64[FloatArray, " samples"], sample_rate_hz: float, bands: tuple[Octave, ...]
) -> tuple[FloatArray, ...]:
    """Noise of power one for the whole signal and for each of the bands, every time the same."""
    white = np.random.default_rng(_SEED).standard_normal(h.size)
    every = (white, *(filtered for filtered, _ in filter_octaves(white, sample_rate_hz, bands)))
    return tuple(noise / max(np.sqrt(np.mean(np.square(noise))), 1e-300) for noise in every)


@shapes_checked
def unsteady(
    h: Float64[FloatArray, " samples"],
    decay: EnergyDecay,
    values: Values,
    noise: Float64[FloatArray, " samples"],
    measure: Callable[[FloatArray], Values],
) -> dict[str, str]:
    """Which of the values of a response change too much, and when.

    Parameters
    ----------
    h : ndarray, shape (n,)
        Of one band, from its onset on.
    decay : EnergyDecay
        Of `h`, its noise found.
    values : mapping of str to float or None
        Measured from it.
    noise : ndarray, shape (n,)
        Of power one, of this band.
    measure : callable
        Measures the same of another response.
    """
    found: dict[str, str] = {}
    changed = [("a recording a tenth shorter", h[: round(_SHORTER * h.size)])]
    if decay.noise_power > 0.0:
        changed.append(("half as much noise again", h + math.sqrt(_NOISE * decay.noise_power) * noise))
    for words, other in changed:
        for name, value in measure(other).items():
            if values[name] is not None and not _near(name, values[name], value):
                told = "no value" if value is None else _told(name, value)
                found.setdefault(name, f"{words} gives {told}")
    return found


def bent_down(values: Values, band: Octave | None) -> dict[str, str]:
    """Which values do not count of a decay that falls faster the longer it lasts, and why.

    Exponentials of any times add up to a decay that bends the other way: T30 is not shorter than T20 but by chance
    (ISO 3382-2:2008, B.3), of which three standard deviations are allowed for (eq. 4, for ten averages, as an
    integrated impulse response is worth). Early reflections may hold up the first 10 dB, but hardly by that much.
    """
    edt, t20, t30 = (values[name] for name in ("edt_s", "t20_s", "t30_s"))
    if t20 is None:
        return {}
    chance = 0.0 if band is None else 3.0 * 0.88 * math.sqrt(1.19 / (band.bandwidth_hz * t20))
    if edt is not None and edt > t20 * (_HELD_UP + chance):
        reason = f"EDT {edt:.2f} s, T20 {t20:.2f} s: gated, or begins before its direct sound"
        return dict.fromkeys(values, reason)
    if t30 is not None and t30 < t20 * (1.0 - _BEND - chance):
        reason = f"T30 {t30:.2f} s is shorter than T20 {t20:.2f} s: faded out, gated or cut"
        return dict.fromkeys(("t20_s", "t30_s", "edt_s"), reason)
    return {}


def _near(name: str, value: float | None, other: float | None) -> bool:
    if value is None or other is None:
        return value is other
    scale = abs(value) if name.endswith("_s") and name != "ts_ms" else 1.0
    return abs(other - value) <= TOLERANCE[name] * scale


def _told(name: str, value: float) -> str:
    """A value in words."""
    unit = {"s": "s", "db": "dB", "percent": "%", "ms": "ms"}[name.rsplit("_", 1)[1]]
    return f"{value:.2f} {unit}" if unit == "s" else f"{value:.1f} {unit}"
