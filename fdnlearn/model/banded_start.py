"""What the banded model takes from a room before anything is learned: decay per band, early part, lengths of lines."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from fdnlearn.acoustics.parameters import BandParameters
from fdnlearn.acoustics.slopes import two_slopes
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.model.banded import BandedModel
from fdnlearn.model.early import EARLY, early_part
from fdnlearn.options import Banded
from fdnlearn.rir.target import Target

#: Octaves at which reverberation times are parameters, where the rate has them.
KNOTS_HZ = (62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)
#: Third octaves at which the equaliser has its gains.
TONE_HZ = tuple(1000.0 * 10.0 ** (number / 10.0) for number in range(-13, 14))
#: What `options.KNOTS` names.
_KNOTS = {
    "octave": KNOTS_HZ,
    "third-octave": tuple(1000.0 * 2.0 ** (third / 3.0) for third in range(-12, 13)),
}
#: The highest knot, relative to the rate: the high shelf above it must find room.
_HIGHEST_KNOT = 0.4

FEWEST_LINES = 16
MOST_LINES = 64
#: Modes per hertz that a reverberation needs to sound dense, times its reverberation time (M. R. Schroeder, "Natural
#: sounding artificial reverberation", JAES 10, 1962): the lines together are to be this share of it long.
MODAL_DENSITY = 0.15

#: A band's reverberation time is believed within this factor of the whole spectrum's.
_BAND_SPAN = 8.0

#: A second slope is looked for down to this far above the noise.
_KNEE_MARGIN_DB = 5.0
#: Where a second slope that was asked for starts if the recording shows none.
_SLOWER, _BELOW_DB = 1.5, -15.0

_TWO_SLOPES = (
    "The decay bends in {bent} of {seen} octaves, as in coupled rooms: two groups of lines, around {fast:.2g} s and "
    "{slow:.2g} s, share it (--slopes 1 for one)."
)

_TOO_FEW = (
    "{lines} lines are few for this reverberation: it may sound metallic; its modal density asks for {wanted} "
    "(leave --lines away to have as many)."
)

#: Longest delay: this, and this share of the reverberation time, within the last; and the longest over the shortest.
_LONGEST_S, _LONGEST_SHARE, _LONGEST_LIMIT_S = 0.03, 0.025, 0.1
_DELAY_RATIO = 5.0

#: The early part ends where the room has mixed, within these limits.
_EARLY_S = (0.02, 0.08)


def banded_for(target: Target, options: Banded | None = None) -> BandedModel:
    """The model for a target: unless told otherwise as many lines as its modes ask for, as many slopes as it shows."""
    options = options or Banded()
    fs = target.sample_rate_hz
    knots, tone = (
        np.array([f for f in known if f <= _HIGHEST_KNOT * fs]) for known in (_KNOTS[options.knots], TONE_HZ)
    )
    longest = min(_LONGEST_S + _LONGEST_SHARE * target.reverberation_time_s, _LONGEST_LIMIT_S) * fs
    delays = (longest / _DELAY_RATIO, longest)
    stop = round(min(max(target.mixing_time_s, _EARLY_S[0]), _EARLY_S[1]) * fs)
    kind = EARLY[options.early]
    wanted = lines_for(target, delays)
    lines = options.lines or wanted
    times, levels, notes = slopes_for(target, knots, options.slopes, lines)
    if lines < wanted:
        notes = (*notes, _TOO_FEW.format(lines=lines, wanted=wanted))
    return BandedModel(
        sample_rate_hz=float(fs),
        knots_hz=knots,
        tone_hz=tone,
        times_s=times,
        levels_db=levels,
        options=dataclasses.replace(options, lines=lines, slopes=str(len(times))),
        outputs=target.samples.shape[0],
        delay_range_samples=delays,
        late_delay_samples=max(0, round(kind.begin * (stop - target.direct_samples) - delays[0])),
        early=early_part(target, kind, stop),
        warnings=notes,
    )


def lines_for(target: Target, delay_range_samples: tuple[float, float]) -> int:
    """Number of lines, at least 16, whose delays of the usual spread add up to ``0.15 T60 fs``."""
    low, high = delay_range_samples
    mean = (high - low) / math.log(high / low)
    wanted = MODAL_DENSITY * target.reverberation_time_s * target.sample_rate_hz
    return min(max(FEWEST_LINES, math.ceil(wanted / mean)), MOST_LINES)


@shapes_checked
def slopes_for(
    target: Target, knots_hz: Float64[FloatArray, " knots"], slopes: str, lines: int
) -> tuple[Float64[FloatArray, "groups knots"], Float64[FloatArray, " groups"], tuple[str, ...]]:
    """Reverberation times (G, K) and levels in dB (G,) of the groups of lines that a target's decay asks for.

    `slopes` is one of `options.SLOPES`; by itself a decay gets two groups if it bends in half of its octaves and more.
    The third value says so.
    """
    fs = target.sample_rate_hz
    measured = [room.octave for room in target.parameters]
    single = band_times_s(measured, knots_hz, target.reverberation_time_s)
    found = {
        float(hz): two_slopes(band.decay.curve, fs, band.decay.range_db - _KNEE_MARGIN_DB)
        for hz, band in measured[0].items()
    }
    seen = {hz: pair for hz, pair in found.items() if pair is not None}
    bent = {hz: pair for hz, pair in seen.items() if pair.bent}
    if slopes == "1" or (slopes == "auto" and (len(bent) < 2 or 2 * len(bent) < len(seen))) or lines < 4:
        return single[None], np.zeros(1), ()
    if not bent:
        return single * np.array([[1.0], [_SLOWER]]), np.array([0.0, _BELOW_DB]), ()
    ratio = float(np.median([pair.times_s[1] / pair.times_s[0] for pair in bent.values()]))
    fast = _over_knots(knots_hz, {hz: pair.times_s[0] for hz, pair in bent.items()})
    slow = _over_knots(knots_hz, {hz: pair.times_s[1] for hz, pair in bent.items()})
    # A group's energy is its power times its time.
    level_db = float(np.median([pair.level_db for pair in bent.values()])) - 10.0 * math.log10(ratio)
    note = _TWO_SLOPES.format(
        bent=len(bent),
        seen=len(seen),
        fast=float(np.median(fast)),
        slow=float(np.median(slow)),
    )
    return np.stack([fast, slow]), np.array([0.0, level_db]), (note,)


@shapes_checked
def band_times_s(
    measured: Sequence[Mapping[int, BandParameters]], knots_hz: Float64[FloatArray, " knots"], whole_s: float
) -> Float64[FloatArray, " knots"]:
    """Reverberation time at each knot: T30 or T20 of its octave, the mean of the channels; else the nearest known."""
    known = {}
    for hz in measured[0]:
        times = [time for bands in measured if (time := _time_s(bands[hz])) is not None]
        if times:
            known[float(hz)] = math.exp(float(np.mean(np.log(times))))
    if not known:
        return np.full(knots_hz.size, whole_s)
    return np.clip(_over_knots(knots_hz, known), whole_s / _BAND_SPAN, whole_s * _BAND_SPAN)


def _over_knots(knots_hz: FloatArray, known: Mapping[float, float]) -> FloatArray:
    """Times at octaves, interpolated over the knots."""
    found: FloatArray = np.exp(
        np.interp(np.log2(knots_hz), np.log2(list(known)), np.log(list(known.values())))
    )
    return found


def _time_s(band: BandParameters) -> float | None:
    for name in ("t30_s", "t20_s"):
        value = getattr(band, name)
        if value is not None and band.decay.inr_db > 30.0:
            return float(value)
    return None
