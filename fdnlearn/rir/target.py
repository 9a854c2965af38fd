"""What a fit aims at: one prepared impulse response and everything that was done to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fdnlearn.acoustics.colour import ThirdOctaveDecays, third_octave_decays
from fdnlearn.acoustics.echo_density import WINDOW_S, echo_density, mixing_time_s
from fdnlearn.acoustics.onset import find_onset
from fdnlearn.acoustics.parameters import RoomParameters, room_parameters
from fdnlearn.base.types import Float64, FloatArray, shapes_checked


@dataclass(frozen=True)
class PreparationStep:
    """One preparation step, kept as data so that a report can show it.

    Attributes
    ----------
    name : str
        Short machine name, e.g. ``"resample"``.
    detail : str
        One human sentence with the figures in it.
    """

    name: str
    detail: str


@shapes_checked
@dataclass(frozen=True)
class Target:
    """A prepared room impulse response.

    Sample 0 lies before the direct sound, not a sample is other than the recording has it at this rate but for level
    and polarity: the direct sound of the first channel is positive and the energy over all channels up to
    `length_samples` is one.

    Attributes
    ----------
    name, sha256 : str
        As of the `Recording`.
    sample_rate_hz : int
        Rate of `samples`.
    samples : ndarray, shape (channels, total_samples), float64
        Everything from before the direct sound's rising flank to the end of the recording, noise included.
    direct_samples : int
        Where the earliest direct sound of any channel has its peak.
    length_samples : int
        Usable length: the noise knee (but at least 25 ms) or the end of the recording, whichever is first.
        Beyond it the recording says nothing about the room.
    energy_decay : ndarray, shape (channels, length_samples), float64
        Noise-compensated Schroeder integral of each channel on the scale of `samples` (linear energy),
        with the energy that continues beyond `length_samples` added as an exponential tail.
    noise_power : ndarray, shape (channels,)
        Mean square of the stationary noise floor, per sample, on the scale of `samples`; 0 if none was found.
    range_db : float
        Usable decay range: level of the start of the decay above the knee, the worst channel's.
    reverberation_time_s : float
        Best available broadband estimate: T30, else T20, else the decay up to the knee. Always finite, positive.
    gain : float
        Multiply `samples` by ``gain * polarity`` to return to the level of the recording. It preserves the
        frequency response: convolving with the recording at its own rate gives the same level.
    polarity : int
        +1 or -1.
    onset_s, direct_s : float
        Where, in the recording, the -20 dB onset and the direct sound lie.
    source_sample_rate_hz : int
        Rate of the recording.
    steps : tuple of PreparationStep
        What was done, in order.
    warnings : tuple of str
        What the user should know about the recording, one sentence each.
    rounding_power : float
        Mean square of what the recording's few steps have rounded away; 0 where they are fine.
    """

    name: str
    sha256: str
    sample_rate_hz: int
    samples: Float64[FloatArray, "channels total_samples"]
    direct_samples: int
    length_samples: int
    energy_decay: Float64[FloatArray, "channels length_samples"]
    noise_power: Float64[FloatArray, " channels"]
    range_db: float
    reverberation_time_s: float
    gain: float
    polarity: int
    onset_s: float
    direct_s: float
    source_sample_rate_hz: int
    steps: tuple[PreparationStep, ...]
    warnings: tuple[str, ...]
    rounding_power: float = 0.0

    @cached_property
    def parameters(self) -> tuple[RoomParameters, ...]:
        """Room parameters of each channel, its noise taken out."""
        return tuple(
            room_parameters(h, self.sample_rate_hz, rounding_power=self.rounding_power) for h in self.samples
        )

    @cached_property
    def third_octaves(self) -> tuple[ThirdOctaveDecays, ...]:
        """Decay of each channel in third octaves from its onset on, its noise taken out."""
        return tuple(third_octave_decays(h[find_onset(h) :], self.sample_rate_hz) for h in self.samples)

    @property
    def dense_samples(self) -> int:
        """From the onset, how long echo densities are compared: to the reverberation time, or the knee before it."""
        return min(self.length_samples, round(self.reverberation_time_s * self.sample_rate_hz))

    @cached_property
    def echo_densities(self) -> tuple[FloatArray, ...]:
        """Hard echo density profile of each channel, from its onset for `dense_samples`."""
        return tuple(
            echo_density(h[find_onset(h) :][: self.dense_samples], self.sample_rate_hz) for h in self.samples
        )

    @cached_property
    def mixing_time_s(self) -> float:
        """When the first channel is mixed; see `fdnlearn.acoustics.echo_density.mixing_time_s`."""
        fs = self.sample_rate_hz
        longest = max(
            round(2 * WINDOW_S * fs), min(self.length_samples, round(self.reverberation_time_s * fs))
        )
        return mixing_time_s(self.samples[0, :longest], fs)
