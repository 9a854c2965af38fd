"""The time-domain renderer: blocks equal the whole, and the sound is the one the contract describes."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fdn_networks import head_of, network
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfilt

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import FDN, Realisation, ToneSection, realise
from fdnlearn.fdn.biquads import tone_sos
from fdnlearn.render import BlockRenderer, impulse_response, render, tail_length_s, tail_warnings

EVERYTHING: dict[str, Any] = {
    "tone": [
        {"type": "low_shelf", "frequency_hz": 200.0, "gain_db": -4.0, "q": 0.7},
        {"type": "peaking", "frequency_hz": 2000.0, "gain_db": 5.0, "q": 3.0},
    ],
    "early": [
        {
            "kind": "sparse",
            "output": 1,
            "input": 0,
            "taps": [{"samples": n, "gain": 0.3} for n in (3, 70, 71, 72, 400)],
        },
        {"kind": "fir", "output": 0, "input": 1, "coefficients": [0.1 * (-1) ** n for n in range(23)]},
    ],
    "late_delay_samples": 33,
    "pre_delay_s": 0.003,
    "gain": 0.7,
    "polarity": -1,
}


def with_sections(fdn: FDN, sections: list[ToneSection], seed: int = 0) -> Realisation:
    """A realisation whose lines carry filters, all a little different and never above 0 dB."""
    r = realise(fdn)
    rng = np.random.default_rng(seed)
    sos = np.stack(
        [
            tone_sos([s.model_copy(update={"frequency_hz": s.frequency_hz * rng.uniform(0.7, 1.4)}) for s in sections],
                     r.sample_rate_hz)
            for _ in r.delays_samples
        ]
    )  # fmt: skip
    return dataclasses.replace(r, line_sos=sos)


SECTIONS = [
    ToneSection(type="high_shelf", frequency_hz=2500.0, gain_db=-6.0, q=0.7),
    ToneSection(type="low_shelf", frequency_hz=150.0, gain_db=-3.0, q=0.7),
    ToneSection(type="peaking", frequency_hz=900.0, gain_db=-2.0, q=1.0),
]


def sample_by_sample(r: Realisation, x: FloatArray) -> FloatArray:
    """The network of lines alone, from its defining recursion."""
    n, samples = len(r.delays_samples), x.shape[1]
    s = np.zeros((n, samples + int(r.delays_samples.max())))
    absorbed = np.zeros(n)
    memory = np.zeros((n, r.line_sos.shape[1], 2))
    y = np.zeros((r.output_gains.shape[0], samples))
    for t in range(samples):
        y[:, t] = r.output_gains @ s[:, t] + r.direct_gains @ x[:, t]
        for i in range(n):
            v = s[i, t]
            for k, (b0, b1, b2, _, a1, a2) in enumerate(r.line_sos[i]):
                w = v - a1 * memory[i, k, 0] - a2 * memory[i, k, 1]  # direct form II, unlike the renderer's
                v = b0 * w + b1 * memory[i, k, 0] + b2 * memory[i, k, 1]
                memory[i, k] = w, memory[i, k, 0]
            absorbed[i] = r.line_gains[i] * v
        fed = r.feedback_matrix @ absorbed + r.input_gains @ x[:, t]
        for i in range(n):
            s[i, t + r.delays_samples[i]] = fed[i]
    return r.gain * y


def level_db(error: FloatArray, reference: FloatArray) -> float:
    return 20 * math.log10(max(float(np.max(np.abs(error))), 1e-300) / float(np.max(np.abs(reference))))


@pytest.mark.parametrize("lines", [1, 2, 5, 9])
@pytest.mark.parametrize("sections", [0, 1, 3])
def test_the_fast_loop_is_the_slow_recursion(lines: int, sections: int) -> None:
    fdn = network(lines, 2, 3, delays=(7, 160))
    r = with_sections(fdn, SECTIONS[:sections])
    x = np.random.default_rng(1).standard_normal((2, 700))
    slow = sample_by_sample(r, x)
    assert level_db(BlockRenderer(r).process(x) - slow, slow) <= -270.0
    single = BlockRenderer(r, dtype=np.float32).process(x)
    assert single.dtype == np.float32
    assert level_db(single - slow, slow) <= -130.0


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("block", [1, 17, 64, 512, 0])
def test_blocks_equal_the_whole_bit_for_bit(block: int, dtype: npt.DTypeLike, rate: int) -> None:
    fdn = network(7, 2, 2, delays=(5, 400), **EVERYTHING)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 9000 if block != 1 else 1500)).astype(dtype)
    whole = render(fdn, x, rate, tail_s=0.0, dtype=dtype)
    renderer = BlockRenderer(fdn, rate, dtype=dtype)
    parts, at = [], 0
    while at < x.shape[1]:
        size = block or int(rng.choice([0, 1, 3, 17, 64, 100, 512, 3000]))
        parts.append(renderer.process(x[:, at : at + size]))
        at += size
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("block", [1, 64, 1000])
def test_blocks_equal_the_whole_with_a_head(block: int, dtype: npt.DTypeLike) -> None:
    fdn = network(7, 2, 2, delays=(5, 400), **EVERYTHING, **head_of(90, 60, 2, 2))
    x = np.random.default_rng(4).standard_normal((2, 700 if block == 1 else 9000)).astype(dtype)
    whole = render(fdn, x, tail_s=0.0, dtype=dtype)
    renderer = BlockRenderer(fdn, dtype=dtype)
    parts = [renderer.process(x[:, at : at + block]) for at in range(0, x.shape[1], block)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


def test_a_head_is_a_convolution_before_everything_else() -> None:
    plain = network(5, 1, 2, early=[], direct_gains=[[0.7], [-0.3]])
    fdn = FDN.model_validate(plain.model_dump() | head_of(330, 150, 2))
    x = np.random.default_rng(5).standard_normal(3000)
    expected = np.pad(render(plain, x, tail_s=0.0), ((0, 0), (150, 0)))[:, :3000]
    for path in fdn.head:
        expected[path.output] += np.convolve(x, path.coefficients)[:3000]
    assert level_db(render(fdn, x, tail_s=0.0) - expected, expected) <= -270.0


def test_blocks_equal_the_whole_with_filters_in_the_lines() -> None:
    r = with_sections(network(5, delays=(3, 300)), SECTIONS)
    x = np.random.default_rng(3).standard_normal((1, 3000))
    whole = BlockRenderer(r).process(x)
    blocks = BlockRenderer(r)
    parts = [blocks.process(x[:, at : at + 7]) for at in range(0, 3000, 7)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=12), st.integers(0, 2**32))
def test_any_sequence_of_blocks_equals_the_whole(sizes: list[int], seed: int) -> None:
    fdn = network(4, 2, 2, delays=(2, 90), **EVERYTHING)
    x = np.random.default_rng(seed).standard_normal((2, sum(sizes)))
    blocks = BlockRenderer(fdn)
    edges = np.cumsum([0, *sizes])
    parts = [blocks.process(x[:, a:b]) for a, b in itertools.pairwise(edges)]
    whole = BlockRenderer(fdn).process(x)
    assert np.array_equal(np.concatenate(parts, axis=1) if parts else whole, whole)


def test_single_precision_delay_lines_stay_below_140_db_of_the_peak() -> None:
    for lines in (6, 16):
        fdn = network(lines, reverberation_time_s=1.0, direct_gains=[[1.0]], gain=0.1)
        h = impulse_response(fdn)
        assert level_db(impulse_response(fdn, dtype=np.float32) - h, h) <= -140.0


def test_reset_starts_over() -> None:
    renderer = BlockRenderer(network(4, 2, 2, **EVERYTHING), 48000)
    x = np.random.default_rng(4).standard_normal((2, 5000))
    first = renderer.process(x)
    renderer.reset()
    assert np.array_equal(renderer.process(x), first)


def test_rendering_is_linear_and_time_invariant() -> None:
    fdn = network(6, 2, 2, **EVERYTHING)
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((2, 2, 4000))
    both = render(fdn, 2.0 * a - 3.0 * b, tail_s=0.1)
    apart = 2.0 * render(fdn, a, tail_s=0.1) - 3.0 * render(fdn, b, tail_s=0.1)
    assert level_db(both - apart, both) <= -270.0
    late = render(fdn, np.pad(a, ((0, 0), (123, 0))), tail_s=0.1)
    assert np.allclose(late[:, 123:], render(fdn, a, tail_s=0.1), atol=1e-12)


def test_rendering_is_convolution_with_the_impulse_response() -> None:
    fdn = network(6, **{**EVERYTHING, "early": []})
    x = np.random.default_rng(6).standard_normal(300)
    h = impulse_response(fdn, length_s=0.5)[0]
    y = render(fdn, x, tail_s=0.1)[0]
    expected = np.convolve(h, x)[: y.size]
    assert level_db(y - expected, expected) <= -260.0


def test_the_response_in_time_is_the_transfer_function_in_frequency() -> None:
    fdn = network(6, 2, 2, reverberation_time_s=0.2)
    a = fdn.arrays
    n_fft = 2**15
    gains = np.asarray(fdn.absorption.gains)  # type: ignore[union-attr]
    w = 2 * math.pi * np.arange(n_fft // 2 + 1) / n_fft
    phase = np.exp(1j * w[:, None] * a.delays_samples)
    loop = np.eye(6) * phase[:, None, :] - a.feedback_matrix * gains
    response = a.direct_gains + a.output_gains @ np.linalg.solve(
        loop, np.broadcast_to(a.input_gains, (w.size, 6, 2))
    )
    expected = np.fft.irfft(response, n_fft, axis=0)
    for k in range(2):
        h = impulse_response(fdn, length_s=0.5, input_index=k)
        assert level_db(h - expected[: h.shape[1], :, k].T, h) <= -230.0


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
def test_the_reverberation_time_holds_at_other_rates(rate: int) -> None:
    h = impulse_response(network(8, reverberation_time_s=0.5, direct_gains=[[0.0]]), rate, 1.0)[0]
    decay_db = 10 * np.log10(np.cumsum(h[::-1] ** 2)[::-1] / np.sum(h**2))
    t = np.arange(h.size) / rate
    window = (decay_db < -5) & (decay_db > -45)
    slope = np.polyfit(t[window], decay_db[window], 1)[0]
    assert -60.0 / slope == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
def test_nothing_sounds_above_the_nyquist_of_the_fit(rate: int) -> None:
    h = impulse_response(network(6, 2, 2, **EVERYTHING), rate)
    spectrum = np.abs(np.fft.rfft(h, axis=1))
    f = np.fft.rfftfreq(h.shape[1], 1 / rate)
    assert np.max(spectrum[:, f >= 8000]) <= 10 ** (-80 / 20) * np.max(spectrum)


def test_the_response_in_band_is_the_same_at_a_multiple_of_the_rate() -> None:
    fdn = network(6, 2, 2, **{**EVERYTHING, "tone": [], "early": EVERYTHING["early"][:1]})
    n = 16000
    f = np.arange(50, 6500)
    low = np.fft.rfft(impulse_response(fdn, 16000, 1.0), n, axis=1)[:, f]
    high = np.fft.rfft(impulse_response(fdn, 48000, 1.0), 3 * n, axis=1)[:, f]
    assert np.max(np.abs(np.abs(high) / np.abs(low) - 1)) <= 1e-3


def test_decay_and_size_change_what_they_name() -> None:
    fdn = network(8, delays=(30, 300), reverberation_time_s=0.3, direct_gains=[[0.0]])
    first = int(fdn.arrays.delays_samples.min())

    def decay_time(h: FloatArray) -> float:
        curve = 10 * np.log10(np.cumsum(h[::-1] ** 2)[::-1] / np.sum(h**2))
        window = (curve < -5) & (curve > -35)
        return -60.0 / np.polyfit(np.flatnonzero(window) / 16000, curve[window], 1)[0]

    assert decay_time(impulse_response(fdn, decay=2.0)[0]) == pytest.approx(0.6, rel=0.02)
    large = impulse_response(fdn, size=1.5)[0]
    assert decay_time(large) == pytest.approx(0.3, rel=0.02)
    assert np.flatnonzero(large)[0] == math.floor(1.5 * first + 0.5)


def test_tone_filters_the_late_part_only() -> None:
    section = {"type": "high_shelf", "frequency_hz": 2000.0, "gain_db": -12.0, "q": 0.7}
    plain, toned = network(5), network(5, tone=[section])
    h, g = impulse_response(plain, length_s=0.3)[0], impulse_response(toned, length_s=0.3)[0]
    late = np.concatenate(([0.0], h[1:]))
    assert g[0] == h[0]
    assert np.allclose(g[1:], sosfilt(tone_sos(toned.tone, 16000), late)[1:], atol=1e-13)


def test_a_response_lasts_until_it_has_fallen_by_a_hundred_decibels() -> None:
    for rate in (16000, 48000):
        h = impulse_response(network(6, reverberation_time_s=0.4), rate)[0]
        tail = np.sqrt(np.mean(h[-200:] ** 2))
        assert 20 * math.log10(tail / np.max(np.abs(h))) <= -100.0
    assert tail_length_s(network(reverberation_time_s=0.4)) < 0.9
    assert 125.0 < tail_length_s(network(reverberation_time_s=75.0)) < 126.0
    assert not tail_warnings(network(reverberation_time_s=75.0))
    assert tail_length_s(network(reverberation_time_s=500.0)) == 600.0
    (told,) = tail_warnings(network(reverberation_time_s=500.0))
    assert "cut after 600 s, where it has fallen by 72 dB" in told


def test_silence_stays_fast_because_nothing_is_left_denormal() -> None:
    r = with_sections(network(4, 2, 2, reverberation_time_s=0.02, **EVERYTHING), SECTIONS)
    renderer = BlockRenderer(r)
    renderer.process(np.random.default_rng(7).standard_normal((2, 100)))
    silence = np.zeros((2, 8192))
    for _ in range(12):
        last = renderer.process(silence)
    assert not np.any(last)
    for state in (renderer._storage, renderer._line_state, renderer._tone_state):
        assert not np.any(state)


def test_long_input_history_is_kept_without_growing() -> None:
    fdn = network(3, pre_delay_s=1.0)
    renderer = BlockRenderer(fdn)
    x = np.random.default_rng(8).standard_normal((1, 60000))
    y = np.concatenate([renderer.process(x[:, at : at + 1000]) for at in range(0, 60000, 1000)], axis=1)
    assert not np.any(y[:, :16000])
    assert np.array_equal(y[:, 16000:], render(network(3), x[:, :44000], tail_s=0.0))
    assert renderer._history._buffer.shape[1] < 3 * 16000


def test_one_dimensional_audio_is_one_channel() -> None:
    x = np.random.default_rng(9).standard_normal(100)
    assert np.array_equal(render(network(3), x, tail_s=0.0), render(network(3), x[None], tail_s=0.0))
    assert render(network(3), np.zeros(0), tail_s=0.0).shape == (1, 0)


def test_the_length_asked_for_is_the_length_given() -> None:
    assert impulse_response(network(3), length_s=600 / 16000).shape == (1, 600)
    assert impulse_response(network(3), 44100, length_s=601 / 44100).shape == (1, 601)
    assert impulse_response(network(3), length_s=0.0).shape == (1, 0)
    assert render(network(3), np.ones(10), tail_s=0.01).shape == (1, 170)


def test_unsuitable_audio_and_arguments_are_refused() -> None:
    fdn = network(3, 2, 1)
    for call, message in (
        (lambda: render(fdn, np.zeros(10)), "channel"),
        (lambda: render(fdn, np.zeros((3, 10))), "channel"),
        (lambda: render(fdn, np.zeros((1, 2, 10))), "channel"),
        (lambda: render(fdn, np.full((2, 10), np.nan)), "NaN"),
        (lambda: render(fdn, np.zeros((2, 10)), tail_s=-1.0), "tail_s"),
        (lambda: impulse_response(fdn, length_s=math.inf), "length_s"),
        (lambda: impulse_response(fdn, input_index=2), "input"),
        (lambda: BlockRenderer(fdn, dtype=np.int16), "precision"),
        (lambda: BlockRenderer(fdn).process(np.zeros(5)), "channel"),
    ):
        with pytest.raises(FdnlearnError, match=message):
            call()
