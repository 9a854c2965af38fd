"""A recording as the scoreboard judges by it: at a rate, aligned, its noise known, otherwise as it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from third_octave_bank import fade, split

from fdnlearn.acoustics import RoomParameters, find_direct, find_onset, room_parameters
from fdnlearn.acoustics.colour import ThirdOctaveDecays, third_octave_decays
from fdnlearn.acoustics.echo_density import WINDOW_S, mixing_time_s
from fdnlearn.acoustics.quantisation import rounding_power
from fdnlearn.base.types import FloatArray
from fdnlearn.rir import read_recording
from fdnlearn.rir.resampling import resample

#: A response is heard from here on before its direct sound: a flank or a ringing filter begins in front of it.
LEAD_S = 5e-3
#: Shortest time in which a band fades out where the recording meets its noise.
_FADE_S = 10e-3


def aligned(h: FloatArray, rate_hz: float) -> FloatArray:
    """A response (n,) from 5 ms before its direct sound on, zeros in front where it begins later."""
    lead = round(LEAD_S * rate_hz)
    start = find_direct(h, find_onset(h), rate_hz) - lead
    return h[start:] if start >= 0 else np.concatenate((np.zeros(-start), h))


@dataclass(frozen=True, eq=False)
class Room:
    """The recording of a room at one rate.

    Attributes
    ----------
    h : ndarray, shape (n,)
        Aligned: the direct sound is sample `direct`.
    rate_hz : int
    rounded : float
        Mean square of what the recording's steps have rounded away.
    """

    h: FloatArray
    rate_hz: int
    rounded: float

    @property
    def direct(self) -> int:
        """Sample of the direct sound."""
        return round(LEAD_S * self.rate_hz)

    @cached_property
    def parameters(self) -> RoomParameters:
        """Octave parameters, by the package's estimators, with what counts."""
        return room_parameters(self.h, self.rate_hz, rounding_power=self.rounded)

    @cached_property
    def thirds(self) -> ThirdOctaveDecays:
        """Decays by third octave, their noise taken out."""
        return third_octave_decays(self.h, self.rate_hz)

    @cached_property
    def heard(self) -> FloatArray:
        """The recording without what lies in its noise."""
        return self.without_noise(self.h)

    @property
    def usable_s(self) -> float:
        """From the onset to the broadband knee."""
        return self.parameters.broadband.decay.knee_s

    @cached_property
    def mixing_time_s(self) -> float:
        """When it has become dense, from the direct sound on."""
        times = (self.parameters.broadband.t30_s, self.parameters.broadband.t20_s, self.usable_s)
        longest_s = max(2 * WINDOW_S, min(self.usable_s, next(time for time in times if time is not None)))
        return mixing_time_s(self.h[self.direct :][: round(longest_s * self.rate_hz)], self.rate_hz)

    def without_noise(self, h: FloatArray) -> FloatArray:
        """An aligned response (m,) as long as the recording, every third octave faded out at the recording's knee.

        Applied to both sides alike: what the recording says nothing of counts for neither.
        """
        h = np.concatenate((h[: self.h.size], np.zeros(max(0, self.h.size - h.size))))
        out = np.zeros(h.size)
        for band, decay, own in zip(
            self.thirds.bands, self.thirds.decays, split(h, self.rate_hz, self.thirds.bands), strict=True
        ):
            if decay.floor is None or decay.floor.method == "none":
                out += own
                continue
            width = max(_FADE_S, 1.0 / band.bandwidth_hz) * self.rate_hz
            out += own * fade(h.size, decay.floor.knee_samples - width, width)
        return out


def load_room(path: Path, rate_hz: int) -> Room:
    """The first channel of a recording at a rate, at most its own."""
    recording = read_recording(path)
    source_hz = recording.sample_rate_hz
    rate = min(rate_hz, source_hz)
    h = recording.samples[0]
    scale = float(np.abs(h).max())
    rounded = rounding_power(h / scale)
    h = aligned(resample(h / scale, source_hz, rate), rate)
    return Room(h, rate, rounded * rate / source_hz)
