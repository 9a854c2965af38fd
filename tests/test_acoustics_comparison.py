"""Comparing a fit with its target: zero where they are the same, the known difference where they are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fdnlearn.base.types import FloatArray
from fdnlearn.rir import Recording, Target, load_target, prepare_target
from fdnlearn.rir.metrics import compare

Make = Callable[..., FloatArray]

VALUES = {"t20_s", "t30_s", "edt_s", "c50_db", "c80_db", "d50_percent", "ts_ms", "drr_db"}
ERRORS = {
    "t20_percent",
    "t30_percent",
    "edt_percent",
    "edt_ms",
    "c50_db",
    "c80_db",
    "d50_pp",
    "ts_ms",
    "drr_db",
}


def target_of(samples: FloatArray, channel: int | str | None = None) -> Target:
    recording = Recording("room.wav", "0" * 64, 16000, samples, "test")
    return prepare_target(recording, sample_rate_hz=16000, channel=channel)  # type: ignore[arg-type]


def test_the_room_without_its_noise_is_a_perfect_fit(make_room: Make) -> None:
    options = {"seconds": 2.0, "reverberation_time_s": 0.8}
    target = target_of(make_room(noise_db=-60.0, **options))
    error = compare(target, make_room(noise_db=None, **options), 16000).error.broadband
    small = {
        "t20_percent": 0.5,
        "t30_percent": 1.0,
        "edt_percent": 0.2,
        "c50_db": 0.03,
        "c80_db": 0.03,
        "d50_pp": 0.2,
        "ts_ms": 0.3,
        "drr_db": 0.03,
        "edc_rms_db": 0.05,
        "edp_rms": 0.05,
    }
    for name, limit in small.items():
        value = getattr(error, name)
        assert value is not None
        assert value < limit, name


def test_level_polarity_and_leading_silence_of_the_fit_do_not_matter(make_room: Make) -> None:
    target = target_of(make_room())
    h = make_room(noise_db=None, seed=2)
    moved = np.concatenate((np.zeros((1, 300)), -7.0 * h), axis=1)
    one, two = compare(target, h, 16000).error.broadband, compare(target, moved, 16000).error.broadband
    assert one.model_dump() == pytest.approx(two.model_dump())


def test_a_longer_decay_is_a_known_error(make_room: Make) -> None:
    target = target_of(make_room(seconds=2.0))
    fit = make_room(seconds=2.0, noise_db=None, reverberation_time_s=0.55)
    error = compare(target, fit, 16000).error.broadband
    assert error.t30_percent == pytest.approx(10.0, abs=1.0)
    assert error.t20_percent == pytest.approx(10.0, abs=1.0)


def test_independent_noises_differ_by_the_chance_floor(make_room: Make) -> None:
    target = target_of(make_room(seconds=2.0, direct=0.1))
    error = compare(target, make_room(seconds=2.0, direct=0.1, noise_db=None, seed=5), 16000).error.broadband
    assert error.edp_rms == pytest.approx(0.10, abs=0.02)


def test_the_document_has_every_key_and_no_nan(make_room: Make) -> None:
    target = target_of(make_room())
    document = compare(target, make_room(noise_db=None)[0], 16000).to_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert set(document) == {"target", "fitted", "error", "measurable", "ringing", "colour", "coherence"}
    octaves = {"125", "250", "500", "1000", "2000", "4000"}
    for part, keys in (("target", VALUES), ("fitted", VALUES), ("error", ERRORS)):
        assert set(document[part]["octave"]) == octaves
        assert all(set(band) == keys for band in document[part]["octave"].values())
    assert set(document["target"]["broadband"]) == set(document["fitted"]["broadband"]) == VALUES
    assert set(document["error"]["broadband"]) == ERRORS | {"edc_rms_db", "edp_rms"}
    names = {"t20", "t30", "edt", "c50", "c80", "d50", "ts", "drr"}
    for band in (document["measurable"]["broadband"], *document["measurable"]["octave"].values()):
        assert set(band) == names
        assert all(set(value) == {"counts", "reason"} for value in band.values())


@pytest.mark.parametrize("fit", ["silence", "click", "short"])
def test_a_degenerate_fit_gives_null_and_no_crash(make_room: Make, fit: str) -> None:
    target = target_of(make_room())
    h = {"silence": np.zeros(8000), "click": np.eye(1, 8000)[0], "short": np.ones(1)}[fit]
    document = compare(target, h, 16000).to_json()
    json.dumps(document, allow_nan=False)
    assert document["error"]["broadband"]["t30_percent"] is None


def test_too_much_noise_is_said(make_room: Make) -> None:
    target = target_of(make_room(noise_db=-22.0, direct=0.2))
    measurable = compare(target, make_room(noise_db=None), 16000).to_json()["measurable"]["broadband"]
    assert not measurable["t30"]["counts"]
    assert "dB" in measurable["t30"]["reason"]


def test_channels_are_averaged(make_room: Make) -> None:
    pair = make_room(channels=2)
    target = target_of(pair, "all")
    clean = make_room(channels=2, noise_db=None)
    both = compare(target, clean, 16000)
    singles = [compare(target_of(pair[k : k + 1]), clean[k : k + 1], 16000) for k in (0, 1)]
    for name in ("t30_s", "c80_db"):
        values = [getattr(single.target.broadband, name) for single in singles]
        assert None not in values
        assert getattr(both.target.broadband, name) == pytest.approx(np.mean(values), rel=0.01)


def test_rate_and_channels_must_match(make_room: Make) -> None:
    target = target_of(make_room())
    with pytest.raises(ValueError, match="Hz"):
        compare(target, np.ones(100), 48000)
    with pytest.raises(ValueError, match="channels"):
        compare(target, np.ones((2, 100)), 16000)


def test_all_measured_rooms_load_and_compare(rooms: dict[str, Path]) -> None:
    for name, path in rooms.items():
        target = load_target(path, sample_rate_hz=16000)
        t = np.arange(round(2.0 * target.reverberation_time_s * 16000) + 3200) / 16000
        fit = np.random.default_rng(0).standard_normal(t.size) * 10 ** (-3 * t / target.reverberation_time_s)
        comparison = compare(target, fit, 16000)
        json.dumps(comparison.to_json(), allow_nan=False)
        assert target.reverberation_time_s > 0.02, name
        assert comparison.target.broadband.t20_s is not None, name
    assert any(
        "T20 and T30" in warning
        for warning in load_target(rooms["living_room_noisy"], sample_rate_hz=16000).warnings
    )
