"""Whole signals at once: the same running network, fed in one go."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import AudioArray, Float, FloatArray, shapes_checked
from fdnlearn.fdn import FDN, Realisation, realise
from fdnlearn.render.blocks import BlockRenderer

#: A response ends when it has fallen by this much, or after this long: what rings for ever must end somewhere.
TAIL_DB = 100.0
MAX_TAIL_S = 600.0


@shapes_checked
def render(
    fdn: FDN,
    x: npt.ArrayLike,
    sample_rate_hz: int | None = None,
    *,
    decay: float = 1.0,
    size: float = 1.0,
    tail_s: float | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> Float[AudioArray, "outputs samples"]:
    """Run audio through a network.

    Parameters
    ----------
    fdn : FDN
    x : array_like, shape (inputs, samples), or (samples,) for a network with one input
    sample_rate_hz : int, optional
        Rate of `x`; the fit's own by default.
    decay, size : float
        Scale reverberation times and delays (`fdnlearn.fdn.realise`).
    tail_s : float, optional
        Seconds rendered beyond the end of `x`; `tail_length_s` by default.
    dtype : numpy dtype
        float64 or float32 (delay lines and output).

    Returns
    -------
    ndarray, shape (outputs, samples + tail)

    Raises
    ------
    FdnlearnError
        If channels do not match, samples are not finite or `fdnlearn.fdn.realise` refuses.
    """
    renderer = BlockRenderer(fdn, sample_rate_hz, decay=decay, size=size, dtype=dtype)
    audio = renderer.as_channels(x)
    if not np.all(np.isfinite(audio)):
        raise FdnlearnError("audio", "holds NaN or infinite samples", "repair the recording")
    rate = renderer.realisation.sample_rate_hz
    tail = _samples(tail_length_s(renderer.realisation) if tail_s is None else tail_s, rate, "tail_s")
    return np.concatenate((renderer.process(audio), process_silence(renderer, tail)), axis=1)


@shapes_checked
def impulse_response(
    fdn: FDN,
    sample_rate_hz: int | None = None,
    length_s: float | None = None,
    *,
    input_index: int = 0,
    decay: float = 1.0,
    size: float = 1.0,
    dtype: npt.DTypeLike = np.float64,
) -> Float[AudioArray, "outputs samples"]:
    """Impulse response from one input to all outputs.

    Parameters
    ----------
    fdn : FDN
    sample_rate_hz : int, optional
        The fit's own rate by default.
    length_s : float, optional
        By default until every decay has fallen by at least 100 dB, at most 10 min (`tail_length_s`).
    input_index : int
        Input that receives the impulse.
    decay, size, dtype
        As `render`.

    Returns
    -------
    ndarray, shape (outputs, samples)

    Raises
    ------
    FdnlearnError
        As `render`, or if there is no such input.
    """
    renderer = BlockRenderer(fdn, sample_rate_hz, decay=decay, size=size, dtype=dtype)
    if not 0 <= input_index < renderer.inputs:
        raise FdnlearnError("input", f"{input_index} does not exist", f"choose 0 to {renderer.inputs - 1}")
    rate = renderer.realisation.sample_rate_hz
    samples = _samples(
        tail_length_s(renderer.realisation) if length_s is None else length_s, rate, "length_s"
    )
    return process_impulse(renderer, input_index, samples)


def tail_length_s(network: FDN | Realisation) -> float:
    """How long a response lasts: until it has fallen by 100 dB (`ringing_s`), at most 10 min."""
    return min(ringing_s(network), MAX_TAIL_S)


def tail_warnings(network: FDN | Realisation) -> tuple[str, ...]:
    """At most one sentence: where the tail is cut, of a network that rings for longer than is rendered."""
    r = realise(network) if isinstance(network, FDN) else network
    length_s = ringing_s(r)
    if length_s <= MAX_TAIL_S:
        return ()
    fallen_db = 60.0 * MAX_TAIL_S / r.reverberation_time_s
    return (
        f"The network rings for {length_s:.0f} s: its tail is cut after {MAX_TAIL_S:g} s, "
        f"where it has fallen by {fallen_db:.0f} dB.",
    )


def ringing_s(network: FDN | Realisation) -> float:
    """All delays, and the time the slowest line takes to fall by 100 dB.

    No mode of the network decays more slowly than its slowest line: ``||U|| <= 1``, so ``det(I - U G) = 0`` needs
    ``|G_i(z)| >= 1`` for some i.
    """
    r = realise(network) if isinstance(network, FDN) else network
    filters = max(_ring_samples(sos) for sos in (r.line_sos.reshape(-1, 6), r.tone_sos, r.lowpass_sos))
    delays = r.late_delay_samples + int(r.delays_samples.max())
    early = r.early_delay_samples + int(r.tap_delays_samples.max(initial=0))
    samples = max(delays + TAIL_DB / 60.0 * r.reverberation_time_s * r.sample_rate_hz, early) + filters + 1
    return samples / r.sample_rate_hz


def _ring_samples(sos: FloatArray) -> float:
    """Samples in which the most resonant section falls by 100 dB."""
    if not len(sos):
        return 0.0
    a1, a2 = sos[:, 4], sos[:, 5]
    root = np.sqrt(a1.astype(complex) ** 2 - 4.0 * a2)
    radius = float(np.max(np.maximum(np.abs(-a1 + root), np.abs(-a1 - root)) / 2.0))
    return TAIL_DB / 20.0 * math.log(10.0) / -math.log(radius) if 0.0 < radius < 1.0 else 2.0


def _samples(seconds: float, rate: int, name: str) -> int:
    if not (math.isfinite(seconds) and 0.0 <= seconds <= 3600.0):
        raise FdnlearnError(name, f"{seconds:g} s is out of range", "choose 0 to 3600 s")
    return round(seconds * rate)


@shapes_checked
def process_impulse(
    renderer: BlockRenderer, input_index: int, samples: int
) -> Float[AudioArray, "outputs samples"]:
    """The next `samples` of a network that hears an impulse now, and nothing after it."""
    impulse = np.zeros((renderer.inputs, min(1, samples)))
    impulse[input_index] = 1.0
    return np.concatenate(
        (renderer.process(impulse), process_silence(renderer, samples - impulse.shape[1])), axis=1
    )


@shapes_checked
def process_silence(renderer: BlockRenderer, samples: int) -> Float[AudioArray, "outputs samples"]:
    """The next `samples` of a network that hears nothing; the silence itself is not allocated."""
    out = np.empty((renderer.outputs, samples), dtype=renderer.dtype)
    quiet = np.zeros((renderer.inputs, min(samples, 8192)))
    for start in range(0, samples, 8192):
        count = min(8192, samples - start)
        out[:, start : start + count] = renderer.process(quiet[:, :count])
    return out
