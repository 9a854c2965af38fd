"""Energy decay: the published linear term, its counterpart in decibels, and the attributes read off the curve."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fdnlearn.base.jit import KERNEL_LOCK
from fdnlearn.base.types import FloatArray
from fdnlearn.ops.decay import cpu as kernel
from fdnlearn.ops.decay.cpu import EARLY_FLOOR

#: Just-noticeable difference of EDT (ISO 3382-1), by convention also of T20 and T30.
_TIME_JND = 0.05

#: Early-to-late ratios that count, in dB (one JND each): direct-to-reverberant ratio, C50 (and so D50), C80.
_BOUNDARIES_S = (0.0025, 0.05, 0.08)

#: A ratio beyond this is not heard and would only pull on the noise of a tiny energy.
_RATIO_LIMIT_DB = 25.0

#: Regression ranges in dB re the start of the decay.
_REGRESSIONS = {"edt": (0.0, -10.0), "t20": (-5.0, -25.0), "t30": (-5.0, -35.0)}


@dataclass(frozen=True, eq=False)
class DecayTarget:
    """A target decay on a grid of samples, and what is compared with it.

    Attributes
    ----------
    decay : ndarray, shape (channels, points)
        Noise-compensated Schroeder integral, one at the start.
    level_db : ndarray, shape (channels, points)
    counted : ndarray, shape (channels, points)
        One where the linear term compares, zero after the end of a channel that is shorter than others.
    weight : ndarray, shape (channels, points)
        Share of each point in the decibel term; zero outside the usable range, sums to one a channel.
    regressions : ndarray, shape (channels, quantities, points)
        Rows that turn a decibel error of the curve into errors of T20, T30 and EDT, counted in JND.
    boundaries : ndarray of int, shape (ratios,)
        Grid points that part early from late energy.
    heard : ndarray, shape (channels, ratios)
        One where the early-to-late ratio counts, else zero.
    length, hop : int
        Samples covered and samples between points.
    """

    decay: FloatArray
    level_db: FloatArray
    counted: FloatArray
    weight: FloatArray
    regressions: FloatArray
    boundaries: npt.NDArray[np.int64]
    heard: FloatArray
    length: int
    hop: int

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """What a kernel needs, in its order."""
        parts = (self.decay, self.level_db, self.counted, self.weight)
        return *parts, self.regressions, self.boundaries, self.heard


def decay_target(
    energy_decay: FloatArray, sample_rate_hz: float, *, hop: int, range_db: float, early_emphasis_s: float
) -> DecayTarget:
    """Prepare the target's decay (channels, samples) for comparison down to `range_db` below its start.

    The weight of a point falls as ``1 / (t + early_emphasis_s)``: otherwise a long tail would outvote the first
    hundred milliseconds, where clarity and early decay are decided.
    """
    curve = np.maximum(energy_decay[:, ::hop], 1e-30)
    curve = curve / curve[:, :1]
    level = 10 * np.log10(curve)
    time = np.arange(curve.shape[1]) * hop / sample_rate_hz
    weight = np.where(level >= -range_db, 1 / (time + early_emphasis_s), 0.0)
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


def stack(aims: Sequence[DecayTarget]) -> DecayTarget:
    """The channels of several aims one after the other, the shorter filled up with points that do not count.

    They agree in hop and boundaries.
    """
    points = max(aim.decay.shape[1] for aim in aims)

    def stacked(name: str) -> FloatArray:
        parts = [getattr(aim, name) for aim in aims]
        missing = [[(0, 0)] * (part.ndim - 1) + [(0, points - part.shape[-1])] for part in parts]
        return np.concatenate([np.pad(*pair) for pair in zip(parts, missing, strict=True)])

    return DecayTarget(
        decay=stacked("decay"),
        level_db=stacked("level_db"),
        counted=stacked("counted"),
        weight=stacked("weight"),
        regressions=stacked("regressions"),
        boundaries=aims[0].boundaries,
        heard=np.concatenate([aim.heard for aim in aims]),
        length=max(aim.length for aim in aims),
        hop=aims[0].hop,
    )


TERMS = ("edc", "edc_db", "attributes")


@functools.lru_cache(maxsize=2)
def _on(device: torch.device, aim: DecayTarget) -> tuple[Tensor, ...]:
    """`aim.arrays()`, copied to a device once and not in every step."""
    return tuple(torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in aim.arrays())


def energy_decay_terms(h: Tensor, aim: DecayTarget) -> dict[str, Tensor]:
    """Distances between the decay of responses and the target's, in stock operations.

    Parameters
    ----------
    h : Tensor, shape (B, channels, n)
        Responses at unit energy scale, n >= `aim.length`; their whole length is integrated.
    aim : DecayTarget

    Returns
    -------
    dict of Tensor, shape (B, channels)
        ``edc``: sum (e - e')^2 / sum e^2, linear (Mezza et al. 2024). ``edc_db``: weighted mean absolute difference
        in dB, divided by 10. ``attributes``: mean difference of T20, T30, EDT, DRR, C50 and C80 in JND.
    """
    goal, goal_db, counted, weight, slopes, at, heard = _on(h.device, aim)
    # Only sums of whole hops are asked for, and a sum along all samples in double would be most of the work.
    hops = torch.nn.functional.pad(h, (0, -h.shape[-1] % aim.hop)).unflatten(-1, (-1, aim.hop))
    energy = hops.square().sum(-1, dtype=torch.float64)
    decay = energy.flip(-1).cumsum(-1).flip(-1)[..., : goal.shape[-1]]
    linear = ((decay - goal).square() * counted).sum(-1) / goal.square().sum(-1)
    miss_db = 10 * torch.log10(decay + 1e-12) - goal_db
    level = (miss_db.abs() * weight).sum(-1) / 10
    regressed = (slopes * miss_db[..., None, :]).sum(-1).abs().sum(-1)

    def ratio(start: Tensor, late: Tensor) -> Tensor:
        return 10 * torch.log10((start - late).clamp_min(EARLY_FLOOR) / (late + EARLY_FLOOR))

    clarity = ratio(decay[..., :1] + 1e-12, decay[..., at]) - ratio(goal[:, :1], goal[:, at])
    attributes = (regressed + (clarity.abs() * heard).sum(-1)) / (slopes.shape[1] + at.shape[0])
    return dict(zip(TERMS, (linear, level, attributes), strict=True))


class _Distance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, aim: DecayTarget, weights: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        rows = np.ascontiguousarray(h.detach().numpy()).reshape(-1, h.shape[-1])
        terms = np.empty((rows.shape[0], len(TERMS)))
        grad = np.empty_like(rows) if ctx.needs_input_grad[0] else np.empty((rows.shape[0], 0), rows.dtype)
        compare: Callable[..., None] = kernel.distance
        with KERNEL_LOCK:
            compare(rows, aim.hop, *aim.arrays(), np.array(weights), terms, grad)
        ctx.grad, ctx.shape = torch.from_numpy(grad), h.shape
        found = torch.from_numpy(terms).reshape(*h.shape[:-1], len(TERMS))
        ctx.mark_non_differentiable(found)
        return torch.from_numpy(terms @ weights).reshape(h.shape[:-1]), found

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return (ctx.grad * grad.reshape(-1, 1).to(ctx.grad.dtype)).reshape(ctx.shape), None, None


def energy_decay_loss(
    h: Tensor, aim: DecayTarget, weights: Mapping[str, float]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of `energy_decay_terms` (B, channels) and the terms themselves, fused on the CPU.

    Raises
    ------
    ValueError
        If the responses are shorter than the target's decay.
    """
    if h.shape[-1] < aim.length:
        raise ValueError(f"responses of {h.shape[-1]} samples are shorter than the target's {aim.length}")
    if h.device.type == "cpu":
        chosen = tuple(weights.get(name, 0.0) for name in TERMS)
        total, found = _Distance.apply(h, aim, chosen)  # type: ignore[no-untyped-call]
        return total, {name: found[..., i] for i, name in enumerate(TERMS)}
    if h.device.type == "cuda":
        from fdnlearn.ops.decay import cuda as cuda_energy

        chosen = tuple(weights.get(name, 0.0) for name in TERMS)
        total, found = cuda_energy.distance(h, aim.hop, _on(h.device, aim), chosen)
        return total, {name: found[..., i] for i, name in enumerate(TERMS)}
    return stock_energy_decay_loss(h, aim, weights)


def stock_energy_decay_loss(
    h: Tensor, aim: DecayTarget, weights: Mapping[str, float]
) -> tuple[Tensor, dict[str, Tensor]]:
    """`energy_decay_loss` in stock operations, for other devices."""
    terms = energy_decay_terms(h, aim)
    return torch.stack([terms[name] * weights.get(name, 0.0) for name in TERMS]).sum(0), terms
