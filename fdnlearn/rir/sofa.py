"""Impulse responses of SOFA files (AES69-2022): measurements, receivers and emitters, each with its delay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.formats import NAMES
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.rir.limits import LARGEST_SAMPLES, check_size

#: Taps on either side of a fractional delay, and their Kaiser window: exact within -90 dB up to 0.9 of Nyquist.
_HALF_TAPS = 32
_KAISER_BETA = 10.0
_NOT_SOFA = f"give a {NAMES} file"


def read_sofa(path: Path, subject: str, longest_s: float) -> tuple[FloatArray, int, str, tuple[str, ...]]:
    """Read all responses of a file.

    Parameters
    ----------
    path : Path
    subject : str
        File that an error is about.
    longest_s : float
        Longer responses are refused, delays included.

    Returns
    -------
    samples : ndarray, shape (measurements * receivers * emitters, n), float64
        Emitters running fastest, each response after its ``Data.Delay``.
    sample_rate_hz : int
    encoding : str
        Name of the convention.
    warnings : tuple of str

    Raises
    ------
    FdnlearnError
        If it is no SOFA file, holds no responses in the time domain, or they are too long.
    """
    import netCDF4

    try:
        with netCDF4.Dataset(str(path)) as file:
            if "Data.IR" not in file.variables or "Data.SamplingRate" not in file.variables:
                raise FdnlearnError(subject, "holds no impulse responses in the time domain", _NOT_SOFA)
            variable = file.variables["Data.IR"]
            shape, rate_hz = _shape(variable), _rate(subject, _numbers(file.variables["Data.SamplingRate"]))
            given = _numbers(file.variables["Data.Delay"]) if "Data.Delay" in file.variables else np.zeros(1)
            delay_samples, warnings = _delays(subject, given, shape)
            frames = shape[-1] + int(np.ceil(delay_samples.max(initial=0.0)))
            check_size(subject, frames, int(np.prod(shape[:-1])), rate_hz, longest_s)
            responses = np.moveaxis(_numbers(variable), _time_axis(variable), -1).reshape(-1, shape[-1])
            convention = str(getattr(file, "SOFAConventions", "without convention"))
    # netCDF4 and HDF5 raise their own on a file that is not SOFA or damaged.
    except (OSError, RuntimeError, KeyError, AttributeError, ValueError, TypeError):
        raise FdnlearnError(subject, "is not a readable SOFA file", _NOT_SOFA) from None
    return delayed(responses, delay_samples), rate_hz, f"SOFA {convention}", warnings


def _time_axis(variable: Any) -> int:
    """Axis of time: the last, or of responses by emitter the one before (AES69, FIR-E), unless named otherwise."""
    names = list(variable.dimensions)
    return names.index("N") if names.count("N") == 1 else min(2, len(names) - 1)


def _shape(variable: Any) -> tuple[int, ...]:
    """Measurements, receivers, emitters where there are any, and samples."""
    sizes = list(variable.shape) or [1]
    samples = sizes.pop(_time_axis(variable) if len(sizes) > 1 else 0)
    return (*sizes, samples)


def _numbers(variable: Any) -> FloatArray:
    """Values of a variable, what is missing as NaN."""
    return np.atleast_1d(np.ma.filled(np.ma.asarray(variable[...], dtype=np.float64), np.nan))


def _rate(subject: str, given_hz: FloatArray) -> int:
    rates_hz = np.unique(given_hz)
    if rates_hz.size != 1 or not abs(rates_hz[0]) < 1e9 or rates_hz[0] != round(float(rates_hz[0])):
        raise FdnlearnError(subject, "has no single whole sample rate", "export one rate to WAV")
    return int(rates_hz[0])


def _delays(subject: str, given: FloatArray, shape: tuple[int, ...]) -> tuple[FloatArray, tuple[str, ...]]:
    """Delay of each response, none negative, and what to warn of.

    A delay may be given once for all measurements (or receivers, or emitters).
    """
    axes = shape[:-1]
    sizes = given.shape + (1,) * (len(axes) - given.ndim)
    if len(sizes) != len(axes) or any(
        size not in (1, all_of) for size, all_of in zip(sizes, axes, strict=True)
    ):
        raise FdnlearnError(
            subject, "has delays (Data.Delay) of another shape than its responses", "export it again"
        )
    if not (np.abs(given) < LARGEST_SAMPLES).all():
        raise FdnlearnError(subject, "has impossible delays (Data.Delay)", "export it again")
    delay_samples = np.broadcast_to(given.reshape(sizes), axes).ravel()
    lead = -int(np.floor(min(0.0, delay_samples.min(initial=0.0))))
    warnings = (
        (f"Delays (Data.Delay) are negative: all responses begin {lead} samples later.",) if lead else ()
    )
    return delay_samples + lead, warnings


@shapes_checked
def delayed(
    responses: Float64[FloatArray, "channels samples"], delay_samples: Float64[FloatArray, " channels"]
) -> Float64[FloatArray, "channels delayed"]:
    """Delay each response by its own number of samples.

    Parameters
    ----------
    responses : ndarray, shape (channels, n)
    delay_samples : ndarray, shape (channels,)
        Not negative. Fractions are those of a windowed sinc (T. I. Laakso et al., "Splitting the unit delay", IEEE
        Signal Processing Magazine 13, 1996); what it would need before sample 0 is left out.

    Returns
    -------
    ndarray, shape (channels, n + ceil(largest delay))
    """
    if not delay_samples.any():
        return np.ascontiguousarray(responses)
    length = responses.shape[1]
    later = np.zeros((len(responses), length + int(np.ceil(delay_samples.max()))))
    for response, delay, row in zip(responses, delay_samples, later, strict=True):
        whole = int(np.floor(delay))
        fraction = float(delay - whole)
        if fraction == 0.0:
            row[whole : whole + length] = response
            continue
        first = whole + 1 - _HALF_TAPS
        full = np.convolve(response, _fractional(fraction))[max(0, -first) :]
        start = max(0, first)
        full = full[: len(row) - start]
        row[start : start + len(full)] = full
    return later


def _fractional(fraction: float) -> FloatArray:
    """Taps 1 - `_HALF_TAPS` to `_HALF_TAPS` of a delay between 0 and 1 samples."""
    at = np.arange(1 - _HALF_TAPS, _HALF_TAPS + 1) - fraction
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1.0 - (at / _HALF_TAPS) ** 2, 0.0, None))) / np.i0(
        _KAISER_BETA
    )
    taps: FloatArray = np.sinc(at) * window
    return taps
