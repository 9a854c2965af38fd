"""Sample-rate conversion good enough to measure decays of 100 dB."""

from __future__ import annotations

from math import gcd

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: Attenuation of everything beyond the lower of the two Nyquist frequencies.
STOP_BAND_DB = 150.0
#: The pass band ends here, relative to that Nyquist frequency.
PASS_BAND = 0.95
#: Ratios that need a longer prototype filter than memory should hold.
LARGEST_FACTOR = 50_000


def factors(source_hz: int, target_hz: int) -> tuple[int, int]:
    """Up- and downsampling factors, the ratio in lowest terms."""
    common = gcd(source_hz, target_hz)
    return target_hz // common, source_hz // common


@shapes_checked
def resample(
    samples: Float64[FloatArray, "*channels samples"], source_hz: int, target_hz: int
) -> Float64[FloatArray, "*channels resampled"]:
    """Convert the rate along the last axis without delay.

    Polyphase filter with a Kaiser-windowed linear-phase low-pass: 150 dB stop band, pass band to 95 % of the
    lower Nyquist frequency. Sample 0 stays where it is in time; waveform amplitudes are kept, so the frequency
    response of an impulse response is scaled by ``target_hz / source_hz``.

    Parameters
    ----------
    samples : ndarray, shape (..., n)
    source_hz, target_hz : int

    Returns
    -------
    ndarray, shape (..., ceil(n * target_hz / source_hz))
    """
    if source_hz == target_hz:
        return samples
    from scipy.signal import resample_poly

    up, down = factors(source_hz, target_hz)
    taps = _low_pass(max(up, down))
    # SciPy's stubs do not know that the window may be the filter itself.
    converted: FloatArray = resample_poly(samples, up, down, axis=-1, window=taps)  # type: ignore[call-overload]
    return converted


def half_length(factor: int) -> int:
    """Taps of the prototype on either side of its centre, at `factor` times the lower rate."""
    width = (1.0 - PASS_BAND) / factor
    length = int(np.ceil((STOP_BAND_DB - 7.95) / (2.285 * np.pi * width)))
    return -(-length // 2)


def _low_pass(factor: int) -> FloatArray:
    """Prototype at `factor` times the lower rate, odd length: its delay is a whole number of samples."""
    from scipy.signal import firwin, kaiser_beta

    taps: FloatArray = firwin(
        2 * half_length(factor) + 1,
        (1.0 + PASS_BAND) / (2.0 * factor),
        window=("kaiser", kaiser_beta(STOP_BAND_DB)),
    )
    return taps
