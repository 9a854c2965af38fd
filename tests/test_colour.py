"""Third octaves and colour: what an equaliser, a level, noise and a noise floor do to them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fdnlearn.acoustics.colour import (
    LATE_S,
    chance_db,
    colour,
    third_octave_decay_distance_db,
    third_octave_decays,
    third_octave_levels_db,
)
from fdnlearn.acoustics.third_octaves import (
    ThirdOctave,
    filter_third_octaves,
    third_octave_weights,
    third_octaves,
)
from fdnlearn.base.types import FloatArray

FS = 16000


def decay(seed: int, time_s: float = 0.8, seconds: float = 1.5) -> FloatArray:
    """Noise that decays exponentially."""
    t = np.arange(round(seconds * FS)) / FS
    return np.random.default_rng(seed).standard_normal(t.size) * 10.0 ** (-3.0 * t / time_s)


def equalised(h: FloatArray, gain_db: FloatArray, at_hz: FloatArray) -> FloatArray:
    """Through a zero-phase equaliser whose level is straight between points over the logarithm of frequency."""
    size = 4 * h.size
    hz = np.maximum(np.fft.rfftfreq(size, 1 / FS), 1.0)
    level_db = np.interp(np.log(hz), np.log(at_hz), gain_db)
    return np.fft.irfft(np.fft.rfft(h, size) * 10 ** (level_db / 20), size)[: h.size]


def test_the_bands_are_those_of_the_standard() -> None:
    bands = third_octaves(48000)
    assert [band.nominal_hz for band in bands][:6] == [50, 63, 80, 100, 125, 160]
    assert [band.nominal_hz for band in bands][-2:] == [12500, 16000]
    assert ThirdOctave(-5).nominal_hz == 315
    assert ThirdOctave(0).centre_hz == 1000
    assert ThirdOctave(-10).centre_hz == 100
    for low, high in pairwise(bands):
        assert low.edges_hz[1] == pytest.approx(high.edges_hz[0])
    assert third_octaves(FS)[-1].nominal_hz == 6300


def test_bands_are_power_complementary() -> None:
    hz = np.linspace(60.0, 6000.0, 5000)
    weights = third_octave_weights(third_octaves(FS), hz)
    assert weights.sum(axis=0) == pytest.approx(np.ones(hz.size))


@pytest.mark.parametrize("number", [-13, 0, 7])
def test_the_filter_is_class_1_of_iec_61260(number: int) -> None:
    import pyfar

    band = ThirdOctave(number)
    lower_db, upper_db, frequency_hz = pyfar.constants.fractional_octave_filter_tolerance(
        band.nominal_hz, 3, tolerance_class=1
    )
    weight = third_octave_weights((band,), np.asarray(frequency_hz, dtype=np.float64))[0]
    level_db = 10 * np.log10(np.maximum(weight, 1e-30))
    assert (level_db <= upper_db + 1e-9).all()
    assert (level_db >= lower_db - 1e-9).all()


def test_band_energies_are_those_of_the_weighted_spectrum() -> None:
    h = decay(1)
    bands = third_octaves(FS)
    size = 1 << 17
    spectrum = np.abs(np.fft.rfft(h, size)) ** 2
    power = 2.0 * third_octave_weights(bands, np.fft.rfftfreq(size, 1 / FS)) @ spectrum / size
    assert third_octave_levels_db(h, FS) == pytest.approx(10 * np.log10(power), abs=0.01)
    together = sum(np.square(own).sum() + before for own, before in filter_third_octaves(h, FS, bands))
    assert together == pytest.approx(power.sum(), rel=1e-3)


def test_the_same_response_is_at_no_distance() -> None:
    h = decay(2)
    room = third_octave_decays(h, FS, "none")
    for other in (h, -h, 0.01 * h):
        for from_s in (0.0, LATE_S):
            found = colour(room, other, from_s)
            assert found.rms_db == pytest.approx(0.0, abs=1e-9)
            assert found.worst_db == pytest.approx(0.0, abs=1e-9)
        assert third_octave_decay_distance_db(room, other) == pytest.approx(0.0, abs=1e-9)


def test_an_equaliser_is_what_is_measured_of_it() -> None:
    """A slope of 3 dB an octave, and nothing but a level."""
    h, at_hz = decay(3), np.array([10.0, 8000.0])
    room = third_octave_decays(h, FS, "none")
    slope_db = 3.0 * np.log2(at_hz / 1000.0)
    found = colour(room, equalised(h, slope_db, at_hz))
    hz = np.array([band.centre_hz for band in room.bands])[room.counts]
    wanted = 3.0 * np.log2(hz / 1000.0)
    wanted -= wanted.mean()
    assert list(found.by_band_db.values()) == pytest.approx(wanted, abs=0.25)
    assert found.rms_db == pytest.approx(np.sqrt(np.mean(wanted**2)), rel=0.02)
    assert found.worst_hz in (min(found.by_band_db), max(found.by_band_db))


def test_late_colour_does_not_see_the_direct_sound() -> None:
    h = decay(4)
    brighter = h.copy()
    brighter[:3] += [30.0, -60.0, 30.0]
    room = third_octave_decays(h, FS, "none")
    whole, late = colour(room, brighter), colour(room, brighter, LATE_S)
    assert whole.rms_db is not None
    assert whole.rms_db > 3.0
    assert late.rms_db == pytest.approx(0.0, abs=0.05)


@pytest.mark.long
def test_noise_against_noise_is_at_the_distance_of_chance() -> None:
    """Forty pairs: every band scatters as is foretold, the mean over bands removed."""
    bands = [band for band in third_octaves(FS) if band.bandwidth_hz * 0.8 > 16]
    differences = []
    for seed in range(40):
        room = third_octave_decays(decay(2 * seed + 100), FS, "none")
        differences.append(colour(room, decay(2 * seed + 101)).by_band_db)
    for band in bands:
        values = [found[band.nominal_hz] for found in differences if band.nominal_hz in found]
        # A few bands hardly move the mean that is removed; the scatter of 40 is known to a tenth or so.
        assert np.std(values) == pytest.approx(chance_db(band, 0.8), rel=0.45), band


def test_a_shorter_decay_is_at_the_distance_of_the_two_lines() -> None:
    """60 dB in 1.2 s and in 0.8 s: half the level reached, over a straight line down to -35 dB."""
    h = decay(5, 1.2, 3.0)
    room = third_octave_decays(h, FS, "none")
    t = np.arange(h.size) / FS
    faster = h * 10.0 ** (-3.0 * t * (1 / 0.8 - 1 / 1.2))
    found = third_octave_decay_distance_db(room, faster)
    assert found == pytest.approx(0.5 * 35.0 / np.sqrt(3.0), rel=0.06)


def test_noise_in_the_recording_does_not_count() -> None:
    """A floor at -50 dB changes neither colour nor decay, although it has a colour of its own."""
    h = decay(6)
    floor = equalised(
        np.random.default_rng(7).standard_normal(h.size), np.array([0.0, 12.0]), np.array([300.0, 6000.0])
    )
    room = third_octave_decays(h + 10 ** (-55 / 20) * floor, FS)
    assert room.counts.sum() > 10
    for from_s in (0.0, LATE_S):
        assert colour(room, h, from_s).worst_db == pytest.approx(0.0, abs=0.15)
    assert third_octave_decay_distance_db(room, h) == pytest.approx(0.0, abs=0.35)


def test_bands_that_are_chance_or_noise_do_not_count() -> None:
    room = third_octave_decays(decay(8, 0.2, 0.5), FS, "none")
    assert not any(c for band, c in zip(room.bands, room.counts, strict=True) if band.bandwidth_hz < 60)
    assert room.counts[-1]
    short = third_octave_decays(decay(8, 0.01, 0.5), FS, "none")
    assert colour(short, decay(9)).rms_db is None
    assert third_octave_decay_distance_db(short, decay(9)) is None
    assert not third_octave_decays(np.zeros(4000), FS).counts.any()
