"""Energy decay curves: Schroeder's integral, with the noise of a measurement taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fdnlearn.acoustics.noise_floor import NoiseFloor, find_noise_floor
from fdnlearn.base.types import Float64, FloatArray, shapes_checked

Noise = Literal["auto", "none"]

#: Window over which the peak power of the impulse-to-noise ratio is averaged.
PEAK_WINDOW_S = 5e-3


@shapes_checked
@dataclass(frozen=True)
class EnergyDecay:
    """A noise-compensated energy decay curve.

    Attributes
    ----------
    curve : ndarray, shape (knee_samples,)
        Energy from each sample to infinity, linear, positive and non-increasing.
    sample_rate_hz : float
    knee_s : float
        Length of `curve` in seconds: where the decay meets the noise, or the end of the response.
    noise_power : float
        Mean square per sample that was subtracted; 0 if no floor was found.
    range_db : float
        Level of the start of the curve above its end.
    inr_db : float
        Impulse-to-noise ratio: largest mean power over 5 ms (two periods in a low octave) above the noise, or
        above the end of the decay where no noise is visible. Infinite for a noiseless response.
    floor : NoiseFloor or None
        How the knee was found; None for a noiseless response.
    """

    curve: Float64[FloatArray, " knee_samples"]
    sample_rate_hz: float
    knee_s: float
    noise_power: float
    range_db: float
    inr_db: float
    floor: NoiseFloor | None

    @property
    def db(self) -> FloatArray:
        """The curve in dB re its start, not a number for a silent response."""
        with np.errstate(divide="ignore", invalid="ignore"):
            level: FloatArray = 10.0 * np.log10(self.curve / self.curve[0])
        return level


@shapes_checked
def schroeder(h: Float64[FloatArray, "*channels samples"]) -> Float64[FloatArray, "*channels samples"]:
    """Schroeder's backward integral of a noiseless response along the last axis.

    Parameters
    ----------
    h : ndarray, shape (..., n)

    Returns
    -------
    ndarray, shape (..., n)
        ``sum(h[n:]**2)``, linear.

    References
    ----------
    M. R. Schroeder, "New method of measuring reverberation time", JASA 37 (1965) 409-412.
    """
    return _integrate(np.square(np.asarray(h, dtype=np.float64)))


@shapes_checked
def energy_decay(
    h: Float64[FloatArray, " samples"],
    sample_rate_hz: float,
    noise: Noise = "auto",
    *,
    early_energy: float = 0.0,
    centre_hz: float | None = None,
) -> EnergyDecay:
    """Energy decay of a response from its onset on.

    With ``noise="auto"`` the knee, the noise power and the late decay come from Lundeby's method; the noise
    power is subtracted from the squared response (Chu), the integral stops at the knee and the decay that the
    noise hides is added as an exponential of the late reverberation time (ISO 3382-1:2009, 5.3.3).

    Parameters
    ----------
    h : ndarray, shape (n,)
        Response, starting at its onset.
    sample_rate_hz : float
    noise : {"auto", "none"}
        ``"none"`` for a synthetic response that has decayed completely: Schroeder's integral as it is.
    early_energy : float
        Energy that a zero-phase filter moved in front of the onset; counted as arriving with it.
    centre_hz : float, optional
        Centre of the octave band that `h` was filtered to.

    Returns
    -------
    EnergyDecay

    References
    ----------
    M. Guski, M. Vorländer, "Comparison of noise compensation methods for room acoustic impulse response
    evaluations", Acta Acustica 100 (2014) 320-327, method E.
    """
    energy = np.square(np.asarray(h, dtype=np.float64))
    peak = peak_power(energy, sample_rate_hz, centre_hz)
    if noise == "none" or peak == 0.0:
        curve = _integrate(energy)
        curve[0] += early_energy
        return EnergyDecay(curve, sample_rate_hz, curve.size / sample_rate_hz, 0.0, np.inf, np.inf, None)
    floor = find_noise_floor(h, sample_rate_hz, centre_hz=centre_hz)
    curve = compensated_decay(energy, floor)
    curve[0] += early_energy
    return EnergyDecay(
        curve=curve,
        sample_rate_hz=sample_rate_hz,
        knee_s=curve.size / sample_rate_hz,
        noise_power=floor.power,
        range_db=float(10.0 * np.log10(curve[0] / curve[-1])),
        inr_db=float(10.0 * np.log10(peak / floor.knee_power)) if floor.knee_power > 0.0 else np.inf,
        floor=floor,
    )


@shapes_checked
def compensated_decay(
    energy: Float64[FloatArray, " samples"], floor: NoiseFloor
) -> Float64[FloatArray, " knee_samples"]:
    """Chu's noise subtraction up to the knee and the exponential tail beyond it.

    Parameters
    ----------
    energy : ndarray, shape (n,)
        Squared response.
    floor : NoiseFloor
        Its `power`, `knee_samples` and `tail_energy` are used.

    Returns
    -------
    ndarray, shape (knee_samples,)
        Positive and non-increasing: where noise happens to lie below its mean the integral would rise by a
        little, which the running maximum from the end removes.
    """
    within = energy[: floor.knee_samples]
    smallest = max(floor.tail_energy, float(within.sum()) * 1e-15)
    curve = _integrate(within - floor.power) + smallest
    rising: FloatArray = np.maximum.accumulate(np.maximum(curve, smallest)[::-1])[::-1].copy()
    return rising


def _integrate(energy: FloatArray) -> FloatArray:
    """Sum from each sample to the end, along the last axis."""
    curve: FloatArray = np.cumsum(energy[..., ::-1], axis=-1)[..., ::-1].copy()
    return curve


@shapes_checked
def peak_power(
    energy: Float64[FloatArray, " samples"], sample_rate_hz: float, centre_hz: float | None = None
) -> float:
    """Largest mean power over 5 ms, or two periods of an octave's centre if that is longer."""
    window_s = PEAK_WINDOW_S if centre_hz is None else max(PEAK_WINDOW_S, 2.0 / centre_hz)
    window = min(energy.size, max(1, round(window_s * sample_rate_hz)))
    total = np.concatenate(([0.0], np.cumsum(energy)))
    return float((total[window:] - total[:-window]).max()) / window
