"""Energy decay as a loss: what is compared with the decay of a target (`fdnlearn.ops.decay`), and by which weights."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from torch import Tensor

from fdnlearn.base.types import Float, Float64, FloatArray, shapes_checked
from fdnlearn.losses.terms import ChannelsTerm, room_means
from fdnlearn.ops.decay import TERMS, DecayTarget, distance
from fdnlearn.rir.target import Target

#: Just-noticeable difference of EDT (ISO 3382-1), by convention also of T20 and T30.
_TIME_JND = 0.05

#: Early-to-late ratios that count, in dB (one JND each): direct-to-reverberant ratio, C50 (and so D50), C80.
_BOUNDARIES_S = (0.0025, 0.05, 0.08)

#: A ratio beyond this is not heard and would only pull on the noise of a tiny energy.
_RATIO_LIMIT_DB = 25.0

#: Regression ranges in dB re the start of the decay.
_REGRESSIONS = {"edt": (0.0, -10.0), "t20": (-5.0, -25.0), "t30": (-5.0, -35.0)}

#: Nothing this far below the start of a decay is compared; the compensated curve is trusted down to the margin above
#: the noise knee.
DEEPEST_DB = 60.0
_KNEE_MARGIN_DB = 3.0

_HOP_S = 0.0005
_EARLY_EMPHASIS_S = 0.1


def hop_samples(sample_rate_hz: float) -> int:
    """Samples between the points of a grid that decays are compared on."""
    return max(1, round(_HOP_S * sample_rate_hz))


def compared_range_db(range_db: float) -> float:
    """How far down a decay is compared that was measured down to `range_db` below its start."""
    return min(DEEPEST_DB, max(range_db - _KNEE_MARGIN_DB, 10.0))


@shapes_checked
def decay_target(
    energy_decay: Float64[FloatArray, "channels samples"], sample_rate_hz: float, *, hop: int, range_db: float
) -> DecayTarget:
    """Prepare the target's decay (channels, samples) for comparison down to `range_db` below its start.

    The weight of a point falls as ``1 / (t + 0.1 s)``: otherwise a long tail would outvote the first
    hundred milliseconds, where clarity and early decay are decided.
    """
    curve = np.maximum(energy_decay[:, ::hop], 1e-30)
    curve = curve / curve[:, :1]
    level = 10 * np.log10(curve)
    time = np.arange(curve.shape[1]) * hop / sample_rate_hz
    weight = np.where(level >= -range_db, 1 / (time + _EARLY_EMPHASIS_S), 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    rows = np.zeros((curve.shape[0], len(_REGRESSIONS), curve.shape[1]))
    for c, channel in enumerate(level):
        for q, (high, low) in enumerate(_REGRESSIONS.values()):
            inside = (channel <= high) & (channel >= low)
            if low < -range_db or inside.sum() < 3:
                continue
            centred = np.where(inside, time - time[inside].mean(), 0.0)
            slope = (centred * channel).sum() / (centred**2).sum()
            rows[c, q] = centred / (centred**2).sum() / abs(slope) / _TIME_JND
    boundaries = np.array([min(round(t * sample_rate_hz / hop), curve.shape[1] - 1) for t in _BOUNDARIES_S])
    late = curve[:, boundaries]
    ratio = 10 * np.log10(np.maximum(1 - late, 1e-12) / late)
    return DecayTarget(
        decay=curve,
        level_db=level,
        counted=np.ones_like(curve),
        weight=weight,
        regressions=rows,
        boundaries=boundaries,
        heard=(np.abs(ratio) < _RATIO_LIMIT_DB).astype(float),
        length=energy_decay.shape[1],
        hop=hop,
    )


def stack(targets: Sequence[DecayTarget]) -> DecayTarget:
    """The channels of several targets one after the other, the shorter filled up with points that do not count.

    They agree in hop and boundaries.
    """
    points = max(target.decay.shape[1] for target in targets)

    def stacked(name: str) -> FloatArray:
        parts = [getattr(target, name) for target in targets]
        missing = [[(0, 0)] * (part.ndim - 1) + [(0, points - part.shape[-1])] for part in parts]
        return np.concatenate([np.pad(*pair) for pair in zip(parts, missing, strict=True)])

    return DecayTarget(
        decay=stacked("decay"),
        level_db=stacked("level_db"),
        counted=stacked("counted"),
        weight=stacked("weight"),
        regressions=stacked("regressions"),
        boundaries=targets[0].boundaries,
        heard=np.concatenate([target.heard for target in targets]),
        length=max(target.length for target in targets),
        hop=targets[0].hop,
    )


@shapes_checked
def energy_decay_loss(
    h: Float[Tensor, "*batch channels samples"], target: DecayTarget, weights: Mapping[str, float]
) -> tuple[Float64[Tensor, "*batch channels"], dict[str, Float64[Tensor, "*batch channels"]]]:
    """Weighted sum (..., channels) of the terms of `fdnlearn.ops.decay`, and the terms by their names.

    Of responses h (..., channels, n); a term without weight counts nothing.

    Raises
    ------
    ValueError
        If the responses are shorter than the target's decay.
    """
    edc, edc_db, attributes = (weights.get(name, 0.0) for name in TERMS)
    total, terms = distance(h, target, (edc, edc_db, attributes))
    return total, {name: terms[..., i] for i, name in enumerate(TERMS)}


class EnergyDecayTerm(ChannelsTerm[DecayTarget]):
    """Distances of the broadband decays; a `fdnlearn.losses.terms.Term`."""

    stack_targets = staticmethod(stack)

    @property
    def kind(self) -> Hashable:
        """Terms that agree in it can be stacked."""
        return (self.target.hop, tuple(self.target.boundaries), len(self.target.decay) // self.rooms)

    @property
    def length_samples(self) -> int:
        """As long as the target's decay."""
        return self.target.length

    @shapes_checked
    def compare(
        self, rows: Float[Tensor, "batch channels samples"], weights: Mapping[str, float]
    ) -> tuple[Float[Tensor, "batch rooms"], dict[str, Float[Tensor, "batch rooms"]]]:
        """Means over the channels of a room."""
        total, terms = energy_decay_loss(rows, self.target, weights)
        return room_means(total, self.rooms), {n: room_means(v, self.rooms) for n, v in terms.items()}


def energy_decay_term(target: Target) -> EnergyDecayTerm:
    """Prepare the decays of a target's channels."""
    fs = target.sample_rate_hz
    return EnergyDecayTerm(
        decay_target(
            target.energy_decay, fs, hop=hop_samples(fs), range_db=compared_range_db(target.range_db)
        )
    )
