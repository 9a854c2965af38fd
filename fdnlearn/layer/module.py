"""One network as a module of torch: free parameters that no optimiser can make unstable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from pydantic import JsonValue
from torch import Tensor, nn

from fdnlearn.fdn import FDN, FirEarly, Head, ReverberationTime, SparseEarly, realise
from fdnlearn.fdn.families.equaliser import Equaliser
from fdnlearn.layer.checks import check_values
from fdnlearn.layer.design import LONGEST_S, SHORTEST_S, absorption, flat_gains
from fdnlearn.layer.processing import network_response, process_audio
from fdnlearn.layer.tensors import NetworkTensors
from fdnlearn.model.orthogonal import orthogonal

#: Range of the contract's equaliser.
TONE_DB = 60.0
#: A line of gain zero has no reverberation time; this is as good as silent.
_LOWEST_GAIN = 1e-12


class FeedbackDelayNetwork(nn.Module):
    """A feedback delay network to train; audio ``(batch, I, time)`` in, ``(batch, O, time)`` out.

    It starts as a given network, as renderers play that at its own rate, and stays stable whatever is learned: the
    feedback matrix is the start's times a rotation, reverberation times are exponentials within the contract's limits.
    Delays, places of early taps, frequencies of the equaliser, pre-delay and level stay as they are; delays that are no
    whole numbers are rounded as renderers do.

    It runs on the CPU, in single or double precision. Its state holds tensors alone: load it into a module that was
    made from the same network, or from one of the same sizes, rate, knots and equaliser.

    Parameters
    ----------
    fdn : FDN
    dtype : torch.dtype, optional
        torch's default by default.

    Attributes
    ----------
    matrix : Parameter, shape (N, N)
        W, of which only what lies above the diagonal matters: the feedback matrix is ``U0 exp(W - W^T)``.
    log_times : Parameter, shape (G, K)
        Logarithms of reverberation times in seconds, of groups of lines at knots; where the start has one gain a line,
        (N, 1).
    input_gains, output_gains, direct_gains : Parameter, shapes (N, I), (O, N), (O, I)
    tone_db : Parameter, shape (T,)
        Gains of the equaliser's sections, within 60 dB.
    tap_gains : Parameter, shape (P,)
        Gains of all early taps, in the order of the contract.

    Raises
    ------
    FdnlearnError
        If fewer than three of the network's knots are below 0.95 of half its rate.
    """

    matrix: nn.Parameter
    log_times: nn.Parameter
    input_gains: nn.Parameter
    output_gains: nn.Parameter
    direct_gains: nn.Parameter
    tone_db: nn.Parameter
    tap_gains: nn.Parameter
    initial_matrix: Tensor
    delays_samples: Tensor
    line_groups: Tensor
    tap_paths: Tensor
    tap_samples: Tensor

    def __init__(self, fdn: FDN, *, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        r = realise(fdn)
        self._start = fdn
        # A head begins before the direct sound: what all count from is its first sample.
        self._late_delay_samples = r.late_delay_samples - r.early_delay_samples
        self._pre_delay_samples = r.early_delay_samples
        self._direct_samples = r.direct_delay_samples - r.early_delay_samples
        self._gain = r.gain
        self._equaliser = Equaliser(
            types=tuple(section.type for section in fdn.tone),
            centres_hz=tuple(section.frequency_hz for section in fdn.tone),
            q=tuple(section.q for section in fdn.tone),
            commands=np.zeros((0, 0)),
            sample_rate_hz=float(fdn.sample_rate_hz),
        )
        kind = dtype or torch.get_default_dtype()
        if isinstance(fdn.absorption, ReverberationTime):
            times_s, groups = np.array(fdn.absorption.times_s), np.array(fdn.absorption.line_groups)
        else:
            seconds = r.delays_samples / r.sample_rate_hz
            times_s = -3 * seconds[:, None] / np.log10(np.maximum(r.line_gains, _LOWEST_GAIN))[:, None]
            groups = np.arange(fdn.lines)
        a = fdn.arrays
        free = {
            "matrix": np.zeros((fdn.lines, fdn.lines)),
            "log_times": np.log(times_s),
            "input_gains": a.input_gains,
            "output_gains": a.output_gains,
            "direct_gains": a.direct_gains,
            "tone_db": np.array([section.gain_db for section in fdn.tone]),
            "tap_gains": r.tap_gains,
        }
        for name, values in free.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(values, dtype=kind)))
        self.register_buffer("initial_matrix", torch.tensor(a.feedback_matrix, dtype=kind))
        self.register_buffer("delays_samples", torch.tensor(r.delays_samples))
        self.register_buffer("line_groups", torch.tensor(groups))
        self.register_buffer("tap_paths", torch.tensor(r.tap_outputs * fdn.inputs + r.tap_inputs))
        self.register_buffer("tap_samples", torch.tensor(r.tap_delays_samples))
        self.tensors()  # what cannot be trained is refused now

    @classmethod
    def from_fdn(cls, fdn: FDN, *, dtype: torch.dtype | None = None) -> Self:
        """A module that starts as a network; `to_fdn` is the way back."""
        return cls(fdn, dtype=dtype)

    def forward(self, audio: Tensor, tail_samples: int = 0) -> Tensor:
        """Audio (batch, I, time) to (batch, O, time + tail_samples); see `process_audio`."""
        return process_audio(self.tensors(), audio, tail_samples)

    def impulse_response(self, length_samples: int) -> Tensor:
        """Impulse responses (O, I, length_samples); see `network_response`."""
        return network_response(self.tensors(), length_samples)[0]

    def tensors(self) -> NetworkTensors:
        """The physical parameters, a batch of one.

        Raises
        ------
        FdnlearnError
            If the module was moved from the CPU or to half precision, or holds values that are not finite.
        """
        check_values("FeedbackDelayNetwork", self.initial_matrix, axes=("lines", "lines"))
        line_gains, line_sos = self._line_filters()
        return NetworkTensors(
            delays_samples=self.delays_samples[None],
            feedback_matrix=self._feedback_matrix().to(self.initial_matrix.dtype)[None],
            input_gains=self.input_gains[None],
            output_gains=self.output_gains[None],
            direct_gains=self.direct_gains[None],
            line_gains=line_gains,
            line_sos=line_sos,
            tone_sos=self._equaliser.sections(torch, self._tone_db()[None]) if len(self.tone_db) else None,
            early=self._early() if len(self.tap_gains) else None,
            late_delay_samples=self._late_delay_samples,
            pre_delay_samples=self._pre_delay_samples,
            direct_delay_samples=self._direct_samples,
            gain=self._gain,
        )

    @torch.no_grad()
    def to_fdn(self, provenance: Mapping[str, JsonValue] | None = None) -> FDN:
        """The network as it is now, for renderers, exports and `save_fdn`.

        Parameters
        ----------
        provenance : mapping, optional
            Where it comes from, as JSON; empty by default, for what the start says no longer holds.

        Returns
        -------
        FDN
            Rendered at its own rate it is what the module does, to the rounding of the module's precision.
        """
        fields = {
            "delays_samples": self.delays_samples.double().tolist(),
            "feedback_matrix": self._feedback_matrix().tolist(),
            "input_gains": self.input_gains.tolist(),
            "output_gains": self.output_gains.tolist(),
            "direct_gains": self.direct_gains.tolist(),
            "absorption": self._absorption_fields(),
            "tone": [
                {**section.model_dump(), "gain_db": gain_db}
                for section, gain_db in zip(self._start.tone, self._tone_db().tolist(), strict=True)
            ],
            **self._tap_fields(),
            "provenance": dict(provenance or {}),
        }
        return FDN.model_validate(self._start.model_dump() | fields)

    def extra_repr(self) -> str:
        """Sizes, for `repr`."""
        lines, inputs = self.input_gains.shape
        rate_hz = self._start.sample_rate_hz
        return f"lines={lines}, inputs={inputs}, outputs={len(self.output_gains)}, sample_rate_hz={rate_hz}"

    def _feedback_matrix(self) -> Tensor:
        """The feedback matrix (N, N), in double."""
        return self.initial_matrix.double() @ orthogonal(self.matrix.double()[None])[0]

    def _knots_hz(self) -> tuple[float, ...]:
        """The knots of a network that has reverberation times for several."""
        start = self._start.absorption
        if isinstance(start, ReverberationTime) and len(start.frequencies_hz) > 1:
            return start.frequencies_hz
        return ()

    def _times_s(self) -> Tensor:
        """Reverberation times (G, K) within the contract's limits, in double."""
        # A line with one gain may be as good as silent; e^7 s is beyond the limit.
        shortest_s = SHORTEST_S if isinstance(self._start.absorption, ReverberationTime) else 1e-9
        return torch.exp(self.log_times.double().clamp(max=7)).clamp(shortest_s, LONGEST_S)

    def _line_filters(self) -> tuple[Tensor, Tensor | None]:
        """Gains (1, N) and sections (1, N, S, 6) of the lines, in double."""
        times = self._times_s()[self.line_groups][None]
        delays = self.delays_samples[None].double()
        if not self._knots_hz():
            return flat_gains(times[..., 0], delays, self._start.sample_rate_hz), None
        return absorption(times, delays, self._start.sample_rate_hz, self._knots_hz())

    def _tone_db(self) -> Tensor:
        """Gains (T,) of the equaliser's sections within the contract's limits, in double."""
        return self.tone_db.double().clamp(-TONE_DB, TONE_DB)

    def _early(self) -> Tensor:
        """The early part (1, O, I, L)."""
        outputs, inputs = self.direct_gains.shape
        length = int(self.tap_samples.max()) + 1
        silence = self.tap_gains.new_zeros(outputs * inputs * length)
        places = self.tap_paths * length + self.tap_samples
        return silence.index_add(0, places, self.tap_gains).reshape(1, outputs, inputs, length)

    def _absorption_fields(self) -> dict[str, Any]:
        """The absorption as the contract writes it."""
        start = self._start.absorption
        if isinstance(start, ReverberationTime):
            groups = self.line_groups.tolist()
            return {**start.model_dump(), "times_s": self._times_s().tolist(), "line_groups": groups}
        return {**start.model_dump(), "gains": self._line_filters()[0][0].tolist()}

    def _tap_fields(self) -> dict[str, list[dict[str, Any]]]:
        """Early part and head as the contract writes them, path by path as the start has them."""
        gains = iter(self.tap_gains.tolist())

        def learned(path: FirEarly | SparseEarly | Head) -> dict[str, Any]:
            if not isinstance(path, SparseEarly):
                return {**path.model_dump(), "coefficients": [next(gains) for _ in path.coefficients]}
            return {
                **path.model_dump(),
                "taps": [{"samples": tap.samples, "gain": next(gains)} for tap in path.taps],
            }

        parts = {"early": [learned(path) for path in self._start.early]}
        head = [learned(path) for path in self._start.head]
        return parts | {"head": head} if head else parts
