"""What is heard of a response: dry sounds convolved with it and with the recording.

Drums and speech at 48 kHz, five seconds of each, both sides of equal energy. ViSQOL (visqol-python, Apache-2.0) judges
them in audio mode, which is meant for 48 kHz; where it is not installed its columns stay empty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
from scoreboard_room import Room

from fdnlearn.base.types import FloatArray
from fdnlearn.rir import read_recording
from fdnlearn.rir.resampling import resample

RATE_HZ = 48000
#: The clips, by what a column calls them: a loop of a drum kit, close, and a speaker in a studio.
CLIPS = {"drums": "drum_loop_pearl.wav", "speech": "speech_vctk_p286.wav"}
_HEARD_S = 5.0
#: Of the mel spectrograms.
_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 64, 50.0, 16000.0
_N_FFT, _HOP = 2048, 480
#: What lies further below the loudest cell of the recording counts as silence.
FLOOR_DB = 60.0


@dataclass(frozen=True, eq=False)
class Sounds:
    """Dry clips, and a judge of what becomes of them.

    Attributes
    ----------
    clips : dict of str to ndarray, shape (n,)
        At 48 kHz.
    """

    clips: dict[str, FloatArray]

    @cached_property
    def visqol(self) -> Any:
        """The judge, None where it is not installed."""
        try:
            from visqol import VisqolApi
        except ImportError:
            return None
        judge = VisqolApi()
        judge.create(mode="audio")
        return judge

    def distances(self, room: Room, heard: FloatArray) -> dict[str, float | None]:
        """The columns that are heard, of a response (n,) as `Room.without_noise` leaves it."""
        sides = [resample(side, room.rate_hz, RATE_HZ) for side in (room.heard, heard)]
        found: dict[str, float | None] = {}
        for name, clip in self.clips.items():
            wanted, played = (_played(clip, side) for side in sides)
            found[f"mel_{name}"] = mel_distance_db(wanted, played, room.rate_hz)
            if self.visqol is not None:
                result = self.visqol.measure_from_arrays(wanted, played, RATE_HZ)
                found[f"visqol_{name}"] = float(result.moslqo)
        return found


def load_sounds(folder: Path) -> Sounds:
    """The clips of a folder, those that it has."""
    clips = {}
    for name, file in CLIPS.items():
        if (folder / file).exists():
            recording = read_recording(folder / file)
            clip = resample(recording.samples[0], recording.sample_rate_hz, RATE_HZ)
            clips[name] = clip[: round(_HEARD_S * RATE_HZ)]
    return Sounds(clips)


def mel_distance_db(wanted: FloatArray, heard: FloatArray, rate_hz: float) -> float:
    """Rms difference of two mel spectrograms in dB over all cells up to 0.45 of a rate, at equal energy."""
    filters = _mel_filters(min(_HIGHEST_HZ, 0.45 * rate_hz))
    levels = []
    for side in (wanted, heard):
        _, _, spectra = scipy.signal.stft(side, RATE_HZ, nperseg=_N_FFT, noverlap=_N_FFT - _HOP)
        levels.append(10.0 * np.log10(np.maximum(filters @ np.square(np.abs(spectra)), 1e-30)))
    floor_db = float(levels[0].max()) - FLOOR_DB
    ours, theirs = (np.maximum(level, floor_db) for level in levels)
    counted = (ours > floor_db) | (theirs > floor_db)
    return math.sqrt(float(np.mean(np.square(ours - theirs)[counted])))


def _played(clip: FloatArray, h: FloatArray) -> FloatArray:
    """A clip in a room, at an rms of a tenth."""
    wet = scipy.signal.oaconvolve(clip, h)[: round(_HEARD_S * RATE_HZ)]
    level: FloatArray = 0.1 * wet / max(float(np.sqrt(np.mean(np.square(wet)))), 1e-30)
    return level


def _mel_filters(highest_hz: float) -> FloatArray:
    """Triangles (bands, bins) of equal width on the mel scale."""

    def mel(hz: FloatArray) -> FloatArray:
        return 2595.0 * np.log10(1.0 + hz / 700.0)

    edges = np.linspace(*mel(np.array([_LOWEST_HZ, highest_hz])), _BANDS + 2)
    place = mel(np.arange(_N_FFT // 2 + 1) * (RATE_HZ / _N_FFT))
    rising = (place - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - place) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(np.minimum(rising, falling), 0.0)
