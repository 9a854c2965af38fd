"""The hard echo density profile: one for Gaussian noise, near zero for few echoes."""

from __future__ import annotations

import numpy as np
import pytest

from fdnlearn.acoustics.echo_density import GAUSSIAN, echo_density, window


@pytest.mark.parametrize("rate", [16000, pytest.param(48000, marks=pytest.mark.long)])
def test_stationary_gaussian_noise_has_a_density_of_one(rate: int) -> None:
    h = np.random.default_rng(0).standard_normal(2 * rate)
    profile = echo_density(h, rate)
    assert profile.mean() == pytest.approx(1.0, abs=0.02)
    assert profile.std() < 0.1


def test_level_does_not_matter() -> None:
    h = np.random.default_rng(0).standard_normal(4000)
    np.testing.assert_array_equal(echo_density(h, 16000), echo_density(2.0**-40 * h, 16000))


def test_few_echoes_are_sparse_and_density_grows_with_their_number() -> None:
    rng = np.random.default_rng(0)
    means = []
    for echoes_per_s in (100, 1000, 4000):
        h = np.zeros(32000)
        h[rng.choice(h.size, 2 * echoes_per_s, replace=False)] = rng.standard_normal(2 * echoes_per_s)
        means.append(echo_density(h, 16000).mean())
    assert means[0] < 0.1
    assert means[0] < means[1] < means[2] < 1.0


def test_the_profile_is_its_definition() -> None:
    h = np.random.default_rng(0).standard_normal(900)
    w = window(16000)
    wanted = []
    for start in range(h.size - w.size + 1):
        frame = h[start : start + w.size]
        sigma = np.sqrt(np.sum(w * frame**2))
        wanted.append(GAUSSIAN * np.sum(w * (np.abs(frame) > sigma)))
    np.testing.assert_allclose(echo_density(h, 16000), wanted, rtol=1e-12)


def test_window_and_frames() -> None:
    w = window(16000)
    assert w.size == 321
    assert w.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(w, w[::-1])
    np.testing.assert_allclose(w[1:] / w[160], np.hanning(321)[1:], atol=1e-12)
    h = np.random.default_rng(0).standard_normal(1000)
    whole = echo_density(h, 16000)
    assert whole.size == 1000 - 321 + 1
    np.testing.assert_allclose(echo_density(h, 16000, hop=16), whole[::16], rtol=1e-12)
    assert echo_density(h[:320], 16000).size == 0
    assert echo_density(np.zeros(400), 16000).max() == 0.0


def test_chunks_join(monkeypatch: pytest.MonkeyPatch) -> None:
    h = np.random.default_rng(0).standard_normal(3000)
    whole = echo_density(h, 16000)
    monkeypatch.setattr("fdnlearn.acoustics.echo_density._CHUNK_VALUES", 321 * 7)
    np.testing.assert_allclose(echo_density(h, 16000), whole, rtol=1e-12)
