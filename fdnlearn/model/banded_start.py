"""What the banded model takes from a room before anything is learned: decay per band, early taps, lengths of lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from fdnlearn.acoustics.parameters import BandParameters, room_parameters
from fdnlearn.model.banded import Banded
from fdnlearn.rir.target import Target

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Octaves at which reverberation time and tone are parameters, where the rate has them.
KNOTS_HZ = (62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)
#: The highest knot, relative to the rate: the high shelf above it must find room.
_HIGHEST_KNOT = 0.4

FEWEST_LINES = 16
MOST_LINES = 64
#: Modes per hertz that a reverberation needs to sound dense, times its reverberation time (M. R. Schroeder, "Natural
#: sounding artificial reverberation", JAES 10, 1962): the lines together are to be this share of it long.
MODAL_DENSITY = 0.15

#: A band's reverberation time is believed within this factor of the whole spectrum's.
_BAND_SPAN = 8.0

_TOO_FEW = (
    "{lines} lines are few for this reverberation: it may sound metallic; its modal density asks for {wanted} "
    "(leave --lines away to have as many)."
)

#: Longest delay: this, and this share of the reverberation time, within the last; and the longest over the shortest.
_LONGEST_S, _LONGEST_SHARE, _LONGEST_LIMIT_S = 0.03, 0.025, 0.1
_DELAY_RATIO = 5.0

#: The early part ends where the room has mixed, within these limits.
_EARLY_S = (0.02, 0.08)
_TAPS = 200
#: Nothing else within this time of a tap.
_TAP_DISTANCE_S = 1.2e-4


def banded_for(target: Target, lines: int = 0, early: str | None = None) -> Banded:
    """The model for a target, with the given number of lines or (0) as many as its modes ask for.

    `early` is ``"sparse"`` (taps that are learned, the default), ``"measured"`` (the recording's own early part) or
    ``"none"``.
    """
    fs = target.sample_rate_hz
    knots = np.array([f for f in KNOTS_HZ if f <= _HIGHEST_KNOT * fs])
    longest = min(_LONGEST_S + _LONGEST_SHARE * target.reverberation_time_s, _LONGEST_LIMIT_S) * fs
    delays = (longest / _DELAY_RATIO, longest)
    stop = round(min(max(target.mixing_time_s, _EARLY_S[0]), _EARLY_S[1]) * fs)
    positions, gains = _EARLY[early or "sparse"](target.samples, fs, stop)
    # The network may begin while the taps go on: half way, or where it leaves off at the recording's own early part.
    begin = {"sparse": 0.5, "measured": 0.8, "none": 0.0}[early or "sparse"] * stop
    wanted = lines_for(target, delays)
    return Banded(
        sample_rate_hz=float(fs),
        knots_hz=knots,
        times_s=band_times_s(target, knots),
        lines=lines or wanted,
        outputs=target.samples.shape[0],
        delay_range_samples=delays,
        late_delay_samples=max(0, round(begin - delays[0])),
        tap_positions=positions,
        tap_gains=gains,
        measured=early == "measured",
        warnings=() if (lines or wanted) >= wanted else (_TOO_FEW.format(lines=lines, wanted=wanted),),
    )


def lines_for(target: Target, delay_range_samples: tuple[float, float]) -> int:
    """Number of lines, at least 16, whose delays of the usual spread add up to ``0.15 T60 fs``."""
    low, high = delay_range_samples
    mean = (high - low) / math.log(high / low)
    wanted = MODAL_DENSITY * target.reverberation_time_s * target.sample_rate_hz
    return min(max(FEWEST_LINES, math.ceil(wanted / mean)), MOST_LINES)


def band_times_s(target: Target, knots_hz: FloatArray) -> FloatArray:
    """Reverberation time at each knot: T30 or T20 of its octave, the mean of the channels; else the nearest known."""
    measured = [room_parameters(h, target.sample_rate_hz, "auto").octave for h in target.samples]
    known = {}
    for hz in measured[0]:
        times = [time for bands in measured if (time := _time_s(bands[hz])) is not None]
        if times:
            known[float(hz)] = math.exp(float(np.mean(np.log(times))))
    if not known:
        return np.full(knots_hz.size, target.reverberation_time_s)
    found = np.exp(np.interp(np.log2(knots_hz), np.log2(list(known)), np.log(list(known.values()))))
    whole = target.reverberation_time_s
    return np.clip(found, whole / _BAND_SPAN, whole * _BAND_SPAN)


def _time_s(band: BandParameters) -> float | None:
    for name in ("t30_s", "t20_s"):
        value = getattr(band, name)
        if value is not None and band.decay.inr_db > 30.0:
            return float(value)
    return None


def early_taps(samples: FloatArray, sample_rate_hz: float, stop: int) -> tuple[IntArray, FloatArray]:
    """The strongest samples of each channel between the direct sound and `stop`, none next to another.

    Returns
    -------
    positions, gains : ndarray, shapes (channels, P)
    """
    apart = max(1, round(_TAP_DISTANCE_S * sample_rate_hz))
    stop = min(stop, samples.shape[1])
    count = max(0, min(_TAPS, (stop - 1) // (2 * apart + 1)))
    positions = np.zeros((samples.shape[0], count), dtype=np.int64)
    for channel, h in enumerate(samples):
        left = np.abs(h[:stop]).copy()
        left[0] = -1.0
        for index in range(count):
            at = int(np.argmax(left))
            positions[channel, index] = at
            left[max(0, at - apart) : at + apart + 1] = -1.0
    positions.sort(axis=1)
    return positions, np.take_along_axis(samples, positions, axis=1)


def measured_early(samples: FloatArray, sample_rate_hz: float, stop: int) -> tuple[IntArray, FloatArray]:
    """Every sample of each channel between the direct sound and `stop`, faded out over the last third."""
    stop = min(stop, samples.shape[1])
    fade = np.ones(stop)
    last = stop // 3
    fade[stop - last :] = 0.5 + 0.5 * np.cos(np.pi * (np.arange(last) + 0.5) / max(last, 1))
    positions = np.tile(np.arange(1, stop), (samples.shape[0], 1))
    return positions, (samples[:, :stop] * fade)[:, 1:]


def no_early(samples: FloatArray, sample_rate_hz: float, stop: int) -> tuple[IntArray, FloatArray]:
    """No taps."""
    return np.zeros((samples.shape[0], 0), dtype=np.int64), np.zeros((samples.shape[0], 0))


_EARLY: Mapping[str, Callable[[FloatArray, float, int], tuple[IntArray, FloatArray]]] = {
    "sparse": early_taps,
    "measured": measured_early,
    "none": no_early,
}
