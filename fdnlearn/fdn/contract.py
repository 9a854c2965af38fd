"""The contract between learning and running: one frozen, validated feedback delay network.

Signal flow (normative; lines i, j of N, inputs k of I, outputs o of O)::

    s_i[n + m_i] = sum_j U_ij (g_j * s_j)[n] + sum_k B_ik x_k[n]
    late_o[n]    = (tone * sum_i C_oi s_i)[n - late_delay]
    y_o[n]       = sum_k D_ok x_k[n] + sum_k (early_ok * x_k)[n] + sum_k (head_ok * x_k)[n + peak] + late_o[n]

all of y after ``pre_delay_s`` and times ``gain * polarity``; n counts from the direct sound, the head's sample `peak`.
`docs/format.md` specifies the JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer, model_validator

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.fdn.absorption import Absorption, PerLineGain
from fdnlearn.fdn.fields import (
    MAX_CHANNELS,
    MAX_LINES,
    MAX_PRE_DELAY_S,
    MAX_TAPS,
    MAX_TOTAL_DELAY_SAMPLES,
    Delay,
    HeadPosition,
    Integer,
    Matrix,
    Number,
    Part,
    Positive,
    SampleCount,
    SampleRate,
)
from fdnlearn.fdn.parts import Early, Head, ToneSection
from fdnlearn.fdn.stability import StabilityProof, prove

FORMAT: Final = "fdnlearn.fdn"
#: The newest version, which a network with a head has; others are written as what they were before there were heads.
VERSION: Final = 2
#: Largest entry of ``|U U^T - 1|`` that still counts as orthogonal.
ORTHOGONALITY = 1e-6
#: Fields that version 1 does not know.
_SINCE_2 = ("head", "direct_peak_samples")


@shapes_checked
@dataclass(frozen=True, eq=False)
class FDNArrays:
    """The numbers of an `FDN` as read-only float64 arrays; shapes as in the contract."""

    delays_samples: Float64[FloatArray, " lines"]
    feedback_matrix: Float64[FloatArray, "lines lines"]
    input_gains: Float64[FloatArray, "lines inputs"]
    output_gains: Float64[FloatArray, "outputs lines"]
    direct_gains: Float64[FloatArray, "outputs inputs"]


class FDN(Part):
    """A feedback delay network as numbers that any renderer can run.

    Instances are valid by construction: shapes agree, the matrix is orthogonal and the loop is proved
    stable (`stability`). Mono is the case of one input and one output.

    Attributes
    ----------
    format, version
        ``"fdnlearn.fdn"``; 2 for a network with a head, 1 for one without.
    sample_rate_hz : int
        Rate of the fit.
    delays_samples : tuple of float, N
        Delays m at that rate, at least one sample; whole numbers after a default fit.
    feedback_matrix : N rows of N
        Orthogonal matrix U; row i feeds line i.
    input_gains, output_gains, direct_gains
        B (N rows of I), C (O rows of N), D (O rows of I).
    absorption : PerLineGain or ReverberationTime
        What a line loses in one round trip.
    tone : tuple of ToneSection
        Output equaliser of the late part.
    early : tuple of SparseEarly or FirEarly
        Early part; paths given more than once add up.
    head : tuple of Head
        First samples of paths, all on one time axis that begins before the direct sound; paths given more than once
        add up.
    direct_peak_samples : int
        Where on that axis the direct sound has its peak, which everything else counts from.
    late_delay_samples : int
        Keeps the network's own first echoes off the early part.
    pre_delay_s : float
        Silence before the direct sound, seconds.
    gain, polarity : float, int
        Undo the normalisation of the target: gain > 0, polarity +1 or -1.
    provenance : dict
        Where the network comes from; any JSON object.
    """

    format: Literal["fdnlearn.fdn"] = FORMAT
    version: Literal[1, 2] = 1
    sample_rate_hz: SampleRate
    delays_samples: Annotated[tuple[Delay, ...], Field(min_length=1, max_length=MAX_LINES)]
    feedback_matrix: Annotated[Matrix, Field(min_length=1, max_length=MAX_LINES)]
    input_gains: Annotated[Matrix, Field(min_length=1, max_length=MAX_LINES)]
    output_gains: Annotated[Matrix, Field(min_length=1, max_length=MAX_CHANNELS)]
    direct_gains: Annotated[Matrix, Field(min_length=1, max_length=MAX_CHANNELS)]
    absorption: Absorption
    tone: Annotated[tuple[ToneSection, ...], Field(max_length=64)] = ()
    early: Annotated[tuple[Early, ...], Field(max_length=MAX_TAPS)] = ()
    head: Annotated[tuple[Head, ...], Field(max_length=MAX_CHANNELS**2)] = ()
    direct_peak_samples: HeadPosition = 0
    late_delay_samples: SampleCount = 0
    pre_delay_s: Annotated[Number, Field(ge=0.0, le=MAX_PRE_DELAY_S)] = 0.0
    gain: Positive = 1.0
    polarity: Annotated[Integer, Field(ge=-1, le=1, json_schema_extra={"enum": [-1, 1]})] = 1
    provenance: dict[str, JsonValue] = Field(default_factory=dict)

    @classmethod
    def from_arrays(
        cls,
        *,
        sample_rate_hz: int,
        delays: npt.ArrayLike,
        feedback_matrix: npt.ArrayLike,
        input_gains: npt.ArrayLike,
        output_gains: npt.ArrayLike,
        direct_gains: npt.ArrayLike,
        line_gains: npt.ArrayLike,
        gain: float = 1.0,
        polarity: int = 1,
        provenance: Mapping[str, Any] | None = None,
    ) -> FDN:
        """Build a network with one gain per line from arrays.

        Parameters
        ----------
        sample_rate_hz : int
        delays : array_like, shape (N,)
            Samples at that rate.
        feedback_matrix : array_like, shape (N, N)
        input_gains, output_gains, direct_gains : array_like, shapes (N, I), (O, N), (O, I)
        line_gains : array_like, shape (N,)
        gain, polarity, provenance
            As in the contract.

        Raises
        ------
        FdnlearnError
            If shapes disagree, the matrix is not orthogonal or the loop cannot be proved stable.
        pydantic.ValidationError
            If a value has the wrong type or lies outside its range.
        """

        def plain(values: npt.ArrayLike) -> Any:
            return np.asarray(values, dtype=np.float64).tolist()

        return cls(
            sample_rate_hz=int(sample_rate_hz),
            delays_samples=plain(delays),
            feedback_matrix=plain(feedback_matrix),
            input_gains=plain(input_gains),
            output_gains=plain(output_gains),
            direct_gains=plain(direct_gains),
            absorption=PerLineGain(gains=plain(line_gains)),
            gain=float(gain),
            polarity=int(polarity),
            provenance=dict(provenance or {}),
        )

    @property
    def lines(self) -> int:
        """Number of delay lines N."""
        return len(self.delays_samples)

    @property
    def inputs(self) -> int:
        """Number of inputs I."""
        return len(self.direct_gains[0])

    @property
    def outputs(self) -> int:
        """Number of outputs O."""
        return len(self.direct_gains)

    @cached_property
    def arrays(self) -> FDNArrays:
        """Delays, matrix and gains as read-only float64 arrays."""

        def frozen(values: Any) -> FloatArray:
            array = np.array(values, dtype=np.float64)
            array.setflags(write=False)
            return array

        return FDNArrays(
            frozen(self.delays_samples),
            frozen(self.feedback_matrix),
            frozen(self.input_gains),
            frozen(self.output_gains),
            frozen(self.direct_gains),
        )

    @property
    @shapes_checked
    def reverberation_times_s(self) -> Float64[FloatArray, "lines knots"]:
        """Reverberation time of every line, seconds, shape (N, K): K knots, one for free gains."""
        return self.absorption.reverberation_times_s(self.arrays.delays_samples / self.sample_rate_hz)

    @cached_property
    def stability(self) -> StabilityProof:
        """Proof that the loop is stable at the fit's own rate."""
        delays = self.arrays.delays_samples
        gains, sos = self.absorption.design(delays / self.sample_rate_hz, delays, self.sample_rate_hz, 1.0)
        return prove(self.arrays.feedback_matrix, gains, sos, self.sample_rate_hz)

    @model_serializer(mode="wrap")
    def _of_its_version(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """All fields that its version has."""
        document: dict[str, Any] = serialise(self)
        return {name: document[name] for name in document if self.version > 1 or name not in _SINCE_2}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        n = self.lines
        _check_shape("feedback_matrix", self.feedback_matrix, n, n)
        _check_shape("input_gains", self.input_gains, n, self.inputs)
        _check_shape("output_gains", self.output_gains, self.outputs, n)
        _check_shape("direct_gains", self.direct_gains, self.outputs, self.inputs)
        if not 1 <= self.inputs <= MAX_CHANNELS:
            raise FdnlearnError(
                "direct_gains", f"describes {self.inputs} inputs", f"give 1 to {MAX_CHANNELS} inputs"
            )
        if sum(self.delays_samples) > MAX_TOTAL_DELAY_SAMPLES:
            raise FdnlearnError(
                "delays_samples",
                f"adds up to more than {MAX_TOTAL_DELAY_SAMPLES} samples",
                "use shorter lines",
            )
        described = self.absorption.lines
        if described != n:
            raise FdnlearnError(
                "absorption", f"describes {described} lines where there are {n}", "give one entry per line"
            )
        self.absorption.check()
        if self.polarity == 0:
            raise FdnlearnError("polarity", "is 0", "give 1 or -1")
        for index, section in enumerate(self.tone):
            if section.frequency_hz >= self.sample_rate_hz / 2:
                raise FdnlearnError(
                    f"tone[{index}].frequency_hz",
                    f"{section.frequency_hz:g} Hz is not below half the sample rate",
                    "lower it or remove the section",
                )
        for name, paths in (("early", self.early), ("head", self.head)):
            for index, path in enumerate(paths):
                if path.output >= self.outputs or path.input >= self.inputs:
                    raise FdnlearnError(
                        f"{name}[{index}]",
                        f"joins input {path.input} to output {path.output}, which do not exist",
                        "count channels from 0",
                    )
        self._check_head()
        _check_orthogonal(self.arrays.feedback_matrix)
        self.stability.require()
        return self

    def _check_head(self) -> None:
        if self.version < 2:
            for name in _SINCE_2:
                if name in self.model_fields_set:
                    raise FdnlearnError(name, "is not part of version 1", "write version 2")
        longest = max((len(path.coefficients) for path in self.head), default=0)
        if self.direct_peak_samples >= max(longest, 1):
            raise FdnlearnError(
                "direct_peak_samples",
                f"{self.direct_peak_samples} is not within the head, which has {longest} samples",
                "count from the head's first sample",
            )


def _check_shape(name: str, matrix: Matrix, rows: int, columns: int) -> None:
    if len(matrix) != rows:
        raise FdnlearnError(name, f"has {len(matrix)} rows where {rows} are needed", "make the shapes agree")
    for index, row in enumerate(matrix):
        if len(row) != columns:
            raise FdnlearnError(
                f"{name}[{index}]",
                f"has {len(row)} values where {columns} are needed",
                "make the shapes agree",
            )


def _check_orthogonal(matrix: FloatArray) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.max(np.abs(matrix @ matrix.T - np.eye(len(matrix))))
    if not error <= ORTHOGONALITY:
        raise FdnlearnError(
            "feedback_matrix",
            f"is not orthogonal (U U^T differs from the identity by {error:.1e}, {ORTHOGONALITY:.0e} is allowed)",
            "save it with full precision or fit again",
        )
