"""From a recording to the target of a fit: pure functions that return what they did and what is worth a warning."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from fdnlearn.acoustics.energy_decay import compensated_decay, peak_power
from fdnlearn.acoustics.noise_floor import NoiseFloor, find_noise_floor
from fdnlearn.acoustics.onset import find_direct, find_onset
from fdnlearn.acoustics.parameters import NEEDED_INR_DB, decay_time
from fdnlearn.acoustics.quantisation import rounding_power
from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.base.types import FloatArray
from fdnlearn.rir.checks import LATE_ONSET_S, SHORTEST_S, check_content, check_decay, is_clipped
from fdnlearn.rir.reading import Recording
from fdnlearn.rir.resampling import LARGEST_FACTOR, factors, resample
from fdnlearn.rir.target import PreparationStep, Target

Channel = int | Literal["all"] | None

#: In front of sample 0 there is no more than this of all energy, unless the direct sound is farther away than this.
_BEFORE_DB, _LONGEST_FLANK_S = -60.0, 5e-3

#: Longest reverberation time, in lengths of the usable decay: what loses less than 6 dB in it is a step, no slope.
_LONGEST_IN_KNEES = 10.0


def prepare_target(
    recording: Recording, *, sample_rate_hz: int, channel: Channel = None, subject: str | None = None
) -> Target:
    """Check, resample, align, measure and normalise a recording.

    Parameters
    ----------
    recording : Recording
    sample_rate_hz : int
        Wanted rate. A recording at a lower rate keeps its own: nothing is invented above its Nyquist frequency.
    channel : int, "all" or None
        Which channel, from 1; None takes the first, with a warning if there are more. With "all" the channels
        share one time axis.
    subject : str, optional
        What errors name, the recording's name by default.

    Returns
    -------
    Target

    Raises
    ------
    FdnlearnError
        If the recording is no impulse response.
    UsageError
        If there is no such channel.
    """
    subject = subject or recording.name
    source_hz = recording.sample_rate_hz
    duration_s = recording.samples.shape[1] / source_hz
    steps = [
        PreparationStep(
            "read",
            f"{recording.encoding}, {recording.samples.shape[0]} channel(s), {source_hz} Hz, {duration_s:.3f} s",
        )
    ]
    samples, channel_steps, channel_warnings = _chosen_channels(recording, channel, subject)
    steps += channel_steps
    warnings = [*recording.warnings, *channel_warnings]
    check_content(subject, samples, source_hz)
    if any(is_clipped(h) for h in samples):
        warnings.append("The recording is clipped: its direct sound is louder than it says.")
    rate, rate_warnings = _fit_rate(subject, source_hz, sample_rate_hz)
    warnings += rate_warnings
    # Squares of very loud or very quiet float files would leave the range of double precision.
    scale = float(np.abs(samples).max())
    rounded = rounding_power(samples / scale)
    if rounded > 0.0:
        warnings.append("The recording has few steps: what decays below one of them cannot be told.")
    samples = resample(samples / scale, source_hz, rate)
    if rate != source_hz:
        steps.append(
            PreparationStep("resample", f"{source_hz} Hz to {rate} Hz, linear phase, 150 dB stop band")
        )

    onset = find_onset(samples)
    direct_of_channels = [find_direct(h, find_onset(h), rate) for h in samples]
    direct = min(direct_of_channels)
    polarity = 1 if samples[0, direct_of_channels[0]] > 0.0 else -1
    begin = _before_flank(samples, direct, rate)
    samples = polarity * samples[:, begin:]
    flank = direct - begin
    align_steps, align_warnings = _alignment(onset, direct, polarity, flank, rate)
    steps += align_steps
    warnings += align_warnings

    # One knee for all channels, found on their summed energy from the direct sound on.
    together = np.sqrt(np.sum(np.square(samples[:, flank:]), axis=0))
    floor = find_noise_floor(together, rate)
    inr_db = float(10.0 * np.log10(peak_power(np.square(together), rate) / floor.knee_power))
    check_decay(subject, inr_db, floor.knee_samples / rate)
    length = flank + min(max(floor.knee_samples, round(SHORTEST_S * rate)), samples.shape[1] - flank)
    floor = dataclasses.replace(floor, knee_samples=flank + floor.knee_samples)
    energy_decay, noise_power = _decays(samples, floor, length)
    joint = energy_decay.sum(axis=0)
    range_db = float(np.min(10.0 * np.log10(energy_decay[:, 0] / energy_decay[:, -1])))
    time_s, time_name = _reverberation_time(joint, rate, inr_db, floor)
    if time_name != "T30":
        warnings.append(_range_warning(range_db, inr_db, time_name))

    norm = float(np.sqrt(np.sum(np.square(samples[:, :length]))))
    steps += [
        PreparationStep("noise", _noise_detail(floor, rate, range_db, inr_db)),
        PreparationStep("decay", f"reverberation time {time_s:.3f} s ({time_name})"),
        PreparationStep("normalise", f"unit energy over {length / rate:.3f} s"),
    ]
    return Target(
        name=recording.name,
        sha256=recording.sha256,
        sample_rate_hz=rate,
        samples=samples / norm,
        direct_samples=flank,
        length_samples=length,
        energy_decay=energy_decay / norm**2,
        noise_power=noise_power / norm**2,
        range_db=range_db,
        reverberation_time_s=time_s,
        gain=scale * norm * source_hz / rate,
        polarity=polarity,
        onset_s=onset / rate,
        direct_s=direct / rate,
        source_sample_rate_hz=source_hz,
        steps=tuple(steps),
        warnings=tuple(warnings),
        rounding_power=rounded * rate / source_hz / norm**2,
    )


def _chosen_channels(
    recording: Recording, channel: Channel, subject: str
) -> tuple[FloatArray, list[PreparationStep], list[str]]:
    """The samples of the channels asked for, the step that choosing them was, and what to warn of."""
    count = recording.samples.shape[0]
    if channel == "all":
        return recording.samples, [], []
    number = 1 if channel is None else channel
    if not 1 <= number <= count:
        remedy = (
            f"choose one of 1 to {count}, or all" if count > 1 else "it has one only: leave the choice away"
        )
        raise UsageError(subject, f"has no channel {number}", remedy)
    steps = [PreparationStep("channel", f"channel {number} of {count}")] if count > 1 else []
    warnings = (
        [f"The file has {count} channels; only the first is used (choose with --channel)."]
        if count > 1 and channel is None
        else []
    )
    return recording.samples[number - 1 : number], steps, warnings


def _alignment(
    onset: int, direct: int, polarity: int, flank: int, rate: int
) -> tuple[list[PreparationStep], list[str]]:
    """What aligning and inverting did, and what to warn of."""
    steps = [
        PreparationStep(
            "align",
            f"onset (-20 dB) at {1e3 * onset / rate:.2f} ms, direct sound at {1e3 * direct / rate:.2f} ms, "
            f"sample 0 {1e3 * flank / rate:.2f} ms before it",
        )
    ]
    warnings = []
    if onset / rate > LATE_ONSET_S:
        warnings.append(
            f"The response starts late, after {1e3 * onset / rate:.0f} ms; the silence is cut off."
        )
    if polarity < 0:
        steps.append(PreparationStep("polarity", "direct sound was negative: inverted"))
        warnings.append(
            "The direct sound is negative: polarity is inverted for the fit and restored in its output."
        )
    return steps, warnings


def _before_flank(samples: FloatArray, direct: int, rate: int) -> int:
    """Where a response begins: next to nothing of it comes before, at most a few milliseconds before its direct sound.

    A direct sound that was recorded, resampled or deconvolved rises over samples which belong to it.
    """
    first = max(0, direct - round(_LONGEST_FLANK_S * rate))
    energy = np.square(samples[:, first:]).sum(axis=0)
    passed = np.cumsum(energy[: direct - first + 1])
    return first + int(np.argmax(passed > 10.0 ** (_BEFORE_DB / 10.0) * energy.sum()))


def _fit_rate(subject: str, source_hz: int, requested_hz: int) -> tuple[int, list[str]]:
    """The rate of the fit, never above the recording's, and what to warn of."""
    if requested_hz > source_hz:
        warning = f"The recording's rate is {source_hz} Hz: the fit is made there, not at {requested_hz} Hz."
        return source_hz, [warning]
    if max(factors(source_hz, requested_hz)) > LARGEST_FACTOR:
        raise FdnlearnError(
            subject,
            f"has a rate of {source_hz} Hz, which has no simple ratio to {requested_hz} Hz",
            f"choose --sample-rate {source_hz}, or convert the file to a common rate",
        )
    return requested_hz, []


