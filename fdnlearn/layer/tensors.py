"""The physical parameters of a batch of networks: what the contract `FDN` says, as tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.layer.checks import check_count, check_delays, check_same_precision, check_values

#: Field -> its axes; those that have one name have one size, the batch may be 1 as well.
_AXES: Mapping[str, tuple[str, ...]] = {
    "delays_samples": ("batch", "lines"),
    "feedback_matrix": ("batch", "lines", "lines"),
    "input_gains": ("batch", "lines", "inputs"),
    "output_gains": ("batch", "outputs", "lines"),
    "direct_gains": ("batch", "outputs", "inputs"),
    "line_gains": ("batch", "lines"),
    "line_sos": ("batch", "lines", "sections", "6"),
    "tone_sos": ("batch", "tone sections", "6"),
    "early": ("batch", "outputs", "inputs", "samples"),
}
#: Fields whose precision is that of the result. Filters are computed in double in any case.
_SIGNAL = ("feedback_matrix", "input_gains", "output_gains", "direct_gains", "early")


@dataclass(frozen=True, eq=False)
class NetworkTensors:
    """Physical parameters of B feedback delay networks with N lines, I inputs and O outputs.

    The network is that of the contract (`fdnlearn.fdn.contract`). Any tensor may have a batch of 1 in place of B: all
    networks then share it. Tensors lie on the CPU, in any layout.

    Attributes
    ----------
    delays_samples : Tensor, shape (B, N)
        Whole, at least 1, of an integer or real type. They are not learned: what wants a gradient is refused.
    feedback_matrix : Tensor, shape (B, N, N)
        U; row i feeds line i. With an orthogonal one (`FeedbackDelayNetwork` makes them) and loop gains below one the
        network is stable; that is not checked here, only that what comes out is finite.
    input_gains : Tensor, shape (B, N, I)
    output_gains : Tensor, shape (B, O, N)
    direct_gains : Tensor, shape (B, O, I)
    line_gains : Tensor, shape (B, N)
        What is left after one round trip, of 1. `absorption` makes it, and `line_sos`, of reverberation times.
    line_sos : Tensor, shape (B, N, S, 6), optional
        Sections ``b0 b1 b2 1 a1 a2`` of every line in series with `line_gains`, best in double.
    tone_sos : Tensor, shape (B, T, 6), optional
        Sections on the late part of every output; see `equaliser`.
    early : Tensor, shape (B, O, I, L), optional
        Early part of every path as an impulse response, without what the direct gains are; see `tap_response`.
    late_delay_samples : int
        By how much the late part comes later than its network says.
    pre_delay_samples : int
        Silence before everything.
    direct_delay_samples : int
        How long after the early part's first sample the direct gains are heard.
    gain : float
        Of everything, with its sign.

    Raises
    ------
    FdnlearnError
        If shapes or precisions disagree, a tensor is empty, not finite, in half precision or not on the CPU, or a delay
        is below 1, fractional or to be learned.
    """

    delays_samples: Tensor
    feedback_matrix: Tensor
    input_gains: Tensor
    output_gains: Tensor
    direct_gains: Tensor
    line_gains: Tensor
    line_sos: Tensor | None = None
    tone_sos: Tensor | None = None
    early: Tensor | None = None
    late_delay_samples: int = 0
    pre_delay_samples: int = 0
    direct_delay_samples: int = 0
    gain: float = 1.0

    def __post_init__(self) -> None:
        for name, x in self._given():
            check_values(name, x, axes=_AXES[name], whole=name == "delays_samples")
        _check_sizes(dict(self._given()))
        check_same_precision((name, x) for name, x in self._given() if name in _SIGNAL)
        check_delays(self.delays_samples)
        for name in ("line_sos", "tone_sos"):
            sos = getattr(self, name)
            if sos is not None and bool((sos[..., 3] != 1).any()):
                raise FdnlearnError(name, "has sections whose a0 is not 1", "divide their rows by a0")
        for name in ("late_delay_samples", "pre_delay_samples", "direct_delay_samples"):
            check_count(name, getattr(self, name))
        if not math.isfinite(self.gain):
            raise FdnlearnError("gain", f"is {self.gain}", "give a finite factor")

    def _given(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that are there, by name."""
        return ((name, x) for name in _AXES if (x := getattr(self, name)) is not None)

    @property
    def batch(self) -> int:
        """Number of networks B."""
        return max(len(x) for _, x in self._given())

    @property
    def inputs(self) -> int:
        """Number of inputs I."""
        return self.direct_gains.shape[2]

    @property
    def outputs(self) -> int:
        """Number of outputs O."""
        return self.direct_gains.shape[1]

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the result."""
        return self.feedback_matrix.dtype


def _check_sizes(tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors whose axes of one name differ in size, and those without any network, line or channel."""
    known: dict[str, tuple[str, int]] = {"6": ("a section", 6)}
    for name, x in tensors.items():
        shape = f"has shape {tuple(x.shape)}"
        for axis, size in zip(_AXES[name], x.shape, strict=True):
            if size == 0 and axis not in ("sections", "tone sections", "samples"):
                raise FdnlearnError(
                    name, f"{shape}, which is empty", "give at least one network, line and channel"
                )
            if axis == "batch" and size == 1:
                continue
            where, expected = known.setdefault(axis, (name, size))
            if size != expected:
                shared = ", or 1 for all" if axis == "batch" else ""
                meant = "coefficients" if axis == "6" else axis
                raise FdnlearnError(
                    name, f"{shape}: {size} {meant} where {where} has {expected}", f"give {expected}{shared}"
                )
