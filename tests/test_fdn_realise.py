"""A network at other sample rates, with other reverberation times and sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fdn_networks import head_of, network
from scipy.signal import freqz_sos

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fdn import FirEarly, ToneSection, realise
from fdnlearn.fdn.biquads import lowpass_sos, tone_sos
from fdnlearn.fdn.resample import fir_latency, resample_fir


def test_at_the_fits_own_rate_everything_is_used_as_it_is() -> None:
    fdn = network(6, 2, 2)
    r = realise(fdn)
    assert np.array_equal(r.delays_samples, fdn.arrays.delays_samples)
    assert np.array_equal(r.line_gains, np.asarray(fdn.absorption.gains))  # type: ignore[union-attr]
    assert r.lowpass_sos.shape == (0, 6)
    assert r.stability == fdn.stability


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000, 96000])
def test_reverberation_times_survive_a_change_of_rate(rate: int) -> None:
    r = realise(network(6), rate)
    times = -3.0 * r.delays_samples / (rate * np.log10(r.line_gains))
    assert times == pytest.approx(np.full(6, 0.4), rel=1e-12)
    assert r.sample_rate_hz == rate
    assert r.stability.stable


def test_decay_scales_reverberation_times_and_size_scales_delays_alone() -> None:
    fdn = network(6, late_delay_samples=100, pre_delay_s=0.01, early=[sparse(50)])
    plain, long, large = realise(fdn), realise(fdn, decay=2.0), realise(fdn, size=1.5)
    assert np.array_equal(long.delays_samples, plain.delays_samples)
    assert np.log10(long.line_gains) == pytest.approx(np.log10(plain.line_gains) / 2)
    assert np.array_equal(large.delays_samples, np.floor(plain.delays_samples * 1.5 + 0.5))
    times = -3.0 * large.delays_samples / (16000 * np.log10(large.line_gains))
    assert times == pytest.approx(np.full(6, 0.4), rel=1e-12)
    assert large.late_delay_samples == 160 + 150
    assert large.tap_delays_samples.tolist() == [75]
    assert large.direct_delay_samples == plain.direct_delay_samples == 160


def sparse(samples: int) -> dict[str, object]:
    return {"kind": "sparse", "output": 0, "input": 0, "taps": [{"samples": samples, "gain": 1.0}]}


def test_a_delay_never_vanishes() -> None:
    r = realise(network(3, delays_samples=[1.0, 2.0, 400.0]), 1000)
    assert r.delays_samples.min() == 1


def test_halves_round_up_and_fractional_delays_to_the_nearest() -> None:
    r = realise(network(4, delays_samples=[100.5, 101.5, 102.49, 103.0]))
    assert r.delays_samples.tolist() == [101, 102, 102, 103]


def test_a_loop_that_a_longer_decay_makes_unstable_is_refused() -> None:
    with pytest.raises(FdnlearnError, match="not stable"):
        realise(network(reverberation_time_s=20000.0), decay=100.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_rate_hz": 10}, "sample rate"),
        ({"sample_rate_hz": 10**9}, "sample rate"),
        ({"decay": 0.0}, "decay"),
        ({"decay": math.nan}, "decay"),
        ({"size": -1.0}, "size"),
        ({"size": 1e6}, "size"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(FdnlearnError, match=message):
        realise(network(), **arguments)  # type: ignore[arg-type]


def test_delays_that_outgrow_the_format_are_refused() -> None:
    with pytest.raises(FdnlearnError, match="delays_samples"):
        realise(network(10, delays_samples=[2.0**20] * 10), 192000)


@pytest.mark.parametrize("rate", [16010, 22050, 44100, 48000, 192000])
def test_the_lowpass_stops_at_the_fits_nyquist_and_passes_below(rate: int) -> None:
    w = np.linspace(0.0, math.pi, 50001)
    f = w * rate / (2 * math.pi)
    magnitude_db = 20 * np.log10(np.abs(freqz_sos(lowpass_sos(16000, rate), w)[1]) + 1e-30)
    assert np.max(magnitude_db[f >= 8000.0]) <= -89.99
    assert np.min(magnitude_db[f <= 0.85 * 8000.0]) >= -0.02
    assert np.min(magnitude_db[f <= 0.9 * 8000.0]) >= -3.0
    assert np.max(magnitude_db) < 1e-9


def test_no_lowpass_at_or_below_the_rate_of_the_fit() -> None:
    assert all(len(lowpass_sos(16000, rate)) == 0 for rate in (8000, 16000, 16001))


@pytest.mark.parametrize("kind", ["peaking", "low_shelf", "high_shelf"])
def test_tone_sections_have_the_gains_they_promise(kind: str) -> None:
    section = ToneSection(type=kind, frequency_hz=1000.0, gain_db=8.0, q=0.7)  # type: ignore[arg-type]
    sos = tone_sos([section], 48000)
    w = 2 * math.pi * np.array([0.0, 1000.0, 24000.0]) / 48000
    gains = 20 * np.log10(np.abs(freqz_sos(sos, w)[1]))
    expected = {"peaking": [0.0, 8.0, 0.0], "low_shelf": [8.0, 4.0, 0.0], "high_shelf": [0.0, 4.0, 8.0]}
    assert gains == pytest.approx(expected[kind], abs=1e-9)


def test_tone_above_the_nyquist_of_a_low_rate_acts_by_what_it_does_far_below() -> None:
    sections = [
        ToneSection(type=kind, frequency_hz=5000.0, gain_db=6.0, q=0.7)  # type: ignore[arg-type]
        for kind in ("peaking", "high_shelf", "low_shelf")
    ]
    sos = tone_sos(sections, 8000)
    assert sos[:, 0] == pytest.approx([1.0, 1.0, 10 ** (6 / 20)])
    assert not np.any(sos[:, [1, 2, 4, 5]])


@pytest.mark.parametrize(
    ("fit_rate", "rate"), [(16000, 48000), (44100, 48000), (48000, 44100), (48000, 16000)]
)
def test_a_dense_early_part_keeps_its_frequency_response(fit_rate: int, rate: int) -> None:
    rng = np.random.default_rng(0)
    c = rng.standard_normal(50)
    resampled = resample_fir(c, fit_rate, rate)
    f = np.linspace(0.0, 0.45 * min(fit_rate, rate), 200)
    before = np.exp(-2j * math.pi * np.outer(f, np.arange(c.size)) / fit_rate) @ c
    times = (np.arange(resampled.size) - fir_latency(fit_rate, rate)) / rate
    after = np.exp(-2j * math.pi * np.outer(f, times)) @ resampled
    assert np.max(np.abs(after - before)) <= 1e-3 * np.max(np.abs(before))
    far = np.linspace(0.56 * fit_rate, rate / 2, 100) if rate > 1.2 * fit_rate else np.empty(0)
    images = np.exp(-2j * math.pi * np.outer(far, times)) @ resampled
    assert np.max(np.abs(images), initial=0.0) <= 1e-3 * np.max(np.abs(before))


def test_the_latency_of_a_dense_early_part_is_taken_from_the_pre_delay_first() -> None:
    fir = FirEarly(output=0, input=0, coefficients=(1.0, 0.5)).model_dump()
    dry = realise(network(4, early=[fir]), 48000)
    assert dry.latency_samples == dry.direct_delay_samples == fir_latency(16000, 48000) == 96
    assert dry.early_delay_samples == 0
    late = realise(network(4, early=[fir], pre_delay_s=0.01), 48000)
    assert late.latency_samples == 0
    assert late.direct_delay_samples == 480
    assert late.early_delay_samples == 480 - 96


class TestHead:
    """Its direct sound is where everything else counts from."""

    def test_its_samples_lie_around_the_direct_sound(self) -> None:
        r = realise(network(4, early=[sparse(5)], late_delay_samples=9, **head_of(40, 12)))
        assert r.direct_delay_samples == r.latency_samples == 12
        assert r.early_delay_samples == 0
        assert r.tap_delays_samples.tolist() == [17, *range(40)]
        assert r.late_delay_samples == 21

    @pytest.mark.parametrize(("pre_delay", "latency"), [(0, 12), (5, 7), (12, 0), (20, 0)])
    def test_a_pre_delay_takes_up_what_lies_before_the_direct_sound(
        self, pre_delay: int, latency: int
    ) -> None:
        r = realise(network(4, pre_delay_s=pre_delay / 16000, **head_of(40, 12)))
        assert r.latency_samples == latency
        assert r.direct_delay_samples == pre_delay + latency
        assert r.early_delay_samples == r.direct_delay_samples - 12
        assert r.late_delay_samples == r.direct_delay_samples

    def test_size_leaves_it_alone(self) -> None:
        fdn = network(4, early=[sparse(50)], **head_of(40, 12))
        plain, large = realise(fdn), realise(fdn, size=1.5)
        assert large.tap_delays_samples.tolist() == [75 + 12, *range(40)]
        assert np.array_equal(large.tap_gains, plain.tap_gains)
        assert large.latency_samples == plain.latency_samples == 12

    @pytest.mark.parametrize(
        ("fit_rate", "rate"), [(16000, 48000), (44100, 48000), (48000, 44100), (48000, 16000)]
    )
    def test_it_keeps_its_frequency_response_around_its_direct_sound(self, fit_rate: int, rate: int) -> None:
        peak = 31
        fdn = network(4, sample_rate_hz=fit_rate, **head_of(80, peak))
        r = realise(fdn, rate)
        assert r.direct_delay_samples == r.latency_samples
        assert r.latency_samples == math.floor(peak * rate / fit_rate + 0.5) + fir_latency(fit_rate, rate)
        f = np.linspace(0.0, 0.45 * min(fit_rate, rate), 200)
        c = np.array(fdn.head[0].coefficients)
        before = np.exp(-2j * math.pi * np.outer(f, np.arange(c.size)) / fit_rate) @ c
        first = (r.early_delay_samples + r.tap_delays_samples - fir_latency(fit_rate, rate)) / rate
        after = np.exp(-2j * math.pi * np.outer(f, first)) @ r.tap_gains
        assert np.max(np.abs(after - before)) <= 1e-3 * np.max(np.abs(before))

    def test_the_longer_of_what_lies_before_decides(self) -> None:
        fir = FirEarly(output=0, input=0, coefficients=(1.0, 0.5)).model_dump()
        for peak, before in ((0, 96), (2, 6 + 96)):
            r = realise(network(4, early=[fir], **head_of(10, peak)), 48000)
            assert r.latency_samples == before
            assert int(r.tap_delays_samples.min()) == 0
