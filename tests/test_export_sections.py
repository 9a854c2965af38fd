"""Sections by poles and by parameters are the sections, and hosts in single precision sound as was learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fdn_networks import FloatArray
from hypothesis import given
from hypothesis import strategies as st
from player_tools import banded

from fdnlearn.export import check, export
from fdnlearn.export.sections import ComplexPole, RealPoles, by_poles, parametric
from fdnlearn.fdn.biquads import tone_sos
from fdnlearn.fdn.parts import ToneSection

RATE_HZ = 48000
Z1 = np.exp(-1j * np.append(np.geomspace(1e-4, 3.14, 200), 0.0))

types = st.sampled_from(["peaking", "low_shelf", "high_shelf"])
tones = st.builds(
    ToneSection,
    type=types,
    frequency_hz=st.floats(20.0, 20000.0),
    gain_db=st.floats(-24.0, 24.0),
    q=st.floats(0.2, 10.0),
)


def row(tone: ToneSection) -> FloatArray:
    return tone_sos([tone], RATE_HZ)[0, [0, 1, 2, 4, 5]]


def response(section: FloatArray) -> np.ndarray:
    b0, b1, b2, a1, a2 = section
    return (b0 + b1 * Z1 + b2 * Z1**2) / (1.0 + a1 * Z1 + a2 * Z1**2)


def recombined(form: ComplexPole | RealPoles) -> np.ndarray:
    if isinstance(form, ComplexPole):
        pairs = ((form.residue, form.pole), (form.residue.conjugate(), form.pole.conjugate()))
        return form.direct + sum(residue / 2.0 / (1.0 - pole * Z1) for residue, pole in pairs)
    first, second = (1.0 / (1.0 - pole * Z1) for pole in (form.pole_1, form.pole_2))
    return form.direct + (form.first + form.second * second) * first


@given(tones)
def test_poles_and_residues_are_the_section(tone: ToneSection) -> None:
    section = row(tone)
    form = by_poles(section)
    if form is None:
        assert section[4] < 0.5
        return
    expected = response(section)
    assert np.abs(recombined(form) - expected).max() <= 1e-8 * np.abs(expected).max()


@pytest.mark.parametrize("pole", [0.6, 0.9, 0.9999, -0.8])
def test_so_are_sections_of_first_order_and_poles_that_coincide(pole: float) -> None:
    for section in (
        np.array([1.2, -0.7, 0.0, -pole, 0.0]),
        np.array([1.1, -1.9, 0.85, -2.0 * pole, pole**2]),
    ):
        if section[4] and pole**2 < 0.5:
            continue
        form = by_poles(section)
        assert isinstance(form, RealPoles)
        expected = response(section)
        assert np.abs(recombined(form) - expected).max() <= 1e-7 * np.abs(expected).max()


@given(tones)
def test_parameters_are_those_that_made_the_section(tone: ToneSection) -> None:
    found = parametric(row(tone))
    if abs(tone.gain_db) < 0.01:
        return  # nothing at all, whatever it is called
    if tone.type == "high_shelf":
        assert found is None
        return
    assert found is not None
    assert found.type == tone.type
    assert found.frequency * RATE_HZ / (2.0 * np.pi) == pytest.approx(tone.frequency_hz, rel=1e-6)
    assert found.q == pytest.approx(tone.q, rel=1e-6)
    assert found.gain_db == pytest.approx(tone.gain_db, abs=1e-6)


@pytest.mark.host
@pytest.mark.parametrize("target", ["puredata", "supercollider"])
def test_a_long_hall_with_wide_and_narrow_peaks_is_heard_as_learned(target: str, tmp_path: Path) -> None:
    tone = [
        {"type": "low_shelf", "frequency_hz": 40.0, "gain_db": 6.0, "q": 0.4},
        {"type": "peaking", "frequency_hz": 60.0, "gain_db": -8.0, "q": 0.3},
        {"type": "peaking", "frequency_hz": 31.0, "gain_db": 5.0, "q": 6.0},
        {"type": "high_shelf", "frequency_hz": 5000.0, "gain_db": -9.0, "q": 0.7},
    ]
    hall = banded(outputs=1, times_s=(6.0, 1.0), tone=tone)
    exported = export(hall, target, tmp_path)[0]
    outcome = check(exported, longest_s=2.0)
    if outcome.error_db is None:
        pytest.skip(outcome.reason)
    assert outcome.error_db <= exported.target.tolerance_of(exported.network) == -120.0
