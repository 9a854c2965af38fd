"""What a recording must be to be an impulse response, and what its user should know about it."""

from __future__ import annotations

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float64, FloatArray, shapes_checked

#: The shortest response after its onset: one window of the echo density profile and some.
SHORTEST_S = 25e-3
#: A response that is over sooner is a click.
SHORTEST_DECAY_S = 10e-3
#: Less decay than this is no impulse response.
SMALLEST_DECAY_DB = 15.0
#: A response that starts later than this is worth a word.
LATE_ONSET_S = 0.1
#: Peaks of float files, full scale being 1, beyond which single precision cannot write the results, and squares
#: leave the range of double precision.
QUIETEST, LOUDEST = 1e-30, 1e30
#: Samples at the largest value that make a flat top.
_FLAT_TOP = 3


@shapes_checked
def check_content(
    subject: str, samples: Float64[FloatArray, "channels samples"], sample_rate_hz: int
) -> None:
    """Refuse samples that no response can be found in.

    Parameters
    ----------
    subject : str
        File that the error is about.
    samples : ndarray, shape (channels, n)
    sample_rate_hz : int

    Raises
    ------
    FdnlearnError
        For NaN or infinity, silence, a level of no sound, a constant, or less than 25 ms.
    """
    if not np.isfinite(samples).all():
        raise FdnlearnError(subject, "holds NaN or infinite samples", "export the recording again")
    duration_s = samples.shape[1] / sample_rate_hz
    if duration_s < SHORTEST_S:
        raise FdnlearnError(
            subject,
            f"is too short ({samples.shape[1]} samples, {1e3 * duration_s:.3g} ms)",
            f"record at least {1e3 * SHORTEST_S:.0f} ms",
        )
    for channel, h in enumerate(samples, start=1):
        where = f"channel {channel} " if samples.shape[0] > 1 else ""
        if not h.any():
            raise FdnlearnError(
                subject, f"{where}is silent", "check the recording, or choose another channel"
            )
        peak = float(np.abs(h).max())
        if not QUIETEST <= peak <= LOUDEST:
            raise FdnlearnError(
                subject,
                f"{where}peaks at {peak:.1e}, which is no level of sound",
                "export the recording again",
            )
        if np.ptp(h) <= 1e-9 * peak:
            raise FdnlearnError(subject, f"{where}is a constant (DC only)", "check the recording")


def check_decay(subject: str, decay_db: float, decay_s: float) -> None:
    """Refuse what does not decay: noise, music, a sweep that was not deconvolved, a lone click.

    Parameters
    ----------
    subject : str
    decay_db : float
        Fall from the loudest part to the noise, or to the end.
    decay_s : float
        Time from the direct sound to the knee.

    Raises
    ------
    FdnlearnError
    """
    if decay_s < SHORTEST_DECAY_S:
        raise FdnlearnError(
            subject,
            f"holds no decay: noise or silence follows {1e3 * decay_s:.2g} ms after the direct sound",
            "give an impulse response with its reverberation",
        )
    if decay_db < SMALLEST_DECAY_DB:
        raise FdnlearnError(
            subject,
            f"falls by only {max(decay_db, 0.0):.0f} dB before its noise or its end",
            "give an impulse response (deconvolve a sweep, remove a DC offset, keep the whole decay)",
        )


@shapes_checked
def is_clipped(h: Float64[FloatArray, " samples"]) -> bool:
    """Whether the largest or smallest value is a flat top, or is met again and again at full scale.

    Parameters
    ----------
    h : ndarray, shape (n,)
        As recorded, before any resampling; full scale is 1.
    """
    for extreme in (h.max(), h.min()):
        at_extreme = np.flatnonzero(h == extreme)
        flat = np.any(at_extreme[_FLAT_TOP - 1 :] - at_extreme[: 1 - _FLAT_TOP] == _FLAT_TOP - 1)
        full_scale = at_extreme.size >= _FLAT_TOP and abs(extreme) >= 0.999
        if full_scale or (flat and abs(extreme) >= 0.5 * np.abs(h).max()):
            return True
    return False
