"""The network block by block, with state: what a host or an audio callback drives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Array, AudioArray, Float, FloatArray, Shaped, shapes_checked
from fdnlearn.fdn import FDN, Realisation, realise
from fdnlearn.render import loops
from fdnlearn.render.history import History
from fdnlearn.render.vectors import LANES, ROWS

#: Samples between two sweeps for denormal numbers, counted from the start so that blocks do not matter.
SWEEP_SAMPLES = 8192


class BlockRenderer:
    """A running network.

    Any block sizes, mixed at will, give the same samples bit for bit.

    Parameters
    ----------
    network : FDN or Realisation
    sample_rate_hz : int, optional
        The fit's own by default; only with an `FDN`.
    decay, size : float
        Scale reverberation times and delays (`fdnlearn.fdn.realise`); only with an `FDN`.
    dtype : numpy dtype
        float64, or float32 for delay lines and output in single precision. Filters and sums are double anyway.

    Raises
    ------
    FdnlearnError
        As `fdnlearn.fdn.realise`.
    """

    def __init__(
        self,
        network: FDN | Realisation,
        sample_rate_hz: int | None = None,
        *,
        decay: float = 1.0,
        size: float = 1.0,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        r = realise(network, sample_rate_hz, decay=decay, size=size) if isinstance(network, FDN) else network
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float64, np.float32):
            raise FdnlearnError(
                "dtype", f"{self.dtype} is not a rendering precision", "choose float64 or float32"
            )
        self.realisation = r
        self.inputs, self.outputs = r.input_gains.shape[1], r.output_gains.shape[0]
        n, sections = r.line_sos.shape[:2]
        width = -(-n // LANES) * LANES
        self._loop = _padded(np.hstack((r.feedback_matrix * r.line_gains, r.input_gains)))
        self._outputs = _padded(r.output_gains)
        self._line_sos = np.zeros((sections, 5, width))
        self._line_sos[:, :, :n] = _without_a0(r.line_sos).transpose(1, 2, 0)
        self._line_state = np.zeros((sections, 2, width))
        self._tone, self._tone_state = _without_a0(r.tone_sos), np.zeros((self.outputs, len(r.tone_sos), 2))
        self._lowpass = _without_a0(r.lowpass_sos)
        self._lowpass_state = np.zeros((self.outputs, len(r.lowpass_sos), 2))
        self._lengths = r.delays_samples
        self._offsets = np.concatenate(([0], np.cumsum(r.delays_samples)[:-1]))
        self._heads = np.zeros(n, dtype=np.int64)
        self._storage = np.zeros(int(r.delays_samples.sum()), dtype=self.dtype)
        # the direct sound is one more set of taps, at its own delay
        output, input_ = np.nonzero(r.direct_gains)
        self._tap_outputs = np.concatenate((output, r.tap_outputs))
        self._tap_inputs = np.concatenate((input_, r.tap_inputs))
        self._tap_gains = np.concatenate((r.direct_gains[output, input_], r.tap_gains))
        self._tap_delays = np.concatenate(
            (np.full(output.size, r.direct_delay_samples), r.tap_delays_samples + r.early_delay_samples)
        )
        longest = max(r.late_delay_samples, int(self._tap_delays.max(initial=0)))
        self._history = History(self.inputs, longest)
        self._time = 0

    @shapes_checked
    def process(self, block: npt.ArrayLike) -> Float[AudioArray, "outputs samples"]:
        """Render the next block.

        Parameters
        ----------
        block : array_like, shape (inputs, samples), or (samples,) for a network with one input

        Returns
        -------
        ndarray, shape (outputs, samples)

        Raises
        ------
        FdnlearnError
            If the block has another number of channels.
        """
        x = self.as_channels(block)
        y = np.empty((self.outputs, x.shape[1]), dtype=self.dtype)
        start = 0
        while start < x.shape[1]:
            size = min(x.shape[1] - start, SWEEP_SAMPLES - self._time % SWEEP_SAMPLES)
            y[:, start : start + size] = self._stretch(x[:, start : start + size])
            start += size
        return y

    @shapes_checked
    def as_channels(self, audio: npt.ArrayLike) -> Shaped[Array, "inputs samples"]:
        """Audio as this network takes it: one row an input.

        Raises
        ------
        FdnlearnError
            If it has another number of channels.
        """
        x = np.atleast_2d(np.asarray(audio))
        if x.ndim != 2 or x.shape[0] != self.inputs:
            raise FdnlearnError(
                "audio",
                f"has shape {np.shape(audio)}",
                f"give (channels, samples) with {self.inputs} channel(s)",
            )
        return x

    def reset(self) -> None:
        """Back to silence."""
        for state in (self._storage, self._line_state, self._tone_state, self._lowpass_state, self._heads):
            state.fill(0)
        self._history.reset()
        self._time = 0

    def _stretch(self, x: AudioArray) -> FloatArray:
        r = self.realisation
        count = x.shape[1]
        window, start = self._history.append(x)
        late = np.empty((self.outputs, count))
        loops.recirculate(
            window,
            start - r.late_delay_samples,
            count,
            self._storage,
            self._offsets,
            self._lengths,
            self._heads,
            self._loop,
            self._outputs,
            self._line_sos,
            self._line_state,
            late,
        )
        if len(self._tone):
            loops.cascade(late, self._tone, self._tone_state)
        y = np.zeros((self.outputs, count))
        loops.add_taps(
            window, start, self._tap_outputs, self._tap_inputs, self._tap_delays, self._tap_gains, y
        )
        y += late
        y *= r.gain
        if len(self._lowpass):
            loops.cascade(y, self._lowpass, self._lowpass_state)
        self._time += count
        if self._time % SWEEP_SAMPLES == 0:
            for state in (self._storage, self._line_state, self._tone_state, self._lowpass_state):
                loops.silence(state.reshape(-1))
        return y


def _padded(matrix: FloatArray) -> FloatArray:
    """The matrix with rows of zeros up to a multiple of `ROWS`."""
    return np.pad(matrix, ((0, -len(matrix) % ROWS), (0, 0)))


def _without_a0(sos: FloatArray) -> FloatArray:
    """Rows ``b0 b1 b2 a1 a2``: a0 is 1."""
    return np.ascontiguousarray(sos[..., [0, 1, 2, 4, 5]])
