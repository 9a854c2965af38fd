"""A long transform as four short ones side by side.

SciPy's transforms fill a processor's vectors with several signals and go through a single one number by number. So the
samples 4t, 4t + 1, 4t + 2 and 4t + 3 of one signal are transformed as four, which a step of decimation in time joins
(J. W. Cooley, J. W. Tukey, "An algorithm for the machine calculation of complex Fourier series", Math. Comp. 19, 1965).
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.fft

from fdnlearn.base.jit import jit
from fdnlearn.base.types import Array, Complex, Float, shapes_checked

#: Signals that are transformed side by side.
LANES = 4
#: Shorter ones would gain less than the step costs.
_SHORTEST = 4096


def worthwhile(rows: int, n: int) -> bool:
    """Whether so many signals of length `n` are transformed faster in parts."""
    return rows < LANES and n >= _SHORTEST and n % LANES == 0


@shapes_checked
def spectrum_of(rows: Float[Array, "rows samples"], workers: int) -> Complex[Array, "rows bins"]:
    """Real transform along the last axis, of signals whose length is a multiple of `LANES`."""
    count, n = rows.shape
    parts = scipy.fft.rfft(rows.reshape(count, n // LANES, LANES), axis=1, workers=workers)
    spectrum = np.empty((count, n // 2 + 1), parts.dtype)
    _join(parts, _turns(n, parts.dtype), spectrum)
    return spectrum


@shapes_checked
def signal_of(spectrum: Complex[Array, "rows bins"], n: int, workers: int) -> Float[Array, "rows samples"]:
    """Inverse real transform of a length `n` that is a multiple of `LANES`, along the last axis."""
    count, quarter = len(spectrum), n // LANES
    parts = np.empty((count, quarter // 2 + 1, LANES), spectrum.dtype)
    _part(spectrum, _turns(n, spectrum.dtype), parts)
    rows: Array = scipy.fft.irfft(parts, n=quarter, axis=1, workers=workers, overwrite_x=True)
    return rows.reshape(count, n)


@functools.lru_cache(maxsize=16)
def _turns(n: int, dtype: np.dtype[np.complexfloating]) -> Array:
    """``exp(-2 pi i j p / n)``, (n / 8 + 1, 3), of the parts p = 1, 2, 3."""
    j = np.arange(n // LANES // 2 + 1)
    turns: Array = np.exp(-2j * np.pi / n * (j[:, None] * np.arange(1, LANES))).astype(dtype)
    return turns


@jit()
def _quarter_turn(z):
    """``i z``, of its own precision."""
    return complex(-z.imag, z.real)


@jit(fastmath={"contract"})
def _join(parts, turns, spectrum):
    """Spectra (rows, n/2 + 1) of signals from those of their parts (rows, n/8 + 1, 4)."""
    rows, bins, _ = parts.shape
    quarter = (spectrum.shape[1] - 1) // 2
    for r in range(rows):
        for j in range(bins):
            a0 = parts[r, j, 0]
            a1 = parts[r, j, 1] * turns[j, 0]
            a2 = parts[r, j, 2] * turns[j, 1]
            a3 = parts[r, j, 3] * turns[j, 2]
            even, odd = a0 + a2, a1 + a3
            across, turned = a0 - a2, _quarter_turn(a1 - a3)
            # Of four lines a quarter of the rate apart, two lie beyond half the rate: their images do not.
            spectrum[r, 2 * quarter - j] = np.conj(even - odd)
            spectrum[r, quarter - j] = np.conj(across + turned)
            spectrum[r, j] = even + odd
            spectrum[r, quarter + j] = across - turned


@jit(fastmath={"contract"})
def _part(spectrum, turns, parts):
    """The way back: spectra (rows, n/8 + 1, 4) of the parts of signals."""
    rows, bins, _ = parts.shape
    quarter = (spectrum.shape[1] - 1) // 2
    share = spectrum.real.dtype.type(0.25)
    for r in range(rows):
        for j in range(bins):
            b0 = share * spectrum[r, j]
            b1 = share * spectrum[r, quarter + j]
            b2 = share * np.conj(spectrum[r, 2 * quarter - j])
            b3 = share * np.conj(spectrum[r, quarter - j])
            even, odd = b0 + b2, b1 + b3
            across, turned = b0 - b2, _quarter_turn(b1 - b3)
            parts[r, j, 0] = even + odd
            parts[r, j, 1] = (across + turned) * np.conj(turns[j, 0])
            parts[r, j, 2] = (even - odd) * np.conj(turns[j, 1])
            parts[r, j, 3] = (across - turned) * np.conj(turns[j, 2])
