"""The resampler's accuracy, as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from fdnlearn.rir.resampling import factors, resample

RATIOS = [(96000, 16000), (44100, 16000), (48000, 16000), (96000, 44100), (192000, 48000), (48000, 44100)]


@pytest.mark.parametrize(("source_hz", "wanted_hz"), RATIOS)
def test_a_sine_in_the_pass_band_keeps_amplitude_and_phase(source_hz: int, wanted_hz: int) -> None:
    margin = wanted_hz // 4
    for frequency_hz in (100.0, 0.2 * wanted_hz, 0.47 * wanted_hz):
        x = np.sin(2 * np.pi * frequency_hz * np.arange(source_hz) / source_hz + 0.3)
        y = resample(x, source_hz, wanted_hz)
        wanted = np.sin(2 * np.pi * frequency_hz * np.arange(y.size) / wanted_hz + 0.3)
        error = (y - wanted)[margin:-margin]
        assert 10 * np.log10(np.mean(error**2) / 0.5) < -140.0


@pytest.mark.parametrize(("source_hz", "wanted_hz"), RATIOS)
def test_nothing_folds_back(source_hz: int, wanted_hz: int) -> None:
    margin = wanted_hz // 4
    for frequency_hz in np.linspace(0.501 * wanted_hz, 0.499 * source_hz, 5):
        x = np.sin(2 * np.pi * frequency_hz * np.arange(source_hz) / source_hz)
        y = resample(x, source_hz, wanted_hz)[margin:-margin]
        assert 10 * np.log10(np.mean(y**2) / 0.5) < -140.0


def test_an_impulse_stays_where_it_is() -> None:
    x = np.zeros((2, 4410))
    x[:, 441] = 1.0
    y = resample(x, 44100, 16000)
    assert y.shape == (2, 1600)
    assert np.argmax(y, axis=1).tolist() == [160, 160]


def test_the_same_rate_changes_nothing() -> None:
    x = np.random.default_rng(0).standard_normal(100)
    assert resample(x, 16000, 16000) is x


def test_factors_are_in_lowest_terms() -> None:
    assert factors(44100, 16000) == (160, 441)