def _decays(samples: FloatArray, floor: NoiseFloor, length: int) -> tuple[FloatArray, FloatArray]:
    """Each channel's compensated decay (channels, length) and noise power (channels,)."""
    energy = np.square(samples)
    knee = floor.knee_samples
    # Noise is shared out as it lies behind the knee, the hidden tail as the energy just before it.
    noise = _shares(energy[:, knee:]) * floor.power
    before = energy[:, max(0, knee - max(16, knee // 5)) : knee] - noise[:, None]
    tails = _shares(np.maximum(before.mean(axis=1, keepdims=True), 0.0)) * floor.tail_energy
    curves = np.empty((samples.shape[0], length))
    for channel, (power, tail) in enumerate(zip(noise, tails, strict=True)):
        own = NoiseFloor(
            float(power), knee, floor.knee_power, floor.late_reverberation_time_s, float(tail), floor.method
        )
        curve = compensated_decay(energy[channel], own)
        # Only a knee within the first 25 ms is shorter than the usable length: the tail goes on as it fell.
        beyond = np.arange(1, length - curve.size + 1)
        per_sample = curve[-1] / max(curve[-1] + max(floor.knee_power, 1e-300), 1e-300)
        curves[channel] = np.concatenate((curve[:length], curve[-1] * per_sample**beyond))
    return curves, noise


def _shares(energy: FloatArray) -> FloatArray:
    """Each channel's part of the total, equal parts where there is nothing."""
    total = energy.sum(axis=1)
    if total.sum() <= 0.0:
        return np.full(energy.shape[0], 1.0 / energy.shape[0])
    shares: FloatArray = total / total.sum()
    return shares


def _reverberation_time(curve: FloatArray, rate: int, inr_db: float, floor: NoiseFloor) -> tuple[float, str]:
    """Best available estimate and its name: T30, T20, the decay to the knee, or Lundeby's late decay."""
    level_db = 10.0 * np.log10(curve / curve[0])
    longest_s = max(_LONGEST_IN_KNEES * curve.size / rate, SHORTEST_S)
    for name in ("t30_s", "t20_s"):
        if inr_db >= NEEDED_INR_DB[name]:
            time_s = decay_time(level_db, rate, 5.0, 35.0 if name == "t30_s" else 25.0)
            if time_s is not None and time_s <= longest_s:
                return time_s, name[:3].upper()
    bottom_db = -level_db[-1] - 1e-6
    for top_db in (5.0, 0.0):
        time_s = decay_time(level_db, rate, top_db, bottom_db) if bottom_db > top_db + 5.0 else None
        if time_s is not None and time_s <= longest_s:
            return time_s, f"-{top_db:.0f} to -{bottom_db:.0f} dB"
    return min(max(floor.late_reverberation_time_s, SHORTEST_S), longest_s), "late decay"


def _noise_detail(floor: NoiseFloor, rate: int, range_db: float, inr_db: float) -> str:
    """One sentence on the knee."""
    knee_s = floor.knee_samples / rate
    if floor.method == "none":
        return f"no noise floor met in {knee_s:.3f} s, {range_db:.0f} dB of decay"
    method = "Lundeby" if floor.method == "lundeby" else "smoothed level"
    return (
        f"knee at {knee_s:.3f} s ({method}), impulse-to-noise ratio {inr_db:.0f} dB, {range_db:.0f} dB of decay; "
        "noise power subtracted, hidden tail added"
    )


def _range_warning(range_db: float, inr_db: float, time_name: str) -> str:
    """What too little range costs."""
    lost = "T30" if time_name == "T20" else "T20 and T30"
    return (
        f"Too little decay range for {lost} (impulse-to-noise ratio {inr_db:.0f} dB, {range_db:.0f} dB down to "
        f"the noise): the reverberation time is taken from {time_name}."
    )
