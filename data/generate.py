"""Make the example rooms and the dry clips: ``python data/generate.py [FOLDER]``. Seeded.

A room is a box with image sources (J. B. Allen, D. A. Berkley, JASA 65 (1979) 943-950) up to twice its mixing
time and a Gaussian diffuse tail from half of it on, cross-faded at equal energy. Both are made per octave:
the absorption of floor, ceiling and walls and that of the air depend on frequency, and the tail decays with
Eyring's reverberation time. Loudspeaker band limits, leading silence and a noise floor 75 dB below the peak
make the file what a measurement would be.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from scipy import signal

FloatArray = npt.NDArray[np.float64]

FS = 48000
SPEED_OF_SOUND = 343.0
OCTAVES_HZ = np.array([125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0])
#: Intensity attenuation of air at 20 °C and 50 % humidity, 1/m (ISO 9613-1).
AIR_PER_M = np.array([0.1, 0.3, 0.6, 1.1, 2.3, 6.9, 24.0, 82.0]) * 1e-3
NOISE_DB = -75.0
LEADING_SILENCE_S = 0.012


@dataclass(frozen=True)
class Box:
    """A room: size, source and microphone in metres, absorption per octave of its surfaces."""

    name: str
    seed: int
    size_m: tuple[float, float, float]
    source_m: tuple[float, float, float]
    microphone_m: tuple[float, float, float]
    walls: tuple[float, ...]
    floor: tuple[float, ...]
    ceiling: tuple[float, ...]
    duration_s: float


ROOMS = (
    Box(
        "small_room",
        1,
        (4.3, 3.4, 2.6),
        (1.1, 2.2, 1.3),
        (3.0, 1.2, 1.2),
        walls=(0.24, 0.18, 0.13, 0.12, 0.12, 0.13, 0.15, 0.18),
        floor=(0.08, 0.10, 0.20, 0.32, 0.42, 0.48, 0.50, 0.50),
        ceiling=(0.25, 0.25, 0.28, 0.30, 0.28, 0.28, 0.30, 0.32),
        duration_s=0.9,
    ),
    Box(
        "lecture_room",
        2,
        (9.6, 7.1, 3.4),
        (1.6, 3.3, 1.6),
        (6.4, 4.2, 1.2),
        walls=(0.16, 0.14, 0.12, 0.10, 0.09, 0.09, 0.10, 0.12),
        floor=(0.06, 0.08, 0.12, 0.16, 0.20, 0.24, 0.26, 0.28),
        ceiling=(0.30, 0.32, 0.34, 0.34, 0.32, 0.30, 0.30, 0.30),
        duration_s=1.6,
    ),
    Box(
        "hall",
        3,
        (31.0, 19.0, 12.5),
        (4.5, 8.6, 1.7),
        (17.0, 10.8, 1.3),
        walls=(0.16, 0.14, 0.12, 0.11, 0.11, 0.11, 0.12, 0.14),
        floor=(0.30, 0.38, 0.46, 0.52, 0.54, 0.54, 0.54, 0.54),
        ceiling=(0.20, 0.16, 0.13, 0.12, 0.12, 0.12, 0.13, 0.14),
        duration_s=2.9,
    ),
)


def octave_bank(size: int) -> FloatArray:
    """Zero-phase gains (bands, bins) that add up to one: raised cosines in log frequency, open at both ends."""
    frequency = np.maximum(np.fft.rfftfreq(size, 1.0 / FS), 1.0)
    octave = np.clip(np.log2(frequency / OCTAVES_HZ[0]), 0.0, OCTAVES_HZ.size - 1.0)
    distance = np.abs(octave[None, :] - np.arange(OCTAVES_HZ.size)[:, None])
    gains: FloatArray = np.where(distance < 1.0, np.cos(0.5 * np.pi * distance) ** 2, 0.0)
    return gains


def image_sources(room: Box, reach_s: float, rng: np.random.Generator) -> FloatArray:
    """Impulse trains (bands, samples) of all image sources within `reach_s`, 1/r amplitudes."""
    size = np.array(room.size_m)
    count = np.ceil(SPEED_OF_SOUND * reach_s / (2.0 * size)).astype(int) + 1
    lattice = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in count), indexing="ij"), -1).reshape(-1, 3)
    reflection = np.sqrt(1.0 - np.array([room.walls, room.floor, room.ceiling]))
    trains = np.zeros((OCTAVES_HZ.size, round(reach_s * FS) + 2))
    for parity in np.ndindex(2, 2, 2):
        p = np.array(parity)
        position = (1 - 2 * p) * np.array(room.source_m) + 2.0 * lattice * size
        # Real walls are not flat: images beyond the first orders come from a little beside.
        order = np.abs(2 * lattice - p).sum(axis=1)
        position += rng.normal(0.0, 0.04, position.shape) * np.minimum(order, 3)[:, None]
        distance = np.linalg.norm(position - np.array(room.microphone_m), axis=1)
        within = distance < SPEED_OF_SOUND * reach_s
        low, high = np.abs(lattice - p)[within], np.abs(lattice)[within]
        hits = np.stack([(low + high)[:, :2].sum(axis=1), low[:, 2], high[:, 2]])
        gain = np.prod(reflection[:, :, None] ** hits[:, None, :], axis=0)
        gain *= np.exp(-0.5 * AIR_PER_M[:, None] * distance[within]) / (4.0 * np.pi * distance[within])
        delay = distance[within] / SPEED_OF_SOUND * FS
        whole = np.floor(delay).astype(int)
        for band in range(OCTAVES_HZ.size):
            np.add.at(trains[band], whole, gain[band] * (1.0 - delay + whole))
            np.add.at(trains[band], whole + 1, gain[band] * (delay - whole))
    return trains


def reverberation_times_s(room: Box) -> FloatArray:
    """Eyring's reverberation time per octave, air included."""
    x, y, z = room.size_m
    volume, surface = x * y * z, 2.0 * (x * y + y * z + x * z)
    absorption = 2.0 * z * (x + y) * np.array(room.walls) + x * y * (
        np.array(room.floor) + np.array(room.ceiling)
    )
    exponent = -surface * np.log1p(-absorption / surface) + 4.0 * AIR_PER_M * volume
    times: FloatArray = 24.0 * np.log(10.0) / SPEED_OF_SOUND * volume / exponent
    return times


