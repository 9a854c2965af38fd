"""What the page draws of a response: energy decay and echo density as few points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fdnlearn.base.types import FloatArray

if TYPE_CHECKING:
    from fdnlearn.rir import Target


_POINTS = 160
_TINY = 1e-30


def room_curves(target: Target) -> dict[str, Any]:
    """The recording's own curves, and the axes that a fit's curves share with them.

    Returns
    -------
    dict
        ``decay_s`` and ``density_s`` (times), ``decay_db`` and ``density`` (values), ``range_db``, ``knee_s``.
    """
    decay_s, density_s = _times(target)
    decay = np.asarray(target.energy_decay[0], dtype=np.float64)
    return {
        "decay_s": _short(decay_s, 4),
        "density_s": _short(density_s, 5),
        "decay_db": _decay_db(decay, float(decay[0]), target.sample_rate_hz, decay_s),
        "density": _density(target.samples[0], target.sample_rate_hz, density_s),
        "range_db": round(target.range_db, 1),
        "knee_s": target.length_samples / target.sample_rate_hz,
    }


def fit_curves(target: Target, response: FloatArray) -> dict[str, Any]:
    """The same of a response (n,) on the target's scale: ``decay_db`` and ``density`` at the room's times."""
    from fdnlearn.acoustics.energy_decay import schroeder

    decay_s, density_s = _times(target)
    return {
        "decay_db": _decay_db(
            schroeder(response), float(target.energy_decay[0, 0]), target.sample_rate_hz, decay_s
        ),
        "density": _density(response, target.sample_rate_hz, density_s),
    }


def _times(target: Target) -> tuple[FloatArray, FloatArray]:
    from fdnlearn.acoustics.echo_density import WINDOW_S

    rate = target.sample_rate_hz
    knee_s = target.length_samples / rate
    density_end_s = max(min(target.reverberation_time_s, knee_s), 3.0 * WINDOW_S)
    return np.linspace(0.0, knee_s, _POINTS), np.geomspace(WINDOW_S / 2.0, density_end_s, _POINTS)


def _decay_db(decay: FloatArray, reference: float, rate: int, at_s: FloatArray) -> list[float | None]:
    index = np.round(at_s * rate).astype(int)
    inside = index < decay.size
    level = 10.0 * np.log10(
        np.maximum(decay[np.minimum(index, decay.size - 1)], _TINY) / max(reference, _TINY)
    )
    return [round(float(db), 2) if ok else None for db, ok in zip(level, inside, strict=True)]


def _density(h: FloatArray, rate: int, at_s: FloatArray) -> list[float]:
    from fdnlearn.acoustics.echo_density import WINDOW_S, echo_density

    hop = max(1, rate // 2000)
    length = round((at_s[-1] + WINDOW_S) * rate)
    profile = echo_density(np.asarray(h[:length], dtype=np.float64), rate, hop=hop)
    if profile.size == 0:
        return []
    frames = np.clip(np.round((at_s - WINDOW_S / 2.0) * rate / hop).astype(int), 0, profile.size - 1)
    return _short(profile[frames], 3)


def _short(values: FloatArray, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
