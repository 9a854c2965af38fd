"""Filters and early parts of what can be heard: reverberation times, levels, reflections."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float64, shapes_checked
from fdnlearn.fdn.families import peq_1
from fdnlearn.fdn.families.equaliser import equaliser as equaliser_at
from fdnlearn.fdn.families.equaliser import reach
from fdnlearn.fdn.fields import MAX_SAMPLE_RATE_HZ, MAX_TAPS, MIN_SAMPLE_RATE_HZ
from fdnlearn.layer.checks import check_count, check_delays, check_values
from fdnlearn.model.sections import equalised

#: Reverberation times of the contract.
SHORTEST_S, LONGEST_S = 1e-3, 1e3
#: Largest gain of a line without sections: below one in single precision too.
HIGHEST_GAIN = 1 - 1e-6


def absorption(
    times_s: Tensor, delays_samples: Tensor, sample_rate_hz: float, knots_hz: Sequence[float] = ()
) -> tuple[Tensor, Tensor | None]:
    """Loop filters with which lines of given delays have given reverberation times.

    Those of the contract's families, `flat-1` for one time at all frequencies (J.-M. Jot & A. Chaigne, AES 90th
    Convention, 1991, eq. 8), `peq-1` for times at knots (`fdnlearn.fdn.families`): what is trained is what a renderer
    designs.

    Parameters
    ----------
    times_s : Tensor, shape (B, N or 1, K)
        Reverberation times at the knots, of every line or of all, 1e-3 to 1e3 seconds. Without knots K is 1.
    delays_samples : Tensor, shape (B, N)
        Whole; B may be 1.
    sample_rate_hz : float
    knots_hz : sequence of float, length K
        Ascending, at least three below 0.95 of half the rate, for instance octaves from 62.5 Hz to 16 kHz. Knots above
        have no part in it.

    Returns
    -------
    tuple of Tensor, shape (B, N), and of Tensor, shape (B, N, S, 6), or None
        In double: `line_gains` and `line_sos` of `NetworkTensors`. Differentiable once in the times.

    Raises
    ------
    FdnlearnError
        If shapes disagree, or a time, delay, knot or the rate is out of range.
    """
    check_values("times_s", times_s, axes=("batch", "lines", "knots"))
    check_values("delays_samples", delays_samples, axes=("batch", "lines"), whole=True)
    _check_rate(sample_rate_hz)
    count = len(knots_hz) or 1
    if not times_s.numel() or times_s.shape[-1] != count:
        raise FdnlearnError("times_s", f"has shape {tuple(times_s.shape)}", f"give (batch, lines, {count})")
    if not delays_samples.numel():
        raise FdnlearnError("delays_samples", "is empty", "give at least one network and line")
    check_delays(delays_samples)
    (batch, rows), (networks, lines) = times_s.shape[:2], delays_samples.shape
    if rows not in (1, lines) or 1 != batch != networks != 1:
        raise FdnlearnError(
            "times_s",
            f"has shape {tuple(times_s.shape)} for delays of shape {tuple(delays_samples.shape)}",
            "give times for every line of every network, or 1 in place of their number",
        )
    low, high = times_s.min().item(), times_s.max().item()
    if not SHORTEST_S <= low <= high <= LONGEST_S:
        raise FdnlearnError(
            "times_s", f"reaches from {low:g} to {high:g} s", f"give {SHORTEST_S:g} to {LONGEST_S:g} s"
        )
    shape = max(batch, networks), lines
    times, delays = times_s.double().expand(*shape, -1), delays_samples.double().expand(shape)
    if not knots_hz:
        return flat_gains(times[..., 0], delays, sample_rate_hz), None
    knots = _knots(knots_hz, sample_rate_hz)
    eq, gains, gains_db = peq_1.uncapped(torch, knots, times, delays, float(sample_rate_hz))
    return equalised(eq, gains, gains_db)


@shapes_checked
def flat_gains(
    times_s: Float64[Tensor, "batch lines"],
    delays_samples: Float64[Tensor, "batch lines"],
    sample_rate_hz: float,
) -> Float64[Tensor, "batch lines"]:
    """Gains ``10^(-3 m / (fs T))`` of lines, below one."""
    exponents = delays_samples / times_s * (-3 * math.log(10) / sample_rate_hz)
    return torch.exp(exponents).clamp(max=HIGHEST_GAIN)


def equaliser(levels_db: Tensor, sample_rate_hz: float, knots_hz: Sequence[float]) -> Tensor:
    """An output equaliser of given levels: low shelf, peaks and high shelf, as `peq-1` has them.

    Parameters
    ----------
    levels_db : Tensor, shape (B, K)
        Levels at the knots, -60 to 60 dB, which are met the better the smoother they are: those that neighbours a few
        decibels apart ask for to a few tenths of a decibel.
    sample_rate_hz : float
    knots_hz : sequence of float, length K
        Ascending, at least three, all below 0.95 of half the rate.

    Returns
    -------
    Tensor, shape (B, K, 6)
        In double: `tone_sos` of `NetworkTensors`. Differentiable.

    Raises
    ------
    FdnlearnError
        If shapes disagree, or a level, a knot or the rate is out of range.
    """
    check_values("levels_db", levels_db, axes=("batch", "knots"))
    _check_rate(sample_rate_hz)
    if not levels_db.numel() or levels_db.shape[1] != len(knots_hz):
        raise FdnlearnError(
            "levels_db", f"has shape {tuple(levels_db.shape)}", f"give (batch, {len(knots_hz)})"
        )
    knots = _knots(knots_hz, sample_rate_hz)
    if reach(knots, float(sample_rate_hz)) < knots.size:
        raise FdnlearnError(
            "knots_hz", f"reaches {knots[-1]:g} Hz", f"stay below {0.475 * sample_rate_hz:g} Hz at this rate"
        )
    loudest = levels_db.abs().max().item()
    if loudest > 60:
        raise FdnlearnError("levels_db", f"reaches {loudest:g} dB", "give -60 to 60 dB")
    eq = equaliser_at(tuple(knots.tolist()), float(sample_rate_hz))
    levels = levels_db.double()
    mean_db = levels.mean(-1, keepdim=True)
    sos = eq.sections(torch, (levels - mean_db) @ eq.commands_on(torch, levels.device))
    # What is the same at all knots is a gain, on the numerator of the first section.
    gain = torch.exp(mean_db * (math.log(10) / 20))[..., None]
    first = torch.cat((sos[:, :1, :3] * gain, sos[:, :1, 3:]), dim=-1)
    return torch.cat((first, sos[:, 1:]), dim=1)


def tap_response(positions_samples: Tensor, gains: Tensor, length_samples: int | None = None) -> Tensor:
    """An early part of single reflections.

    Parameters
    ----------
    positions_samples : Tensor of an integer type, shape (B, O, I, P)
        After the direct sound; those that coincide add up. B may be 1.
    gains : Tensor, shape (B, O, I, P)
        A path with fewer reflections has gains of zero.
    length_samples : int, optional
        By default up to the last reflection.

    Returns
    -------
    Tensor, shape (B, O, I, length_samples)
        `early` of `NetworkTensors`, in the precision of the gains and differentiable in them.

    Raises
    ------
    FdnlearnError
        If shapes disagree, or a position is negative, no integer or beyond the length.
    """
    axes = ("batch", "outputs", "inputs", "taps")
    check_values("gains", gains, axes=axes)
    check_values("positions_samples", positions_samples, axes=axes, whole=True)
    positions = positions_samples.expand(max(len(positions_samples), len(gains)), -1, -1, -1)
    gains = gains.expand(len(positions), -1, -1, -1) if len(gains) == 1 else gains
    if positions.shape != gains.shape:
        raise FdnlearnError(
            "positions_samples",
            f"has shape {tuple(positions_samples.shape)} for gains of shape {tuple(gains.shape)}",
            "give a position for every gain",
        )
    if positions.is_floating_point():
        raise FdnlearnError("positions_samples", "is of a real type", "give whole samples: .round().long()")
    first, last = (int(positions.min()), int(positions.max())) if positions.numel() else (0, 0)
    length = max(1, last + 1) if length_samples is None else length_samples
    check_count("length_samples", length, 1)
    if not 0 <= first <= last < min(length, MAX_TAPS):
        raise FdnlearnError(
            "positions_samples",
            f"reaches from {first} to {last}",
            f"give 0 to {min(length, MAX_TAPS) - 1} samples",
        )
    silence = gains.new_zeros(*gains.shape[:-1], length)
    return silence.scatter_add(-1, positions.long(), gains)


def _check_rate(sample_rate_hz: float) -> None:
    if not MIN_SAMPLE_RATE_HZ <= sample_rate_hz <= MAX_SAMPLE_RATE_HZ:
        raise FdnlearnError(
            "sample_rate_hz",
            f"{sample_rate_hz:g} Hz is out of range",
            f"choose {MIN_SAMPLE_RATE_HZ} to {MAX_SAMPLE_RATE_HZ} Hz",
        )


def _knots(knots_hz: Sequence[float], sample_rate_hz: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    knots = np.array([float(hz) for hz in knots_hz])
    ascending = bool(np.all(np.isfinite(knots)) and np.all(np.diff(knots, prepend=0.0) > 0))
    if not ascending or reach(knots, float(sample_rate_hz)) < peq_1.FEWEST_KNOTS:
        raise FdnlearnError(
            "knots_hz",
            f"is {[float(hz) for hz in knots_hz]}",
            f"give ascending frequencies, {peq_1.FEWEST_KNOTS} at least below {0.475 * sample_rate_hz:g} Hz",
        )
    return knots