def impulse_response(room: Box) -> FloatArray:
    """The response of a room, peak 0.7, noise and leading silence included."""
    rng = np.random.default_rng(room.seed)
    volume = float(np.prod(room.size_m))
    mixing_s = np.sqrt(volume) * 1e-3 + 0.01
    samples = round(room.duration_s * FS)
    bands = np.zeros((OCTAVES_HZ.size, samples))
    images = image_sources(room, 2.0 * mixing_s, rng)
    bands[:, : images.shape[1]] = images
    time = np.arange(samples) / FS
    # Energy fade from image sources to diffuse tail.
    fade = np.clip((time / mixing_s - 0.5) / 1.5, 0.0, 1.0)
    # Image sources of amplitude 1 / (4 pi r), one per volume, bring c / (4 pi V) of energy per second.
    decay = 10.0 ** (-3.0 * time / reverberation_times_s(room)[:, None])
    tail = rng.standard_normal((OCTAVES_HZ.size, samples)) * decay
    tail *= np.sqrt(SPEED_OF_SOUND / (4.0 * np.pi * volume * FS))
    bands = bands * np.sqrt(1.0 - fade) + tail * np.sqrt(fade)
    size = 2 * samples
    h = np.fft.irfft(np.sum(np.fft.rfft(bands, size) * octave_bank(size), axis=0), size)[:samples]
    for kind, corner_hz in (("highpass", 45.0), ("lowpass", 19000.0)):
        h = signal.sosfilt(signal.butter(2, corner_hz, kind, fs=FS, output="sos"), h)
    h = np.concatenate((np.zeros(round(LEADING_SILENCE_S * FS)), h))
    h *= 0.7 / np.abs(h).max()
    return h + rng.standard_normal(h.size) * 0.7 * 10.0 ** (NOISE_DB / 20.0)


def pluck(rng: np.random.Generator, frequency_hz: float, seconds: float) -> FloatArray:
    """One plucked string (K. Karplus, A. Strong, Computer Music Journal 7(2), 1983)."""
    period = FS / frequency_hz - 0.5
    burst = np.zeros(round(seconds * FS))
    excitation = rng.uniform(-1.0, 1.0, round(period))
    burst[: excitation.size] = np.convolve(excitation - excitation.mean(), [0.25, 0.5, 0.25], "same")
    loop = np.zeros(int(period) + 3)
    fraction = period - int(period)
    loop[0] = 1.0
    loop[int(period) : int(period) + 3] -= 0.4985 * np.array([1.0 - fraction, 1.0, fraction])
    string: FloatArray = signal.lfilter([1.0], loop, burst)
    return string * np.minimum(1.0, np.arange(burst.size)[::-1] / (0.03 * FS))


def stroke(rng: np.random.Generator, centre_hz: float, decay_s: float) -> FloatArray:
    """One drum stroke: a decaying band of noise."""
    time = np.arange(round(6.0 * decay_s * FS)) / FS
    sos = signal.butter(2, [0.7 * centre_hz, 1.4 * centre_hz], "bandpass", fs=FS, output="sos")
    sound: FloatArray = signal.sosfilt(sos, rng.standard_normal(time.size) * np.exp(-time / decay_s))
    return sound / np.abs(sound).max()


def mix_in(clip: FloatArray, sound: FloatArray, at_s: float) -> None:
    """Add a sound to a clip from a time on, cut off where the clip ends."""
    start = round(at_s * FS)
    stop = min(clip.size, start + sound.size)
    clip[start:stop] += sound[: stop - start]


def levelled(clip: FloatArray) -> FloatArray:
    """The clip with a peak of 0.7."""
    return clip * 0.7 / np.abs(clip).max()


