"""From a recording to a target: what is kept, what is refused, what is said."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from fdnlearn.acoustics import find_onset, room_parameters
from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.base.types import FloatArray
from fdnlearn.rir import Recording, Target, load_target, prepare_target
from fdnlearn.rir.folding import folded
from fdnlearn.rir.metrics import compare

Make = Callable[..., FloatArray]


def prepare(
    samples: FloatArray, rate: int = 16000, *, sample_rate_hz: int = 16000, **options: object
) -> Target:
    recording = Recording("room.wav", "0" * 64, rate, np.atleast_2d(samples), "test")
    target = prepare_target(recording, sample_rate_hz=sample_rate_hz, **options)  # type: ignore[arg-type]
    assert_consistent(target)
    return target


def assert_consistent(target: Target) -> None:
    """What the fields of every target promise."""
    channels, total = target.samples.shape
    assert 0 < target.length_samples <= total
    assert target.energy_decay.shape == (channels, target.length_samples)
    assert np.isfinite(target.samples).all()
    assert np.isfinite(target.energy_decay).all()
    assert (target.energy_decay > 0.0).all()
    assert (np.diff(target.energy_decay, axis=1) <= 0.0).all()
    assert target.noise_power.shape == (channels,)
    assert (target.noise_power >= 0.0).all()
    assert np.sum(target.samples[:, : target.length_samples] ** 2) == pytest.approx(1.0)
    assert np.isfinite([target.range_db, target.gain]).all()
    assert 0.0 < target.reverberation_time_s < np.inf
    assert target.polarity in (-1, 1)
    assert target.direct_s >= target.onset_s


def has_warning(target: Target, word: str) -> bool:
    return any(word in warning for warning in target.warnings)


def test_a_clean_room_needs_no_warning(make_room: Make) -> None:
    target = prepare(make_room())
    assert target.warnings == ()
    assert target.reverberation_time_s == pytest.approx(0.5, rel=0.02)
    assert target.length_samples / 16000 == pytest.approx(70 / 60 * 0.5, rel=0.2)
    assert [step.name for step in target.steps] == ["read", "align", "noise", "decay", "normalise"]


def test_sample_zero_is_the_direct_sound_and_not_a_later_louder_reflection() -> None:
    h = np.zeros(16000)
    h[400], h[900] = 0.4, 0.9
    h[400:] += 0.05 * np.random.default_rng(0).standard_normal(15600) * 10 ** (-3 * np.arange(15600) / 8000)
    target = prepare(h)
    assert target.direct_s == 400 / 16000
    assert target.onset_s == 400 / 16000
    assert np.argmax(np.abs(target.samples[0])) == 500


def test_gain_and_polarity_return_to_the_recording(make_room: Make) -> None:
    h = make_room(lead_s=0.01)
    target = prepare(-h)
    assert target.polarity == -1
    assert target.samples[0, 0] > 0.0
    assert has_warning(target, "polarity")
    back = target.gain * target.polarity * target.samples[0]
    np.testing.assert_allclose(back[1:], -h[0, 161:], atol=1e-12)


@pytest.mark.long
@pytest.mark.parametrize(("source_hz", "wanted_hz"), [(96000, 16000), (44100, 16000), (192000, 48000)])
def test_gain_preserves_the_frequency_response(make_room: Make, source_hz: int, wanted_hz: int) -> None:
    """Convolving with the target at its rate is as loud as with the recording at its own."""
    h = make_room(sample_rate_hz=source_hz, reverberation_time_s=0.2, seconds=0.4)[0]
    target = prepare(h, source_hz, sample_rate_hz=wanted_hz)
    frequency_hz = np.linspace(200.0, 0.4 * wanted_hz, 200)

    def power_db(x: FloatArray, rate: int) -> float:
        response = np.exp(-2j * np.pi * np.outer(frequency_hz, np.arange(x.size) / rate)) @ x
        return float(10 * np.log10(np.mean(np.abs(response) ** 2)))

    learned = target.gain * target.polarity * target.samples[0]
    assert power_db(learned, wanted_hz) == pytest.approx(power_db(h, source_hz), abs=0.15)


@pytest.mark.parametrize("flank", [(0.75, 1.0), (0.2, -0.6, 1.0), (1.0,)])
def test_nothing_of_a_rising_flank_is_moved(make_room: Make, flank: tuple[float, ...]) -> None:
    h = make_room(direct=0.0, lead_s=0.02, noise_db=None)[0]
    h[320 - len(flank) + 1 : 321] = flank
    target = prepare(h)
    assert target.direct_samples == len(flank) - 1
    own = h[320 - target.direct_samples :]
    np.testing.assert_allclose(target.samples[0] * target.gain, own, rtol=1e-12)
    recorded = room_parameters(h, 16000)
    assert target.parameters[0].broadband.values() == pytest.approx(recorded.broadband.values(), rel=1e-9)


@pytest.mark.parametrize("flank", [(0.75, 1.0), (0.2, -0.6, 1.0), (1.0,)])
def test_folded_into_one_sample_a_flank_keeps_broadband_ratios(
    make_room: Make, flank: tuple[float, ...]
) -> None:
    h = make_room(direct=0.0, lead_s=0.02, noise_db=None)[0]
    h[320 - len(flank) + 1 : 321] = flank
    recorded = room_parameters(h, 16000, "none").broadband
    target = folded(prepare(h))
    found = room_parameters(target.samples[0], 16000, "none").broadband
    assert target.direct_samples == 0
    assert found.c80_db == pytest.approx(recorded.c80_db, abs=0.02)
    assert found.drr_db == pytest.approx(recorded.drr_db, abs=0.1)
    assert np.sum(target.energy_decay[:, 0]) == pytest.approx(1.0, abs=1e-3)


def test_a_flank_is_not_looked_for_farther_than_5_ms_before_the_direct_sound(make_room: Make) -> None:
    """Two seconds of ringing in front, 50 dB below the direct sound: the head has its last 5 ms."""
    room = make_room(noise_db=None)[0]
    ringing = 0.5 * 10 ** (-50 / 20) * np.random.default_rng(1).standard_normal(32000)
    target = prepare(np.concatenate((ringing, room)))
    assert 70 < target.direct_samples <= 80
    assert target.direct_s == pytest.approx(2.0)


def test_before_sample_0_there_is_next_to_nothing(make_room: Make) -> None:
    room = make_room(noise_db=None, lead_s=0.02)[0]
    room[300] = 1e-5
    target = prepare(room)
    assert target.direct_samples == 0


def test_energy_decay_is_that_of_the_room_without_its_noise(make_room: Make) -> None:
    clean = make_room(noise_db=None)[0]
    target = prepare(make_room(noise_db=-50.0))
    wanted = np.cumsum((clean**2)[::-1])[::-1][: target.length_samples] / target.gain**2
    level_db = 10 * np.log10(wanted / wanted[0])
    error_db = 10 * np.log10(target.energy_decay[0] / wanted)
    assert np.abs(error_db[level_db > -40.0]).max() < 0.5
    assert 10 * np.log10(target.noise_power[0] * target.gain**2) == pytest.approx(-70.0, abs=0.3)


def test_channels(make_room: Make) -> None:
    h = make_room(channels=3)
    h[2] *= -0.5
    first = prepare(h)
    assert has_warning(first, "3 channels")
    assert first.samples.shape[0] == 1
    assert not prepare(h, channel=1).warnings
    assert prepare(h, channel=3).polarity == -1
    for missing in (4, 0, -1, 1000):
        with pytest.raises(UsageError, match="has no channel"):
            prepare(h, channel=missing)
    together = prepare(h, channel="all")
    assert together.samples.shape[0] == 3
    assert together.polarity == 1
    assert np.sum(together.energy_decay[:, 0]) == pytest.approx(1.0, abs=1e-3)


def test_all_channels_keep_their_distances(make_room: Make) -> None:
    near, far = make_room(lead_s=0.010)[0], make_room(lead_s=0.012, seed=2)[0]
    target = prepare(np.stack([far[: near.size], near]), channel="all")
    assert target.direct_s == pytest.approx(0.010)
    assert find_onset(target.samples[0]) == 32
    assert find_onset(target.samples[1]) == 0


def test_a_lower_rate_is_kept(make_room: Make) -> None:
    target = prepare(make_room(sample_rate_hz=8000), 8000)
    assert (target.sample_rate_hz, target.source_sample_rate_hz) == (8000, 8000)
    assert has_warning(target, "8000 Hz")


def test_a_rate_without_a_simple_ratio_is_refused(make_room: Make) -> None:
    with pytest.raises(FdnlearnError, match="no simple ratio"):
        prepare(make_room(sample_rate_hz=191999), 191999)


def test_a_high_rate_is_accepted(make_room: Make) -> None:
    assert prepare(make_room(sample_rate_hz=192000), 192000).reverberation_time_s == pytest.approx(
        0.5, rel=0.03
    )


def test_a_late_onset_is_cut_with_a_warning(make_room: Make) -> None:
    target = prepare(make_room(lead_s=0.136))
    assert target.onset_s == pytest.approx(0.136)
    assert has_warning(target, "starts late")


def test_clipping_is_told(make_room: Make) -> None:
    h = make_room()
    h[0, 100:104] = h.max()
    assert has_warning(prepare(h), "clipped")
    full_scale = np.clip(8.0 * make_room(), -1.0, 1.0)
    assert has_warning(prepare(full_scale), "clipped")


@pytest.mark.parametrize(("noise_db", "source"), [(-70.0, "T30"), (-39.0, "T20"), (-18.0, "dB")])
def test_the_reverberation_time_falls_back(make_room: Make, noise_db: float, source: str) -> None:
    target = prepare(make_room(noise_db=noise_db, seconds=1.5, direct=0.2))
    detail = next(step.detail for step in target.steps if step.name == "decay")
    assert source in detail
    assert has_warning(target, "Too little decay range") == (source != "T30")
    assert target.reverberation_time_s == pytest.approx(0.5, rel=0.15)


@pytest.mark.parametrize("seconds", [0.3, 3.0])
def test_no_floor_is_found_where_there_is_none(make_room: Make, seconds: float) -> None:
    target = prepare(make_room(seconds=seconds, noise_db=None))
    assert target.noise_power[0] == 0.0
    assert target.reverberation_time_s == pytest.approx(0.5, rel=0.03)


def test_trailing_digital_silence_is_no_noise_floor(make_room: Make) -> None:
    cut = make_room(seconds=0.35, noise_db=None)
    target = prepare(np.concatenate((cut, np.zeros((1, 20000))), axis=1))
    assert target.length_samples == cut.shape[1]
    assert target.reverberation_time_s == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize("scale", [1e-28, 1e-12, 1e20, 1e28])
def test_level_does_not_matter(make_room: Make, scale: float) -> None:
    reference, target = prepare(make_room()), prepare(make_room() * scale)
    np.testing.assert_allclose(target.samples, reference.samples, rtol=1e-9)
    assert target.gain == pytest.approx(reference.gain * scale)


def _noise(seconds: float, seed: int) -> FloatArray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(16000 * seconds))


def _click(noise: float) -> FloatArray:
    h = noise * np.random.default_rng(0).standard_normal(16000)
    h[100] = 0.9
    return h


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros(16000), "silent"),
        (np.full(16000, 0.3), "constant"),
        (np.ones(1), "too short"),
        (np.r_[1.0, np.zeros(300)], "too short"),
        (_click(0.0), "no decay"),
        (_click(1e-4), "no decay"),
        *((_noise(seconds, seed), "falls by only") for seed, seconds in enumerate((0.3, 1.0, 3.0, 10.0))),
        (np.sin(0.1 * np.arange(16000.0)), "falls by only"),
        *((scale * _click(0.1), "no level of sound") for scale in (1e-320, 1e-200, 1e200, 1e307)),
        (np.r_[np.nan, _click(0.1)], "NaN"),
        (np.r_[np.inf, _click(0.1)], "NaN or infinite"),
    ],
)
def test_what_is_no_impulse_response_is_refused(samples: FloatArray, problem: str) -> None:
    with pytest.raises(FdnlearnError, match=problem) as caught:
        prepare(samples)
    assert "\n" not in str(caught.value)
    assert "room.wav" in str(caught.value)


def test_dc_offset_and_reversed_time_are_refused(make_room: Make) -> None:
    for h in (make_room() + 0.3, make_room()[:, ::-1]):
        with pytest.raises(FdnlearnError):
            prepare(h)


def test_preparation_is_deterministic(tmp_path: Path, make_room: Make) -> None:
    path = tmp_path / "room.wav"
    soundfile.write(path, make_room(sample_rate_hz=44100).T, 44100, subtype="PCM_24")
    one, two = (load_target(path, sample_rate_hz=16000) for _ in range(2))
    np.testing.assert_array_equal(one.samples, two.samples)
    np.testing.assert_array_equal(one.energy_decay, two.energy_decay)
    arrays = {"samples", "energy_decay", "noise_power"}
    plain = [
        {name: value for name, value in vars(target).items() if name not in arrays} for target in (one, two)
    ]
    assert plain[0] == plain[1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 7999), st.floats(-1.0, 1.0)), min_size=1, max_size=6),
    st.sampled_from([0.0, 1e-6, 1e-4, 1e-2]),
    st.one_of(st.none(), st.floats(0.02, 5.0)),
    st.integers(0, 2**32 - 1),
)
@pytest.mark.long
def test_any_echoes_noise_and_decay_are_a_target_or_refused(
    echoes: list[tuple[int, float]], noise: float, time_s: float | None, seed: int
) -> None:
    """Single echoes among digital silence, floors of any level, decays of any length: never anything but one line."""
    rng = np.random.default_rng(seed)
    h = noise * rng.standard_normal((1, 8000))
    for at, gain in echoes:
        h[0, at] += gain
    if time_s is not None:
        h += 0.1 * rng.standard_normal(h.shape) * 10.0 ** (-3.0 * np.arange(8000) / (8000 * time_s))
    with suppress(FdnlearnError):
        target = prepare(h, 8000, sample_rate_hz=8000)
        assert 0.0 < target.reverberation_time_s < np.inf
        compare(target, target.samples, 8000)
