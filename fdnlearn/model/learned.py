"""What a fit has learned, heard by frequency sampling: the response that every renderer is held to."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
import torch

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import ComplexArray, Float64, FloatArray, shapes_checked
from fdnlearn.fdn import FDN, realise
from fdnlearn.ops.response import Parameters, response

#: Reverberation times (of the slowest line) that a response holds: what folds back has fallen by 150 dB.
_DECAYS = 2.5


@shapes_checked
def learned_response(
    fdn: FDN, n_fft: int | None = None, *, kernel: str = "reference"
) -> Float64[FloatArray, "outputs inputs samples"]:
    """Impulse responses of a network at its own rate, in double, its delays fractional if they are.

    The equation of the contract on ``n_fft // 2 + 1`` frequencies, inverse transformed: a response of period `n_fft`.

    Parameters
    ----------
    fdn : FDN
    n_fft : int, optional
        By default long enough for the slowest line to fall by 150 dB.
    kernel : str
        Which form of `fdnlearn.ops.response` solves the loop.

    Returns
    -------
    ndarray, shape (O, I, n_fft)
        With pre-delay, gain and polarity.

    Raises
    ------
    FdnlearnError
        If `n_fft` does not even hold the first pass through every line.
    UsageError
        If there is no such kernel.
    """
    rate, delays = fdn.sample_rate_hz, fdn.arrays.delays_samples
    r = realise(fdn)
    tap_positions = r.tap_delays_samples + r.early_delay_samples
    shortest = max(r.late_delay_samples + math.ceil(delays.max()), int(tap_positions.max(initial=0))) + 1
    if n_fft is None:
        decay = math.ceil(_DECAYS * float(fdn.reverberation_times_s.max()) * rate)
        n_fft = scipy.fft.next_fast_len(shortest + decay, real=True)
    if n_fft < shortest:
        raise FdnlearnError("n_fft", f"is {n_fft}", f"give at least {shortest}")

    omega = 2 * np.pi * np.arange(n_fft // 2 + 1) / n_fft
    gains, sections = fdn.absorption.design(delays / rate, delays, rate, 1.0)
    loop_gain: FloatArray | ComplexArray = gains
    if sections.shape[1]:
        loop_gain = gains[:, None] * np.stack([_filter_response(sos, omega) for sos in sections])
    a = fdn.arrays
    arrays = (a.feedback_matrix, loop_gain, delays, a.input_gains, a.output_gains, a.direct_gains)
    network = Parameters(*(torch.from_numpy(np.array(x))[None] for x in arrays))
    with torch.no_grad():
        late = response(network, n_fft, kernel)[0].numpy()
    spectrum = late * (_filter_response(r.tone_sos, omega) * np.exp(-1j * omega * r.late_delay_samples))
    responses: FloatArray = scipy.fft.irfft(spectrum, n=n_fft)
    responses[:, :, r.direct_delay_samples] += a.direct_gains
    np.add.at(responses, (r.tap_outputs, r.tap_inputs, tap_positions), r.tap_gains)
    return r.gain * responses


def _filter_response(sections: FloatArray, omega: FloatArray) -> ComplexArray:
    """Frequency response of sections (S, 6) in series."""
    powers = np.exp(-1j * np.outer(np.arange(3), omega))
    product: ComplexArray = np.prod((sections[:, :3] @ powers) / (sections[:, 3:] @ powers), axis=0)
    return product
