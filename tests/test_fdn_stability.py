"""The stability proof: never below the truth, never far above it, and not fooled by what hides between grid points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import ToneSection, prove
from fdnlearn.fdn.biquads import lowpass_sos, tone_sos

FS = 48000


def section(kind: str, frequency_hz: float, gain_db: float, q: float) -> ToneSection:
    return ToneSection(type=kind, frequency_hz=frequency_hz, gain_db=gain_db, q=q)  # type: ignore[arg-type]


def magnitude(sections: FloatArray, w: FloatArray) -> FloatArray:
    """Magnitude of sections in series, in extended precision: in double, cancellation near z = 1 costs five digits."""
    powers = np.exp(-1j * np.outer(np.arange(3), w.astype(np.longdouble)))
    quotient = np.prod((sections[:, :3] @ powers) / (sections[:, 3:] @ powers), axis=0)
    return np.abs(quotient).astype(np.float64)


def dense_maximum(gains: FloatArray, sos: FloatArray) -> float:
    """Largest magnitude over lines: on a dense grid, then on a finer one around the highest maxima of that."""
    w = np.unique(np.concatenate((np.linspace(0.0, math.pi, 20001), np.geomspace(1e-6, math.pi, 20001))))
    largest = 0.0
    for gain, rows in zip(gains, sos, strict=True):
        height = magnitude(rows, w)
        inner = 1 + np.flatnonzero((height[1:-1] >= height[:-2]) & (height[1:-1] >= height[2:]))
        inner = inner[np.argsort(height[inner])[-50:]]  # a flat response has thousands
        near = np.linspace(w[inner - 1], w[inner + 1], 201).ravel()
        largest = max(largest, gain * float(np.max(magnitude(rows, np.concatenate((w, near))))))
    return largest


def test_gains_alone_are_bounded_by_the_largest() -> None:
    proof = prove(np.eye(3), np.array([0.5, 0.99, 0.7]), np.empty((3, 0, 6)), FS)
    assert proof.stable
    assert proof.bound == pytest.approx(0.99, abs=1e-12)
    assert proof.line == 1


def test_the_norm_of_the_matrix_counts() -> None:
    proof = prove(np.eye(3) * (1 + 5e-7), np.full(3, 1 - 5e-7), np.empty((3, 0, 6)), FS)
    assert proof.bound == pytest.approx(1.0, abs=1e-11)
    assert not proof.stable
    with pytest.raises(FdnlearnError, match="not stable"):
        proof.require()


def test_the_margin_is_one_ten_millionth() -> None:
    for gain, stable in ((1 - 1.01e-7, True), (1 - 0.99e-7, False)):
        assert prove(np.eye(2), np.full(2, gain), np.empty((2, 0, 6)), FS).stable is stable


@pytest.mark.parametrize("frequency_hz", [31.7, 437.21, 11025.3, 23987.0])
def test_a_peak_between_the_points_of_any_coarse_grid_is_refused(frequency_hz: float) -> None:
    # 0.9 everywhere but for a resonance, hundredths of a hertz to a few hertz wide, that reaches 1.01
    q = 1e3
    peak_db = 20 * math.log10(1.01 / 0.9)
    narrow = section("peaking", frequency_hz, peak_db, 1.0).model_copy(update={"q": q})
    sos = tone_sos([narrow], FS)[None]
    grid = np.linspace(0.0, math.pi, 1025)
    assert 0.9 * np.max(magnitude(sos[0], grid)) < 1 - 1e-7
    proof = prove(np.eye(1), np.array([0.9]), sos, FS)
    assert not proof.stable
    assert proof.bound == pytest.approx(1.01, abs=1e-3)
    assert proof.frequency_hz == pytest.approx(frequency_hz, rel=1e-3)
    below = prove(np.eye(1), np.array([0.9 * 0.99]), sos, FS)
    assert below.stable
    assert below.bound == pytest.approx(0.9999, abs=1e-4)
    assert below.attained <= 0.9999 + 1e-6


sections = st.builds(
    section,
    st.sampled_from(["peaking", "low_shelf", "high_shelf"]),
    st.floats(15.0, 23900.0),
    st.floats(-30.0, 20.0),
    st.floats(0.1, 30.0),
)


@pytest.mark.long
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(st.lists(sections, min_size=3, max_size=3), min_size=1, max_size=4), st.integers(0, 2**32))
def test_the_bound_lies_above_a_dense_grid_and_close_to_it(lines: list[list[ToneSection]], seed: int) -> None:
    gains = np.random.default_rng(seed).uniform(0.1, 1.0, len(lines))
    sos = np.stack([tone_sos(line, FS) for line in lines])
    proof = prove(np.eye(len(lines)), gains, sos, FS)
    grid = dense_maximum(gains, sos)
    assert proof.bound >= grid * (1 - 1e-12)
    assert proof.attained <= proof.bound <= proof.attained * (1 + 6e-4)  # an enclosure, not an estimate
    assert proof.bound <= grid * 1.001
    at = np.array([2 * math.pi * proof.frequency_hz / FS])
    met = magnitude(sos[proof.line], at)[0] * gains[proof.line]
    assert met == pytest.approx(proof.attained, rel=1e-7)


def test_a_maximum_at_zero_hertz_or_at_nyquist_is_found_exactly() -> None:
    for kind, at in (("low_shelf", 0.0), ("high_shelf", FS / 2)):
        sos = tone_sos([section(kind, 1000.0, 6.0, 0.7)], FS)[None]
        proof = prove(np.eye(1), np.array([0.4]), sos, FS)
        assert proof.bound == pytest.approx(0.4 * 10 ** (6 / 20), rel=1e-3)
        assert proof.frequency_hz == pytest.approx(at, abs=0.1) or proof.bound > 0.4 * 10 ** (6 / 20)


def test_flat_and_all_pass_sections_end_at_once() -> None:
    unity = np.tile([1.0, 0.0, 0.0, 1.0, 0.0, 0.0], (4, 10, 1))
    assert prove(np.eye(4), np.full(4, 0.9), unity, FS).bound == pytest.approx(0.9, rel=6e-4)
    all_pass = np.tile([0.5, -0.3, 1.0, 1.0, -0.3, 0.5], (2, 2, 1))
    assert prove(np.eye(2), np.full(2, 0.9), all_pass, FS).bound == pytest.approx(0.9, rel=6e-4)


def test_zeros_on_the_unit_circle_are_no_trouble() -> None:
    sos = lowpass_sos(16000, FS)[None]
    proof = prove(np.eye(1), np.array([0.9]), sos, FS)
    assert proof.bound == pytest.approx(0.9, rel=6e-4)
    assert prove(np.eye(1), np.zeros(1), sos, FS).bound == 0.0


@pytest.mark.parametrize(
    "poles",
    [(-2.0, 1.0), (0.0, -1.0), (-1.999, 0.9989), (2.1, 1.2), (0.0, 1.0), (math.nan, 0.0), (0.0, math.inf)],
)
def test_poles_on_or_outside_the_unit_circle_are_refused(poles: tuple[float, float]) -> None:
    sos = np.array([[[1e-9, 0.0, 0.0, 1.0, *poles]]])
    proof = prove(np.eye(1), np.array([0.5]), sos, FS)
    assert proof.bound == math.inf
    assert not proof.stable


def test_a_pole_hard_by_the_unit_circle_is_decided_exactly() -> None:
    for a2, inside in ((1.0 - 1e-5, True), (1.0, False), (1.0 + 1e-15, False)):
        sos = np.array([[[1e-9, 0.0, 0.0, 1.0, 0.0, a2]]])
        assert prove(np.eye(1), np.array([0.5]), sos, FS).stable is inside


def test_a_gain_close_to_the_limit_is_decided_as_finely_as_needed() -> None:
    shelf = tone_sos([section("low_shelf", 300.0, -6.0, 0.7), section("peaking", 5000.0, -6.0, 1.0)], FS)[
        None
    ]
    for gain, stable in ((1 - 1.1e-7, True), (1 - 0.9e-7, False)):
        assert prove(np.eye(1), np.array([gain]), shelf, FS).stable is stable
