"""An `FDN` at a given sample rate: whole delays, re-designed filters, early taps; plain arrays for any renderer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float64, FloatArray, Int64, IntArray, shapes_checked
from fdnlearn.fdn.biquads import lowpass_sos, tone_sos
from fdnlearn.fdn.contract import FDN
from fdnlearn.fdn.fields import MAX_SAMPLE_RATE_HZ, MAX_TOTAL_DELAY_SAMPLES, MIN_SAMPLE_RATE_HZ
from fdnlearn.fdn.parts import Head, SparseEarly
from fdnlearn.fdn.resample import fir_latency, resample_fir
from fdnlearn.fdn.stability import StabilityProof, prove

Array = TypeVar("Array", bound=npt.NDArray[Any])


@shapes_checked
@dataclass(frozen=True, eq=False)
class Realisation:
    """Everything a renderer at one sample rate needs. N lines, I inputs, O outputs, S, T, L sections, P taps.

    Sections are rows ``b0 b1 b2 1 a1 a2``.

    Attributes
    ----------
    sample_rate_hz : int
    delays_samples : ndarray of int, shape (N,)
    feedback_matrix : ndarray, shape (N, N)
    input_gains, output_gains, direct_gains : ndarray, shapes (N, I), (O, N), (O, I)
    line_gains : ndarray, shape (N,)
    line_sos : ndarray, shape (N, S, 6)
        In series with `line_gains`.
    tone_sos : ndarray, shape (T, 6)
        On the late part of every output.
    lowpass_sos : ndarray, shape (L, 6)
        On every output, last; empty unless the rate is above the fit's.
    tap_outputs, tap_inputs, tap_delays_samples : ndarray of int, shape (P,)
    tap_gains : ndarray, shape (P,)
        Early part and then head of all paths, sparse and dense alike, in the order of the contract.
    direct_delay_samples, early_delay_samples, late_delay_samples : int
        Delay of the direct sound, of the origin of the taps and of the network's input, pre-delay included.
    latency_samples : int
        By how much all of it comes later than the pre-delay asks: what a head, or a dense early part at another rate,
        has before the direct sound.
    gain : float
        Signed: gain times polarity.
    reverberation_time_s : float
        The slowest line's: no mode of the network decays more slowly.
    stability : StabilityProof
        At this rate.
    """

    sample_rate_hz: int
    delays_samples: Int64[IntArray, " lines"]
    feedback_matrix: Float64[FloatArray, "lines lines"]
    input_gains: Float64[FloatArray, "lines inputs"]
    output_gains: Float64[FloatArray, "outputs lines"]
    direct_gains: Float64[FloatArray, "outputs inputs"]
    line_gains: Float64[FloatArray, " lines"]
    line_sos: Float64[FloatArray, "lines sections 6"]
    tone_sos: Float64[FloatArray, "tone_sections 6"]
    lowpass_sos: Float64[FloatArray, "lowpass_sections 6"]
    tap_outputs: Int64[IntArray, " taps"]
    tap_inputs: Int64[IntArray, " taps"]
    tap_delays_samples: Int64[IntArray, " taps"]
    tap_gains: Float64[FloatArray, " taps"]
    direct_delay_samples: int
    early_delay_samples: int
    late_delay_samples: int
    latency_samples: int
    gain: float
    reverberation_time_s: float
    stability: StabilityProof


def realise(
    fdn: FDN, sample_rate_hz: int | None = None, *, decay: float = 1.0, size: float = 1.0
) -> Realisation:
    """Design a network for a sample rate.

    Delays become ``max(1, floor(m size fs'/fs + 1/2))``; absorption is designed anew for them, so that
    reverberation times stay what they were; sparse early taps and the late delay move alike. Heads and dense early
    parts are resampled and do not scale with `size`.

    Parameters
    ----------
    fdn : FDN
    sample_rate_hz : int, optional
        The fit's own rate by default.
    decay : float
        Scales every reverberation time.
    size : float
        Scales every delay but the pre-delay; reverberation times stay.

    Returns
    -------
    Realisation
        Proved stable.

    Raises
    ------
    FdnlearnError
        If an argument is out of range, a delay grows beyond the format's limit or the loop is not stable.
    """
    rate = fdn.sample_rate_hz if sample_rate_hz is None else int(sample_rate_hz)
    if not MIN_SAMPLE_RATE_HZ <= rate <= MAX_SAMPLE_RATE_HZ:
        raise FdnlearnError(
            "sample rate",
            f"{rate} Hz is out of range",
            f"choose {MIN_SAMPLE_RATE_HZ} to {MAX_SAMPLE_RATE_HZ} Hz",
        )
    for name, factor in (("decay", decay), ("size", size)):
        if not (math.isfinite(factor) and 0.01 <= factor <= 100.0):
            raise FdnlearnError(name, f"{factor:g} is out of range", "choose a factor from 0.01 to 100")
    fit_rate = fdn.sample_rate_hz
    a = fdn.arrays
    delays = np.maximum(_moved(a.delays_samples, size, rate, fit_rate), 1)
    if delays.sum() > MAX_TOTAL_DELAY_SAMPLES:
        raise FdnlearnError(
            "delays_samples", f"adds up to {delays.sum()} samples at {rate} Hz", "lower the rate or the size"
        )
    gains, sos = fdn.absorption.design(
        a.delays_samples / fit_rate, delays.astype(np.float64), float(rate), float(decay)
    )
    proof = prove(a.feedback_matrix, gains, sos, rate)
    proof.require()
    outputs, inputs, positions, tap_gains = _early(fdn, rate, size)
    pre_delay = math.floor(fdn.pre_delay_s * rate + 0.5)
    # taps may start before the direct sound: a head, and what a resampled dense part has in front
    latency = max(0, -int(positions.min(initial=0)) - pre_delay)
    origin = pre_delay + latency
    shift = min(int(positions.min(initial=0)), 0)
    late_delay = int(_moved(np.array([float(fdn.late_delay_samples)]), size, rate, fit_rate)[0])
    return Realisation(
        sample_rate_hz=rate,
        delays_samples=_frozen(delays),
        feedback_matrix=a.feedback_matrix,
        input_gains=a.input_gains,
        output_gains=a.output_gains,
        direct_gains=a.direct_gains,
        line_gains=_frozen(gains),
        line_sos=_frozen(np.ascontiguousarray(sos)),
        tone_sos=_frozen(tone_sos(fdn.tone, rate)),
        lowpass_sos=_frozen(lowpass_sos(fit_rate, rate)),
        tap_outputs=_frozen(outputs),
        tap_inputs=_frozen(inputs),
        tap_delays_samples=_frozen(positions - shift),
        tap_gains=_frozen(tap_gains),
        direct_delay_samples=origin,
        early_delay_samples=origin + shift,
        late_delay_samples=origin + late_delay,
        latency_samples=latency,
        gain=fdn.gain * fdn.polarity,
        reverberation_time_s=float(np.max(fdn.reverberation_times_s)) * decay,
        stability=proof,
    )


def _moved(positions: FloatArray, size: float, rate: int, fit_rate: int) -> IntArray:
    """Positions at another rate, to the nearest sample, halves up."""
    return np.floor(positions * size * rate / fit_rate + 0.5).astype(np.int64)


def _early(fdn: FDN, rate: int, size: float) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Outputs, inputs, positions relative to the direct sound and gains of all taps, heads included."""
    columns: list[tuple[int, int, IntArray, FloatArray]] = []
    peak = int(_moved(np.array([float(fdn.direct_peak_samples)]), 1.0, rate, fdn.sample_rate_hz)[0])
    for path in (*fdn.early, *fdn.head):
        if not isinstance(path, SparseEarly):
            gains = resample_fir(np.array(path.coefficients), fdn.sample_rate_hz, rate)
            before = fir_latency(fdn.sample_rate_hz, rate) + (peak if isinstance(path, Head) else 0)
            positions = np.arange(gains.size) - before
        else:
            samples = np.array([float(tap.samples) for tap in path.taps])
            positions = _moved(samples, size, rate, fdn.sample_rate_hz)
            gains = np.array([tap.gain for tap in path.taps])
        columns.append((path.output, path.input, positions, gains))
    if not columns:
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, empty, np.empty(0)
    outputs = np.concatenate([np.full(p.size, o, dtype=np.int64) for o, _, p, _ in columns])
    inputs = np.concatenate([np.full(p.size, k, dtype=np.int64) for _, k, p, _ in columns])
    return (
        outputs,
        inputs,
        np.concatenate([p for *_, p, _ in columns]),
        np.concatenate([g for *_, g in columns]),
    )


def _frozen(array: Array) -> Array:
    array.setflags(write=False)
    return array
