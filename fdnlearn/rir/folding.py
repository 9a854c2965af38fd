"""A target for networks whose direct path is a single sample: cut at the direct sound, its flank folded into it."""

from __future__ import annotations

import dataclasses

import numpy as np

from fdnlearn.acoustics.onset import find_onset
from fdnlearn.acoustics.parameters import room_parameters
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.rir.target import PreparationStep, Target


def folding_sentence(target: Target) -> str:
    """What a single direct gain costs against the recording itself; empty where no octave counts."""
    rate = target.sample_rate_hz
    moved = [room_parameters(h, rate, rounding_power=target.rounding_power) for h in folded(target).samples]
    c80, edt = [0.0], [0.0]
    for recorded, single in zip(target.parameters, moved, strict=True):
        for hz, band in recorded.octave.items():
            other = single.octave[hz]
            if band.measurability["c80_db"].counts and band.c80_db is not None and other.c80_db is not None:
                c80.append(abs(other.c80_db - band.c80_db))
            if band.measurability["edt_s"].counts and band.edt_s and other.edt_s:
                edt.append(100.0 * abs(other.edt_s / band.edt_s - 1.0))
    if len(c80) == len(edt) == 1:
        return ""
    return (
        "This model has one direct gain for the recording's direct sound: by itself that moves C80 by up to "
        f"{max(c80):.1f} dB and EDT by up to {max(edt):.0f} % in single octaves (--model banded keeps it as it is)."
    )


@shapes_checked
def fold(
    samples: Float64[FloatArray, "channels samples"], direct: int
) -> tuple[Float64[FloatArray, "channels later"], Float64[FloatArray, " channels"]]:
    """Responses from sample `direct` on, the energy between onset and there in their first one; and that energy."""
    cut = samples[:, direct:].copy()
    flank = np.array([np.sum(np.square(h[min(find_onset(h), direct) : direct])) for h in samples])
    cut[:, 0] = np.where(cut[:, 0] < 0.0, -1.0, 1.0) * np.sqrt(np.square(cut[:, 0]) + flank)
    return cut, flank


def folded(target: Target) -> Target:
    """The target cut at its direct sound, whose rising flank is put into sample 0 as energy.

    A recorded direct sound rises over a few samples, which hold up to a third of all energy in a dry room. Dropped,
    they would misstate the direct-to-reverberant ratio by up to 2.5 dB; folded, broadband energy ratios stay what they
    are. A sample is white, though, and a flank is not: in single octaves clarity moves by up to 3 dB.
    """
    direct = target.direct_samples
    cut, flank = fold(target.samples, direct)
    energy_decay = target.energy_decay[:, direct:].copy()
    energy_decay[:, 0] += flank
    length = target.length_samples - direct
    norm = float(np.sqrt(np.sum(np.square(cut[:, :length]))))
    share = 100.0 * float(flank.sum() / np.sum(np.square(cut)))
    step = PreparationStep("direct", f"rising flank folded into one sample: {share:.1f} % of the energy")
    return dataclasses.replace(
        target,
        samples=cut / norm,
        direct_samples=0,
        length_samples=length,
        energy_decay=energy_decay / norm**2,
        noise_power=target.noise_power / norm**2,
        gain=target.gain * norm,
        steps=(*target.steps, step),
        rounding_power=target.rounding_power / norm**2,
    )
