"""Where a recording begins: nothing of it is moved on the way to what a fit is held against, odd ones included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from brief_fits import check_valid
from targets import target_of

from fdnlearn.acoustics.parameters import room_parameters
from fdnlearn.base.types import FloatArray
from fdnlearn.config import FitConfig
from fdnlearn.fitting import solve
from fdnlearn.render import impulse_response
from fdnlearn.rir import prepare_target, read_recording
from fdnlearn.rir.resampling import resample

RATE_HZ = 16000
Make = Callable[..., FloatArray]


@pytest.mark.long
def test_preparation_is_neutral_in_every_measured_room(rooms: dict[str, Path]) -> None:
    """Every figure that counts is that of the file as it was read, at the fit's rate."""
    for path in rooms.values():
        recording = read_recording(path)
        target = prepare_target(recording, sample_rate_hz=48000)
        read = resample(recording.samples[:1], recording.sample_rate_hz, target.sample_rate_hz)[0]
        recorded, prepared = room_parameters(read, target.sample_rate_hz), target.parameters[0]
        for hz, band in recorded.octave.items():
            own = prepared.octave[hz]
            for name, bar, relative in (
                ("c80_db", 0.1, False),
                ("edt_s", 0.01, True),
                ("drr_db", 0.1, False),
            ):
                if band.measurability[name].counts:
                    before, after = getattr(band, name), getattr(own, name)
                    off = abs(after / before - 1.0) if relative else abs(after - before)
                    assert off <= bar, (path.name, hz, name)


def _late_peak(room: FloatArray) -> FloatArray:
    """A reflection that is louder than the direct sound, 8 ms after it."""
    room[0, 128] = 2.0 * np.abs(room).max()
    return room


def _ringing_before(room: FloatArray) -> FloatArray:
    """Two seconds of ringing that rises to 45 dB below the direct sound."""
    before = 10 ** (np.linspace(-100, -45, 32000) / 20) * np.abs(room).max()
    return np.concatenate((before * np.sin(0.3 * np.arange(32000)), room[0]))[None]


def _no_direct_sound(room: FloatArray) -> FloatArray:
    """A reverberation that rises for 20 ms."""
    room[0, :1] = 0.0
    room[0, :320] *= np.linspace(0.0, 1.0, 320)
    return room


ODD: dict[str, Callable[[FloatArray], FloatArray]] = {
    "begins with its direct sound": lambda room: room,
    "the peak is a reflection": _late_peak,
    "two seconds of ringing before": _ringing_before,
    "no direct sound": _no_direct_sound,
    "26 ms": lambda room: room[:, : round(0.026 * RATE_HZ)],
}


@pytest.mark.fit
@pytest.mark.parametrize("kind", ODD)
def test_odd_beginnings_are_fitted_as_they_are(make_room: Make, kind: str) -> None:
    room = ODD[kind](make_room(seconds=0.4, reverberation_time_s=0.2 if kind != "26 ms" else 0.02))
    target = target_of(room, RATE_HZ)
    assert target.direct_samples <= round(0.005 * RATE_HZ)
    config = FitConfig.for_model("banded", iterations=2, restarts=1, lines=4, sample_rate_hz=RATE_HZ)
    solution = solve(target, config)
    check_valid(solution, lines=4)
    heard = impulse_response(solution.fdn)[0] / (solution.fdn.gain * solution.fdn.polarity)
    # The first 2 ms after the direct sound's peak are the recording's own.
    own = target.direct_samples + 32
    np.testing.assert_allclose(heard[:own], target.samples[0, :own], atol=1e-6)


def test_a_direct_sound_in_sample_0_stays_there(make_room: Make) -> None:
    target = target_of(make_room(), RATE_HZ)
    assert (target.direct_samples, target.direct_s) == (0, 0.0)


def test_a_louder_reflection_is_not_taken_for_the_direct_sound(make_room: Make) -> None:
    target = target_of(_late_peak(make_room()), RATE_HZ)
    assert target.direct_s == 0.0
