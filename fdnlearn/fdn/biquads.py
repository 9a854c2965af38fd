"""Second-order sections of the contract: the output equaliser and the low-pass above the fit's own Nyquist."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.fdn.parts import ToneSection

Coefficients = tuple[list[Any], list[Any]]

#: Order (even) and stop-band attenuation of the low-pass, normative.
LOWPASS_ORDER = 24
LOWPASS_STOPBAND_DB = 90.0
#: Rates closer to the fit's than this factor need no low-pass.
LOWPASS_FROM_RATIO = 1.0001


@shapes_checked
def tone_sos(sections: Iterable[ToneSection], sample_rate_hz: float) -> Float64[FloatArray, "sections 6"]:
    """Sections of the output equaliser at a rate, shape (T, 6), rows ``b0 b1 b2 1 a1 a2``.

    R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients", peakingEQ, lowShelf and
    highShelf with Q. A section at or above half the rate acts by what it does far below its frequency:
    peaking and high shelf by nothing, a low shelf by its gain.
    """
    rows = [_cookbook(section, sample_rate_hz) for section in sections]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 6)


def _cookbook(section: ToneSection, sample_rate_hz: float) -> list[float]:
    a = 10.0 ** (section.gain_db / 40.0)
    if section.frequency_hz >= sample_rate_hz / 2:
        return [a * a if section.type == "low_shelf" else 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    w = 2.0 * math.pi * section.frequency_hz / sample_rate_hz
    b, den = COOKBOOK[section.type](a, math.sqrt(a), math.cos(w), math.sin(w) / (2.0 * section.q))
    return [b[0] / den[0], b[1] / den[0], b[2] / den[0], 1.0, den[1] / den[0], den[2] / den[0]]


def _peaking(a: Any, root: Any, cos: float, alpha: float) -> Coefficients:
    return [1.0 + alpha * a, -2.0 * cos, 1.0 - alpha * a], [1.0 + alpha / a, -2.0 * cos, 1.0 - alpha / a]


def _shelf(a: Any, root: Any, cos: float, alpha: float, side: float) -> Coefficients:
    k = 2.0 * alpha * root
    b = [
        a * ((a + 1.0) - side * (a - 1.0) * cos + k),
        side * 2.0 * a * ((a - 1.0) - side * (a + 1.0) * cos),
        a * ((a + 1.0) - side * (a - 1.0) * cos - k),
    ]
    den = [
        (a + 1.0) + side * (a - 1.0) * cos + k,
        -side * 2.0 * ((a - 1.0) + side * (a + 1.0) * cos),
        (a + 1.0) + side * (a - 1.0) * cos - k,
    ]
    return b, den


def _low_shelf(a: Any, root: Any, cos: float, alpha: float) -> Coefficients:
    return _shelf(a, root, cos, alpha, 1.0)


def _high_shelf(a: Any, root: Any, cos: float, alpha: float) -> Coefficients:
    return _shelf(a, root, cos, alpha, -1.0)  # the low shelf mirrored about fs/4


#: Type -> numerator and denominator from A = 10^(dB/40), its square root, cos w0 and alpha. Plain arithmetic, so that
#: A may be a number, an array or a tensor that wants gradients; b1 and a1 of the peak are numbers in any case.
COOKBOOK: dict[str, Callable[[Any, Any, float, float], Coefficients]] = {
    "peaking": _peaking,
    "low_shelf": _low_shelf,
    "high_shelf": _high_shelf,
}


@shapes_checked
def lowpass_sos(fit_rate_hz: float, sample_rate_hz: float) -> Float64[FloatArray, "sections 6"]:
    """Chebyshev type II low-pass whose stop band starts at the fit's Nyquist, shape (12, 6), or (0, 6).

    Order 24, 90 dB, bilinear transform prewarped at the stop-band edge ``fit_rate_hz / 2``; unit gain at 0 Hz;
    -3 dB at 0.90 of the fit's Nyquist or above. Empty unless ``sample_rate_hz > 1.0001 fit_rate_hz``.
    Poles as in A. V. Oppenheim and R. W. Schafer, Discrete-Time Signal Processing, appendix B.3.
    """
    if not sample_rate_hz > LOWPASS_FROM_RATIO * fit_rate_hz:
        return np.empty((0, 6))
    order = LOWPASS_ORDER
    edge = math.tan(0.5 * math.pi * fit_rate_hz / sample_rate_hz)
    mu = math.asinh(math.sqrt(10.0 ** (LOWPASS_STOPBAND_DB / 10.0) - 1.0)) / order
    rows = []
    for k in range(order // 2, 0, -1):  # from the broadest resonance to the sharpest
        theta = math.pi * (2 * k - 1) / (2 * order)
        zero = edge / math.cos(theta)  # zeros at +-j zero
        pole = edge / complex(-math.sinh(mu) * math.sin(theta), math.cosh(mu) * math.cos(theta))
        # bilinear: s = (z - 1)/(z + 1)
        b1 = 2.0 * (zero * zero - 1.0) / (zero * zero + 1.0)
        norm = abs(1.0 - pole) ** 2
        a1 = 2.0 * (abs(pole) ** 2 - 1.0) / norm
        a2 = abs(1.0 + pole) ** 2 / norm
        gain = (1.0 + a1 + a2) / (2.0 + b1)
        rows.append([gain, gain * b1, gain, 1.0, a1, a2])
    return np.array(rows)
