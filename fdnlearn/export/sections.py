"""Sections for hosts that compute in single precision.

A direct form rounds ``1 + a1 + a2``, the squared distance of its poles from 1, by about ``6e-8``. At a low frequency
that square is small (7e-5 at 63 Hz and 48 kHz): the gain below the section's frequency is off by a per mille, and the
states are larger than the signal by the same factor. Single poles round the distance itself, four digits better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: Poles of less than this (a pair: in product) lie far from 1, and dividing by them would lose digits.
_FAR = 0.5
#: Relative difference of numbers that are equal but for rounding.
_SAME = 1e-8


@dataclass(frozen=True)
class ComplexPole:
    """Impulse response ``direct δ[n] + Re(residue pole^n)``: a pair of poles in one complex state."""

    direct: float
    pole: complex
    residue: complex


@dataclass(frozen=True)
class RealPoles:
    """``H = direct + (first + second P_2) P_1`` with ``P_k = 1 / (1 - pole_k z^-1)``.

    In this form poles may coincide; a section of first order has ``second`` 0.
    """

    direct: float
    pole_1: float
    pole_2: float
    first: float
    second: float


@shapes_checked
def by_poles(section: Float64[FloatArray, " 5"]) -> ComplexPole | RealPoles | None:
    """A section in terms of its poles, or None where the direct form does as well.

    Parameters
    ----------
    section : array_like, shape (5,)
        ``b0 b1 b2 a1 a2``.
    """
    b0, b1, b2, a1, a2 = (float(value) for value in section)
    if a2 == b2 == 0.0 and abs(a1) > _FAR:
        direct = b1 / a1
        return RealPoles(direct, -a1, 0.0, b0 - direct, 0.0)
    if a2 < _FAR:
        return None
    direct = b2 / a2
    discriminant = a1 * a1 - 4.0 * a2
    root = math.sqrt(abs(discriminant))
    if discriminant < 0.0:
        pole = complex(-a1, root) / 2.0
        residue = 2.0 * (b0 + b1 / pole + b2 / pole**2) / (1.0 - pole.conjugate() / pole)
        return ComplexPole(direct, pole, residue)
    pole_1, pole_2 = (root - a1) / 2.0, (-root - a1) / 2.0
    first = (direct * a1 - b1) / pole_2
    return RealPoles(direct, pole_1, pole_2, first, b0 - direct - first)


@dataclass(frozen=True)
class Parametric:
    """A peak or low shelf of the cookbook by its parameters (``frequency`` in radians per sample)."""

    type: str
    frequency: float
    q: float
    gain_db: float


@shapes_checked
def parametric(section: Float64[FloatArray, " 5"]) -> Parametric | None:
    """The peak or low shelf that a section is, or None; a high shelf does well in direct form.

    The inverse of R. Bristow-Johnson's formulae, through the bilinear transform ``s = (1 - z^-1) / (1 + z^-1)``.

    Parameters
    ----------
    section : array_like, shape (5,)
        ``b0 b1 b2 a1 a2``.
    """
    b0, b1, b2, a1, a2 = (float(value) for value in section)
    if a2 == 0.0:
        return None
    # s^2 + damping s + square, of the zeros and of the poles
    high, high_poles = b0 - b1 + b2, 1.0 - a1 + a2
    square, damping = (b0 + b1 + b2) / high, 2.0 * (b0 - b2) / high
    square_poles, damping_poles = (1.0 + a1 + a2) / high_poles, 2.0 * (1.0 - a2) / high_poles
    if not (math.isclose(high, high_poles, rel_tol=_SAME) and min(square, damping, damping_poles) > 0.0):
        return None
    q = math.sqrt(math.sqrt(square * square_poles) / (damping * damping_poles))
    frequency = 2.0 * math.atan((square * square_poles) ** 0.25)
    ratio = damping / damping_poles
    if math.isclose(square, square_poles, rel_tol=_SAME):
        return Parametric("peaking", frequency, q, 20.0 * math.log10(ratio))
    if math.isclose(square, ratio**2 * square_poles, rel_tol=_SAME):
        return Parametric("low_shelf", frequency, q, 40.0 * math.log10(ratio))
    return None
