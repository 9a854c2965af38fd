"""What a recording cannot tell does not count, whatever was done to it; what it can tell still does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fdnlearn.acoustics import RoomParameters, room_parameters
from fdnlearn.acoustics.quantisation import rounding_power
from fdnlearn.acoustics.sensitivity import TOLERANCE
from fdnlearn.base.types import FloatArray
from fdnlearn.rir import Recording, prepare_target

FS = 16000
TIMES = ("edt_s", "t20_s", "t30_s")
RATIOS = ("c50_db", "c80_db", "d50_percent", "ts_ms")


def room(t60_s: float, seconds: float, floor_db: float | None = -60.0, seed: int = 0) -> FloatArray:
    """A direct sound and exponentially decaying noise of its level, over noise."""
    generator = np.random.default_rng(seed)
    t = np.arange(round(seconds * FS)) / FS
    h = 0.3 * generator.standard_normal(t.size) * 10.0 ** (-3.0 * t / t60_s)
    h[0] = 1.0
    if floor_db is not None:
        h += 0.3 * 10.0 ** (floor_db / 20.0) * generator.standard_normal(t.size)
    return h


def counted(parameters: RoomParameters, name: str) -> dict[int, float | None]:
    """Values of a quantity that count, by octave; 0 is broadband."""
    bands = {0: parameters.broadband, **parameters.octave}
    return {hz: band.values()[name] for hz, band in bands.items() if band.measurability[name].counts}


def measured(h: FloatArray) -> RoomParameters:
    """A recording as it is measured: with what its steps have rounded away."""
    return room_parameters(h, FS, rounding_power=rounding_power(h))


@pytest.mark.parametrize("t60_s", [0.4, 0.8, 2.0])
def test_everything_counts_in_a_good_recording(t60_s: float) -> None:
    found = measured(room(t60_s, 1.5 * t60_s + 0.5))
    for name in ("t20_s", "t30_s"):
        values = counted(found, name)
        assert set(values) >= {0, 500, 1000, 2000, 4000}
        assert all(values[hz] == pytest.approx(t60_s, rel=0.1) for hz in (0, 2000, 4000))
    for name in RATIOS:
        assert len(counted(found, name)) == 1 + len(found.octave), name


def faded(part: float, shape: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """The last part of a decay that has not ended, faded out by hand."""
    h = room(2.0, 1.0, None)
    count = round(part * h.size)
    h[-count:] *= shape(np.linspace(1.0, 0.0, count))
    return h


@pytest.mark.parametrize(
    "h",
    [
        faded(0.2, lambda x: x),
        faded(0.4, lambda x: np.sin(0.5 * np.pi * x)),
        faded(0.3, np.square),
    ],
    ids=["line", "sine", "parabola"],
)
def test_a_fade_is_no_decay(h: FloatArray) -> None:
    found = measured(h)
    for name in TIMES:
        assert not counted(found, name), name
    reason = found.broadband.measurability["t20_s"].reason
    assert "is shorter than T20" in reason
    assert "faded out" in reason


@pytest.mark.parametrize("seconds", [0.15, 0.3, 0.6])
def test_a_gate_is_no_decay(seconds: float) -> None:
    generator = np.random.default_rng(5)
    h = 1e-4 * generator.standard_normal(2 * FS)
    count = round(seconds * FS)
    h[200 : 200 + count] += 0.2 * generator.standard_normal(count)
    found = measured(h)
    for name in TIMES:
        assert not counted(found, name), name
    assert "gated" in found.broadband.measurability["t20_s"].reason


@pytest.mark.parametrize(("at_s", "level_db"), [(0.1, -18.0), (0.2, -10.0), (0.2, -18.0)])
def test_what_begins_before_its_direct_sound_does_not_count(at_s: float, level_db: float) -> None:
    h = np.zeros(3 * FS)
    for start_s, gain_db, seed in ((0.3, 0.0, 0), (0.3 - at_s, level_db, 1)):
        own = room(0.8, 2.0, None, seed)
        start = round(start_s * FS)
        h[start : start + own.size] += 10.0 ** (gain_db / 20.0) * own
    h += 1e-4 * np.random.default_rng(2).standard_normal(h.size)
    found = measured(h)
    for name in (*TIMES, *RATIOS):
        assert 0 not in counted(found, name), name
    assert "before its direct sound" in found.broadband.measurability["c80_db"].reason


@pytest.mark.parametrize(
    ("t60_s", "gap_s", "level_db"), [(0.5, 2.0, -20.0), (1.2, 3.0, -20.0), (0.5, 1.5, -25.0)]
)
def test_a_second_event_leaves_no_decay_time_that_counts(t60_s: float, gap_s: float, level_db: float) -> None:
    h = room(t60_s, 2.0 * gap_s, -70.0)
    later = round(gap_s * FS)
    h[later:] += 10.0 ** (level_db / 20.0) * room(t60_s, 2.0 * gap_s, None, seed=3)[: h.size - later]
    found = measured(h)
    for name in ("t20_s", "t30_s"):
        # What still counts is right.
        assert all(value == pytest.approx(t60_s, rel=0.15) for value in counted(found, name).values())
        assert 0 not in counted(found, name)


@pytest.mark.parametrize(("t60_s", "steps"), [(0.8, 33), (0.5, 20), (1.5, 200)])
def test_few_steps_hide_a_decay_that_then_does_not_count(t60_s: float, steps: int) -> None:
    h = room(t60_s, 2.5, None)
    h = np.round(h / np.abs(h).max() * steps) / steps
    found = measured(h)
    for name in TIMES:
        values = counted(found, name)
        assert all(value == pytest.approx(t60_s, rel=0.35) for value in values.values()), (name, values)
    # A fit of it knows the same.
    recording = Recording("few steps", "0" * 64, FS, h[None], "PCM_16")
    target = prepare_target(recording, sample_rate_hz=FS)
    assert "few steps" in " ".join(target.warnings)
    for name in ("t20_s", "t30_s"):
        assert set(counted(target.parameters[0], name)) <= {0, *found.octave}
        assert all(
            value == pytest.approx(t60_s, rel=0.35) for value in counted(target.parameters[0], name).values()
        )


def test_steps_are_seen_where_they_are_coarse() -> None:
    h = room(0.5, 1.0)
    assert rounding_power(np.round(h * 100) / 100) == pytest.approx(1e-4 / 12)
    assert rounding_power(h) == 0.0
    assert rounding_power(np.round(h * 32768) / 32768) == 0.0
    assert rounding_power(np.zeros(10)) == 0.0


def test_figures_are_tried_by_what_can_be_heard_of_them() -> None:
    times = dict.fromkeys(TIMES, 0.05)
    ratios = {"c50_db": 1.0, "c80_db": 1.0, "drr_db": 1.0, "d50_percent": 5.0, "ts_ms": 10.0}
    assert times | ratios == TOLERANCE


def test_equal_recordings_are_measured_equally() -> None:
    h = room(0.6, 1.2)
    first, second = measured(h), measured(h)
    assert first.broadband.measurability == second.broadband.measurability
    assert {hz: band.measurability for hz, band in first.octave.items()} == {
        hz: band.measurability for hz, band in second.octave.items()
    }