def dry_clip() -> FloatArray:
    """An arpeggio, a few drum strokes and a rest long enough to hear the tail: 3.4 s, peak 0.7."""
    rng = np.random.default_rng(4)
    clip = np.zeros(round(3.4 * FS))
    for beat, semitone in enumerate((0, 7, 12, 16, 19, 16, 12, 7)):
        mix_in(clip, 0.5 * pluck(rng, 146.83 * 2.0 ** (semitone / 12.0), 0.45), 0.05 + 0.2 * beat)
    for at_s, centre_hz, decay_s, gain in (
        (0.05, 90.0, 0.05, 0.8),
        (0.45, 2400.0, 0.02, 0.4),
        (0.85, 90.0, 0.05, 0.8),
        (1.25, 2400.0, 0.02, 0.4),
        (1.95, 1200.0, 0.004, 0.9),
        (2.35, 4800.0, 0.003, 0.6),
    ):
        mix_in(clip, gain * stroke(rng, centre_hz, decay_s), at_s)
    return levelled(clip)


def drum_clip() -> FloatArray:
    """Two bars of kick, snare and hi-hat at 150 beats a minute: 3.3 s, peak 0.7."""
    rng = np.random.default_rng(5)
    clip = np.zeros(round(3.3 * FS))
    eighth_s = 0.2
    kick, snare, hat = (0, 3, 8, 10, 11), (2, 6, 10, 14), range(0, 14)
    for places, centre_hz, decay_s, gain in (
        (kick, 75.0, 0.06, 1.0),
        (snare, 1100.0, 0.035, 0.5),
        (hat, 9000.0, 0.012, 0.2),
    ):
        for place in places:
            sound = gain * rng.uniform(0.85, 1.0) * stroke(rng, centre_hz, decay_s)
            mix_in(clip, sound, 0.02 + eighth_s * place)
    return levelled(clip)


#: Resonances (Hz) of five vowels, and their bandwidths.
VOWELS = {
    "a": (730.0, 1090.0, 2440.0, 3400.0),
    "e": (530.0, 1840.0, 2480.0, 3500.0),
    "i": (270.0, 2290.0, 3010.0, 3600.0),
    "o": (570.0, 840.0, 2410.0, 3300.0),
    "u": (300.0, 870.0, 2240.0, 3300.0),
}
BANDWIDTHS_HZ = (60.0, 90.0, 120.0, 180.0)


def syllable(rng: np.random.Generator, vowel: str, pitch_hz: float, seconds: float) -> FloatArray:
    """A hiss and a sung vowel: pulses of a gliding pitch through the resonances of a vocal tract."""
    size = round(seconds * FS)
    time = np.arange(size) / FS
    pitch = pitch_hz * (1.06 - 0.14 * time / seconds) * (1.0 + 0.006 * np.sin(2.0 * np.pi * 5.5 * time))
    turns = np.cumsum(pitch) / FS
    pulses = np.diff(np.floor(turns), prepend=0.0) * pitch_hz**-0.5
    source = signal.lfilter([1.0], [1.0, -0.97], pulses) + 0.002 * rng.standard_normal(size)
    voice = np.zeros(size)
    for centre_hz, width_hz, gain in zip(VOWELS[vowel], BANDWIDTHS_HZ, (1.0, 0.6, 0.25, 0.12), strict=True):
        radius = np.exp(-np.pi * width_hz / FS)
        angle = 2.0 * np.pi * centre_hz / FS
        loop = [1.0, -2.0 * radius * np.cos(angle), radius**2]
        voice += gain * signal.lfilter([1.0 - radius], loop, source)
    voice *= np.minimum(1.0, time / 0.03) * np.minimum(1.0, (seconds - time) / 0.08)
    voice /= np.abs(voice).max()
    hiss = 0.12 * stroke(rng, 5200.0, 0.012)
    out = np.zeros(size + round(0.04 * FS))
    out[: hiss.size] += hiss[: out.size]
    out[-size:] += voice
    return out


def voice_clip() -> FloatArray:
    """A voice that says nothing: syllables at the pace of speech, then a rest: 3.3 s, peak 0.7."""
    rng = np.random.default_rng(6)
    clip = np.zeros(round(3.3 * FS))
    at_s = 0.05
    for vowel, pitch_hz, seconds in (
        ("a", 196.0, 0.22),
        ("i", 208.0, 0.16),
        ("o", 185.0, 0.26),
        ("e", 220.0, 0.15),
        ("a", 233.0, 0.2),
        ("u", 196.0, 0.18),
        ("e", 185.0, 0.17),
        ("o", 165.0, 0.34),
    ):
        sound = syllable(rng, vowel, pitch_hz, seconds)
        mix_in(clip, sound, at_s)
        at_s += seconds + 0.05
    sos = signal.butter(2, 90.0, "highpass", fs=FS, output="sos")
    return levelled(signal.sosfilt(sos, clip))


def main(folder: Path) -> None:
    """Write all files."""
    for room in ROOMS:
        soundfile.write(folder / f"{room.name}.wav", impulse_response(room), FS, subtype="PCM_24")
    for name, clip in (("dry", dry_clip()), ("dry_drums", drum_clip()), ("dry_voice", voice_clip())):
        soundfile.write(folder / f"{name}.wav", clip, FS, subtype="PCM_24")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
