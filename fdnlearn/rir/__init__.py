"""Reading and preparing recordings: a file goes in, a `Target` comes out."""

from __future__ import annotations

from pathlib import Path

from fdnlearn.rir.preparation import Channel, prepare_target
from fdnlearn.rir.reading import Recording, read_recording
from fdnlearn.rir.target import PreparationStep, Target

__all__ = ["PreparationStep", "Recording", "Target", "load_target", "prepare_target", "read_recording"]


def load_target(path: str | Path, *, sample_rate_hz: int, channel: Channel = None) -> Target:
    """Read a recording and prepare it as the target of a fit.

    Parameters
    ----------
    path : str or Path
        WAV, W64, FLAC, AIFF, CAF, AU or SOFA file.
    sample_rate_hz : int
        Rate of the fit. A recording at a lower rate keeps its own, with a warning.
    channel : int, "all" or None
        Which channel, from 1. None: the first, with a warning if there are more.

    Returns
    -------
    Target

    Raises
    ------
    FdnlearnError
        If the file cannot be read or is no impulse response: one line with the remedy.
    UsageError
        If there is no such channel.
    """
    recording = read_recording(path)
    return prepare_target(recording, sample_rate_hz=sample_rate_hz, channel=channel, subject=str(path))
