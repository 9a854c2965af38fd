"""Prepared targets for the tests of losses and fits."""

from __future__ import annotations

import hashlib

from fdnlearn.base.types import FloatArray
from fdnlearn.rir import Recording, Target, prepare_target


def target_of(samples: FloatArray, sample_rate_hz: int) -> Target:
    """The target that a recording of `samples` (channels, n) makes, at its own rate, all channels."""
    digest = hashlib.sha256(samples.tobytes()).hexdigest()
    recording = Recording("room.wav", digest, sample_rate_hz, samples, "float64")
    return prepare_target(recording, sample_rate_hz=sample_rate_hz, channel="all")
