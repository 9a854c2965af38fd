"""Parts of the contract that are no bare numbers: the output equaliser's sections, head and early part of a path."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fdnlearn.fdn.fields import MAX_HEAD_SAMPLES, MAX_TAPS, Index, Number, Part, Positive, SampleCount


class ToneSection(Part):
    """One section of the output equaliser: a second-order filter of R. Bristow-Johnson's cookbook."""

    type: Literal["peaking", "low_shelf", "high_shelf"]
    frequency_hz: Positive
    gain_db: Annotated[Number, Field(ge=-60.0, le=60.0)]
    q: Annotated[Number, Field(ge=0.01, le=100.0)]


class Tap(Part):
    """One early reflection: delay in samples at the fit's rate, and gain."""

    samples: SampleCount
    gain: Number


class SparseEarly(Part):
    """Early part of one path as single taps."""

    kind: Literal["sparse"] = "sparse"
    output: Index
    input: Index
    taps: Annotated[tuple[Tap, ...], Field(max_length=MAX_TAPS)]


class FirEarly(Part):
    """Early part of one path as a dense impulse response at the fit's rate."""

    kind: Literal["fir"] = "fir"
    output: Index
    input: Index
    coefficients: Annotated[tuple[Number, ...], Field(max_length=MAX_TAPS)]


class Head(Part):
    """The first samples of one path at the fit's rate, from before the direct sound's flank on."""

    output: Index
    input: Index
    coefficients: Annotated[tuple[Number, ...], Field(min_length=1, max_length=MAX_HEAD_SAMPLES)]


Early = Annotated[SparseEarly | FirEarly, Field(discriminator="kind")]
