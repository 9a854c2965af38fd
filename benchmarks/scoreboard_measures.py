"""How far a response is from the recording of its room: the columns of the scoreboard.

None of them is a term of a loss as such. Both sides are aligned by their direct sound (`scoreboard_room.aligned`) and
nothing else is done to the recording; where it meets its noise neither side counts beyond. Octave parameters come from
the package's estimators, which take the noise out, and count where those say so. Spectrogram, echo density and sounds
are compared after both have been faded out, third octave by third octave, at the recording's knees. Differences in
overall level do not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
from scoreboard_room import Room

from fdnlearn.acoustics import RoomParameters, find_onset, room_parameters
from fdnlearn.acoustics.colour import LATE_S, colour, third_octave_decay_distance_db
from fdnlearn.acoustics.echo_density import echo_density
from fdnlearn.acoustics.ringing import ringing, windows_s
from fdnlearn.base.types import FloatArray

#: A figure; None where the recording does not count, infinite where the response has no value.
Figure = float | None

#: Of the smoothed spectrogram: 1024 samples at 48 kHz, four frames in as many; the window over 64 frames and 64 bins.
_FRAME_S, _OVERLAPPING, _SMOOTHED = 1024 / 48000, 4, 64
_DENSITY_HOP_S = 0.5e-3


@dataclass(frozen=True)
class Column:
    """One measure.

    Attributes
    ----------
    key : str
        In the table of all figures.
    title, unit : str
    decimals : int
    best : float
        What a response would have that is the recording: distances are measured from here.
    about : str
        How it is measured.
    """

    key: str
    title: str
    unit: str
    decimals: int
    about: str
    best: float = 0.0

    def distance(self, figure: float) -> float:
        """From the recording."""
        return abs(self.best - figure)


#: What ViSQOL gives in audio mode to a sound compared with itself.
VISQOL_BEST = 4.73
# fmt: off
COLUMNS = (
    Column("t30", "T30", "%", 1, "median error over the octaves that count (125 Hz to 8 kHz)"),
    Column("edt", "EDT", "%", 1, "the same"),
    Column("c80", "C80", "dB", 2, "the same"),
    Column("drr", "DRR", "dB", 2, "the same; direct is ±2.5 ms around the direct sound"),
    Column("colour", "colour", "dB", 2, "rms difference in level of the third octaves that count, its mean removed"),
    Column("colour_worst", "colour, worst", "dB", 1, "of these the largest"),
    Column("late", "late colour", "dB", 2, "rms, from 50 ms after the direct sound on"),
    Column("late_worst", "late, worst", "dB", 1, "of these the largest"),
    Column("decay", "decay", "dB", 2, "rms between energy decay curves by third octave, down to -35 dB or the knee"),
    Column("power", "spectrogram", "", 3,
           "smoothed-spectrogram power convergence from 50 ms on (arXiv 2408.14836), energies made equal"),
    Column("density", "echo density", "", 3, "rms between echo density profiles"),
    Column("ringing", "ringing", "", 0, "late lines 12 dB above their surroundings where the recording has none"),
    Column("mel_drums", "mel, drums", "dB", 2, "rms between log-mel spectrograms of convolved drums"),
    Column("mel_speech", "mel, speech", "dB", 2, "the same of speech"),
    Column("visqol_drums", "ViSQOL, drums", "MOS", 2, "ViSQOL in audio mode of convolved drums, 48 kHz", VISQOL_BEST),
    Column("visqol_speech", "ViSQOL, speech", "MOS", 2, "the same of speech", VISQOL_BEST),
)
# fmt: on


def distances(room: Room, h: FloatArray, heard: FloatArray) -> dict[str, Figure]:
    """All columns that need no sounds, of an aligned, noiseless response (n,) and what `Room.without_noise` leaves."""
    whole, late = colour(room.thirds, h), colour(room.thirds, h, LATE_S + room.direct / room.rate_hz)
    return {
        **octave_errors(room.parameters, room_parameters(h, room.rate_hz, "none")),
        "colour": whole.rms_db,
        "colour_worst": whole.worst_db,
        "late": late.rms_db,
        "late_worst": late.worst_db,
        "decay": third_octave_decay_distance_db(room.thirds, h),
        "power": power_convergence(room, heard),
        "density": density_rms(room, heard),
        "ringing": ringing_lines(room, h),
    }


def octave_errors(room: RoomParameters, fit: RoomParameters) -> dict[str, Figure]:
    """Median errors over the octaves that count."""
    found: dict[str, Figure] = {}
    for key, name in (("t30", "t30_s"), ("edt", "edt_s"), ("c80", "c80_db"), ("drr", "drr_db")):
        errors = []
        for hz, band in room.octave.items():
            if not band.measurability[name].counts:
                continue
            wanted, value = getattr(band, name), getattr(fit.octave[hz], name)
            if value is None:
                errors.append(math.inf)
            elif name.endswith("_s"):
                errors.append(100.0 * abs(value / wanted - 1.0))
            else:
                errors.append(abs(value - wanted))
        found[key] = float(np.median(errors)) if errors else None
    return found


def power_convergence(room: Room, heard: FloatArray) -> Figure:
    """Distance of two smoothed power spectrograms, of parts of equal energy, relative to their size.

    ``|P - Q| / sqrt(|P| |Q|)`` in Frobenius norms, P and Q being squared magnitudes convolved with a Hann window over
    time and frequency (G. Dal Santo et al., "Similarity metrics for late reverberation", 2024). As there, the early
    part is left out; None where nothing is left.
    """
    first = room.direct + round(LATE_S * room.rate_hz)
    frame = _OVERLAPPING * round(_FRAME_S * room.rate_hz / _OVERLAPPING)
    surfaces = []
    for side in (room.heard, heard):
        late = side[first:]
        energy = float(np.square(late).sum())
        if late.size < frame or energy <= 0.0:
            return None if side is room.heard else math.inf
        part = late / math.sqrt(energy)
        _, _, spectra = scipy.signal.stft(part, nperseg=frame, noverlap=frame - frame // _OVERLAPPING)
        window = np.hanning(_SMOOTHED + 1)
        window /= window.sum()
        smooth = scipy.signal.oaconvolve(np.square(np.abs(spectra)), window[:, None], mode="same", axes=0)
        surfaces.append(scipy.signal.oaconvolve(smooth, window[None, :], mode="same", axes=1))
    ours, theirs = (float(np.linalg.norm(surface)) for surface in surfaces)
    return float(np.linalg.norm(surfaces[0] - surfaces[1])) / math.sqrt(ours * theirs)


def density_rms(room: Room, heard: FloatArray) -> Figure:
    """Rms distance of the echo density profiles from the onset to the reverberation time or the knee."""
    decay = room.parameters.broadband
    time_s = decay.t30_s or decay.t20_s or room.usable_s
    length = round(min(time_s, room.usable_s) * room.rate_hz)
    hop = max(1, round(_DENSITY_HOP_S * room.rate_hz))
    profiles = [
        echo_density(side[find_onset(side) :][:length], room.rate_hz, hop=hop) for side in (room.heard, heard)
    ]
    frames = min(profile.size for profile in profiles)
    if not frames:
        return None
    return float(np.sqrt(np.mean(np.square(profiles[0][:frames] - profiles[1][:frames]))))


def ringing_lines(room: Room, h: FloatArray) -> Figure:
    """How many lines of the late spectrum stand out where those of the recording do not."""
    decay = room.parameters.broadband.decay
    windows = windows_s(decay.curve, room.rate_hz, room.mixing_time_s, room.usable_s)
    return float(len(ringing(room.heard[room.direct :], h[room.direct :], room.rate_hz, windows)))
