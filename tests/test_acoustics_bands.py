"""The octave filters: tolerance class, energy, phase, and decays that differ from band to band."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fdnlearn.acoustics import room_parameters
from fdnlearn.acoustics.bands import OCTAVES_HZ, Octave, filter_octaves, octave_magnitude, octaves

FS = 48000


@pytest.mark.parametrize("nominal_hz", OCTAVES_HZ)
def test_the_filter_is_class_1_of_iec_61260(nominal_hz: int) -> None:
    import pyfar

    band = Octave(nominal_hz)
    lower_db, upper_db, frequency_hz = pyfar.constants.fractional_octave_filter_tolerance(
        nominal_hz, 1, tolerance_class=1
    )
    level_db = 20 * np.log10(octave_magnitude(band, np.asarray(frequency_hz)))
    assert (level_db <= upper_db + 1e-9).all()
    assert (level_db >= lower_db - 1e-9).all()


def test_neighbouring_edges_meet() -> None:
    bands = octaves(FS)
    assert [band.nominal_hz for band in bands] == list(OCTAVES_HZ)
    for low, high in pairwise(bands):
        assert low.edges_hz[1] == pytest.approx(high.edges_hz[0])


def test_no_energy_is_lost_in_front_of_the_onset() -> None:
    """A lone direct sound: half of each band's energy falls in front of it and is handed back."""
    h = np.zeros(FS // 2)
    h[0] = 1.0
    for band, (x, before) in zip(octaves(FS), filter_octaves(h, FS, octaves(FS)), strict=True):
        frequency_hz = np.fft.rfftfreq(1 << 18, 1 / FS)
        whole = np.mean(octave_magnitude(band, frequency_hz) ** 2)
        assert before + np.sum(x**2) == pytest.approx(whole, rel=1e-3)
        assert before == pytest.approx(0.5 * (whole - x[0] ** 2), rel=1e-3)


def test_each_band_keeps_its_own_reverberation_time() -> None:
    """Noise made band by band, each with its own decay, is read back band by band (mean of six responses)."""
    rate, wanted = 16000, {125: 1.2, 250: 1.0, 500: 0.8, 1000: 0.6, 2000: 0.5, 4000: 0.4}
    t = np.arange(3 * rate) / rate
    frequency_hz = np.maximum(np.fft.rfftfreq(t.size, 1 / rate), 1.0)
    found: dict[int, list[float]] = {nominal_hz: [] for nominal_hz in wanted}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        h = np.zeros(t.size)
        for nominal_hz, rt_s in wanted.items():
            inside = np.abs(np.log2(frequency_hz / Octave(nominal_hz).centre_hz)) < 0.5
            noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(t.size)) * inside, t.size)
            h += noise * 10 ** (-3 * t / rt_s)
        for nominal_hz, band in room_parameters(h, rate, "none").octave.items():
            assert band.t20_s is not None
            assert band.measurability["t20_s"].counts
            found[nominal_hz].append(band.t20_s)
    for nominal_hz, rt_s in wanted.items():
        # Slower neighbours reach into a band's skirts late in its decay; T20 reads the early part.
        assert np.mean(found[nominal_hz]) == pytest.approx(rt_s, rel=0.08 if nominal_hz < 500 else 0.05)


@pytest.mark.parametrize(
    ("rt_s", "bound"), [(0.4, (0.12, 0.05, 0.04, 0.03, 0.02, 0.02)), (1.5, (0.05, 0.04, *4 * (0.02,)))]
)
@pytest.mark.long
def test_white_decays_read_the_same_in_every_band(rt_s: float, bound: tuple[float, ...]) -> None:
    """Means of eight responses: what is left in narrow bands is the scatter of noise."""
    rate = 16000
    t = np.arange(round(3 * rt_s * rate)) / rate
    times = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        h = rng.standard_normal(t.size) * 10 ** (-3 * t / rt_s) + 1e-4 * rng.standard_normal(t.size)
        times.append([band.t30_s for band in room_parameters(h, rate).octave.values()])
    error = np.abs(np.mean(np.array(times, dtype=float), axis=0) / rt_s - 1.0)
    assert (error < bound).all(), error
