"""What every target writes down: a realised network as few, plain arrays, with gains folded in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fdnlearn.base.audio import LOUDEST
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float64, FloatArray, IntArray, shapes_checked
from fdnlearn.export.response import GrowingResponse
from fdnlearn.fdn import FDN, Realisation, realise
from fdnlearn.render import tail_length_s


@dataclass(frozen=True)
class RoutedTap:
    """One echo of an input in an output, the direct sound among them."""

    output: int
    input: int
    delay_samples: int
    gain: float


@dataclass(frozen=True)
class TapRun:
    """Taps of one path at successive delays: ``gains[l]`` at ``delay_samples + l``."""

    output: int
    input: int
    delay_samples: int
    gains: tuple[float, ...]


@shapes_checked
@dataclass(frozen=True, eq=False)
class ExportNetwork:
    """A network at one sample rate: N lines, I inputs, O outputs. Sections are rows ``b0 b1 b2 a1 a2``.

    Attributes
    ----------
    name : str
        Stem of the files and identifier in programs: letters, digits and underscores.
    fdn : FDN
        What was realised.
    realisation : Realisation
    feedback : ndarray, shape (N, N)
        Row i feeds line i; the flat part of the absorption is in it, column by column.
    output_gains : ndarray, shape (O, N)
        Gain and polarity are in it, as they are in the taps.
    line_sections : ndarray, shape (N, S, 5)
        After the output tap, before the matrix.
    tone, lowpass : ndarray, shapes (T, 5), (L, 5)
        On the late part, and on the whole of every output.
    taps : tuple of RoutedTap
        Head, early part and direct sound, by output, input and delay; equal delays are one tap, silent ones none.
    """

    name: str
    fdn: FDN
    realisation: Realisation
    feedback: Float64[FloatArray, "lines lines"]
    output_gains: Float64[FloatArray, "outputs lines"]
    line_sections: Float64[FloatArray, "lines sections 5"]
    tone: Float64[FloatArray, "tone_sections 5"]
    lowpass: Float64[FloatArray, "lowpass_sections 5"]
    taps: tuple[RoutedTap, ...]

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the realisation."""
        return self.realisation.sample_rate_hz

    @property
    def lines(self) -> int:
        """N."""
        return len(self.feedback)

    @property
    def inputs(self) -> int:
        """I."""
        return int(self.realisation.input_gains.shape[1])

    @property
    def outputs(self) -> int:
        """O."""
        return len(self.output_gains)

    @property
    def delays_samples(self) -> IntArray:
        """Delays of the lines, shape (N,)."""
        return self.realisation.delays_samples

    @property
    def input_gains(self) -> FloatArray:
        """B, shape (N, I)."""
        return self.realisation.input_gains

    @property
    def late_delay_samples(self) -> int:
        """By how much the network's input comes late."""
        return self.realisation.late_delay_samples

    @cached_property
    def runs(self) -> tuple[TapRun, ...]:
        """The taps, those at successive delays joined."""
        return tuple(_joined(self.taps))

    def pieces(self, longest: int) -> tuple[TapRun, ...]:
        """The runs, cut to at most `longest` taps each."""
        return tuple(
            TapRun(run.output, run.input, run.delay_samples + start, run.gains[start : start + longest])
            for run in self.runs
            for start in range(0, len(run.gains), longest)
        )

    @property
    def longest_tap_samples(self) -> int:
        """Delay of the last tap or of the network's input, whichever is longer."""
        return max([tap.delay_samples for tap in self.taps] + [self.late_delay_samples])

    def block_samples(self, longest: int) -> int:
        """The largest power of two that is at most `longest` and no longer than any line."""
        shortest = int(self.delays_samples.min())
        return min(longest, 1 << (shortest.bit_length() - 1))

    @cached_property
    def _rendered(self) -> GrowingResponse:
        return GrowingResponse(self.realisation)

    @shapes_checked
    def impulse_response(self, longest_s: float = math.inf) -> Float64[FloatArray, "outputs inputs samples"]:
        """The response every export is held to: double precision, its whole tail or at most `longest_s` of it.

        Rendered once, however many exports and checks ask for it.

        Raises
        ------
        FdnlearnError
            If it is louder than single precision can say.
        """
        length_s = min(tail_length_s(self.realisation), longest_s)
        response = self._rendered.first(round(length_s * self.sample_rate_hz))
        peak = float(np.max(np.abs(response), initial=0.0))
        if not peak <= LOUDEST:
            raise FdnlearnError(
                self.name, f"its response reaches {peak:.3g}, more than a target can play", "lower the gains"
            )
        return response


def describe(
    fdn: FDN, name: str, sample_rate_hz: int | None = None, *, decay: float = 1.0, size: float = 1.0
) -> ExportNetwork:
    """Realise a network and fold its gains together.

    Parameters
    ----------
    fdn : FDN
    name : str
        Identifier.
    sample_rate_hz : int, optional
        The fit's own by default.
    decay, size : float
        Scale reverberation times and delays.

    Raises
    ------
    FdnlearnError
        As `fdnlearn.fdn.realise`.
    """
    r = realise(fdn, sample_rate_hz, decay=decay, size=size)
    return ExportNetwork(
        name=name,
        fdn=fdn,
        realisation=r,
        feedback=r.feedback_matrix * r.line_gains,
        output_gains=r.output_gains * r.gain,
        line_sections=_without_a0(r.line_sos),
        tone=_without_a0(r.tone_sos),
        lowpass=_without_a0(r.lowpass_sos),
        taps=_taps(r),
    )


def _without_a0(sos: FloatArray) -> FloatArray:
    return np.ascontiguousarray(sos[..., [0, 1, 2, 4, 5]])


def _taps(r: Realisation) -> tuple[RoutedTap, ...]:
    gains: dict[tuple[int, int, int], float] = {}
    for o, k in np.ndindex(r.direct_gains.shape):
        gains[o, k, r.direct_delay_samples] = float(r.direct_gains[o, k])
    for o, k, delay, gain in zip(
        r.tap_outputs, r.tap_inputs, r.tap_delays_samples + r.early_delay_samples, r.tap_gains, strict=True
    ):
        place = int(o), int(k), int(delay)
        gains[place] = gains.get(place, 0.0) + float(gain)
    return tuple(RoutedTap(*place, gain * r.gain) for place, gain in sorted(gains.items()) if gain != 0.0)


def _joined(taps: tuple[RoutedTap, ...]) -> Iterator[TapRun]:
    start = 0
    for end in range(1, len(taps) + 1):
        first, last = taps[start], taps[end - 1]
        if end < len(taps):
            following = taps[end]
            expected = (last.output, last.input, last.delay_samples + 1)
            if (following.output, following.input, following.delay_samples) == expected:
                continue
        yield TapRun(first.output, first.input, first.delay_samples, tuple(t.gain for t in taps[start:end]))
        start = end
