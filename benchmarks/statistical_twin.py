"""The statistical twin of a recording: its first 5 ms, then noise with its envelope in every third octave.

A fit as near to the recording as its twin is as near as any reverberator can be that does not copy the samples: the
twin is the floor of every measure that looks at what is heard rather than at samples.

What makes it one, and not a splash: low bands cannot change as fast as high ones. Cut at 5 ms, a strong low frequency
would leave a click; shaped over 10 ms, noise around 50 Hz would spread to 150 Hz. So every band has its own time
resolution: it hands over from recording to noise within the time of its own bandwidth, and its envelope is smoothed
over a few of them. White noise is shaped first and filtered afterwards, so nothing leaves its band; what the filter
then smears is taken back from the envelope beforehand (W. H. Richardson, JOSA 62, 1972, a few steps of it). Of the
envelope the band's noise floor is subtracted, and beyond the knee it goes on as the exponential that it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.fft
from third_octave_bank import every_band, fade, padded_size, split, whole_weights

from fdnlearn.acoustics.colour import ThirdOctaveDecays, third_octave_decays
from fdnlearn.acoustics.energy_decay import EnergyDecay
from fdnlearn.base.types import FloatArray

#: What is kept of the recording, after its direct sound.
HEAD_S = 5e-3
#: Shortest time over which an envelope is smoothed, and the same in inverses of the bandwidth.
SMOOTHED_S, SMOOTHED = 10e-3, 2.0
#: Shortest time in which a band hands over from recording to noise.
HANDOVER_S = 2e-3
_STEPS = 4


def statistical_twins(h: FloatArray, rate_hz: float, direct: int, seeds: Sequence[int]) -> list[FloatArray]:
    """Twins of a recording.

    Parameters
    ----------
    h : ndarray, shape (n,)
    rate_hz : float
    direct : int
        Sample of the direct sound.
    seeds : sequence of int
        One for each twin.

    Returns
    -------
    list of ndarray, shape (n,)
        Without noise floor.
    """
    decays = third_octave_decays(h, rate_hz, bands=every_band(rate_hz))
    generators = [np.random.default_rng(seed) for seed in seeds]
    twins = np.zeros((len(seeds), h.size))
    own = split(h, rate_hz, decays.bands)
    energies = split(h, rate_hz, decays.bands, by_power=True)
    filters = _filters(h.size, rate_hz, decays)
    for band, decay, exact, power, response in zip(
        decays.bands, decays.decays, own, energies, filters, strict=True
    ):
        handover = max(HANDOVER_S, 1.0 / band.bandwidth_hz)
        head = fade(h.size, direct + HEAD_S * rate_hz, handover * rate_hz)
        late = 1.0 - np.square(head)
        width = max(SMOOTHED_S, SMOOTHED / band.bandwidth_hz) * rate_hz
        wanted = _envelope(np.square(power), late, width, decay) * late
        shape = np.sqrt(_unsmeared(wanted, late, response))
        size = 2 * (response.size - 1)
        for number, generator in enumerate(generators):
            # Of its own for every band: the same noise would add up by amplitude where two bands cross.
            noise = generator.standard_normal(h.size)
            shaped = scipy.fft.irfft(scipy.fft.rfft(noise * shape, size) * response, size)[: h.size]
            twins[number] += head * exact + np.sqrt(late) * shaped
    return list(twins)


def _filters(samples: int, rate_hz: float, decays: ThirdOctaveDecays) -> Iterator[FloatArray]:
    """Zero-phase responses (bins,) by which noise becomes that of a band."""
    size = padded_size(samples, rate_hz, decays.bands)
    size += size % 2
    frequency_hz = np.arange(size // 2 + 1) * (rate_hz / size)
    yield from np.sqrt(whole_weights(decays.bands, frequency_hz))


def _envelope(energy: FloatArray, late: FloatArray, width: float, decay: EnergyDecay) -> FloatArray:
    """Mean energy a sample over time, of the late part, its noise taken out and its decay continued; (n,)."""
    window = np.hanning(2 * round(width) + 1)
    window /= window.sum()
    smooth = _convolved(energy * late, window) / np.maximum(_convolved(late, window), 1e-6)
    floor = decay.floor
    if floor is None:
        return np.maximum(smooth, 0.0)
    clean = np.maximum(smooth - floor.power, 0.0)
    knee = floor.knee_samples
    beyond = np.arange(energy.size - knee) / decay.sample_rate_hz
    late_s = floor.late_reverberation_time_s
    clean[knee:] = floor.knee_power * 10.0 ** (-6.0 * beyond / late_s) if late_s > 0.0 else 0.0
    return clean


def _unsmeared(wanted: FloatArray, late: FloatArray, response: FloatArray) -> FloatArray:
    """Envelope that white noise of power one needs so that after the filter its energy is as wanted; (n,).

    The energy after the filter is the envelope convolved with the square of the filter's impulse response.
    """
    size = 2 * (response.size - 1)
    kernel = scipy.fft.rfft(np.square(scipy.fft.irfft(response, size)))
    gain = float(kernel[0].real)

    def smeared(envelope: FloatArray) -> FloatArray:
        return np.maximum(scipy.fft.irfft(scipy.fft.rfft(envelope, size) * kernel, size)[: wanted.size], 0.0)

    least = 1e-12 * float(wanted.max(initial=0.0)) + 1e-300
    envelope = wanted / gain
    for _ in range(_STEPS):
        # Squares of a zero-phase filter's impulse response are even: the kernel is its own transpose.
        envelope = envelope * smeared(wanted / (late * smeared(envelope) + least)) / gain
    return envelope


def _convolved(x: FloatArray, window: FloatArray) -> FloatArray:
    """Same length, window centred."""
    size = scipy.fft.next_fast_len(x.size + window.size, real=True)
    both = scipy.fft.irfft(scipy.fft.rfft(x, size) * scipy.fft.rfft(window, size), size)
    half = window.size // 2
    centred: FloatArray = both[half : half + x.size]
    return centred
