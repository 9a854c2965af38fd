"""Impulse responses as audio that a page can carry within itself."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fdnlearn.base.types import FloatArray

#: Bytes of one WAV file; two of them, in base64, leave the page well below 1.5 MB.
MAX_BYTES = 200_000
#: Nothing shorter is worth playing, so a noisy recording goes on beyond its usable length.
MIN_S = 0.5
_PEAK = 0.89
_FADE_S = 0.05
_TINY = 1e-12


@dataclass(frozen=True)
class Clip:
    """One playable response.

    Attributes
    ----------
    uri : str
        ``data:audio/wav;base64,...``, 16 bit.
    seconds : float
        Length of the clip.
    cut : bool
        Whether the response goes on.
    """

    uri: str
    seconds: float
    cut: bool


def level_matched_clips(
    responses: Sequence[FloatArray], sample_rate_hz: int, usable_samples: int
) -> tuple[Clip, ...]:
    """Clips of equal energy over the usable length, as loud as the loudest peak allows.

    Parameters
    ----------
    responses : sequence of ndarray, shape (channels, n)
        At most two channels of each are taken.
    sample_rate_hz : int
    usable_samples : int
        A clip holds these, at least `MIN_S` and at most `MAX_BYTES`, and fades out at its end.

    Returns
    -------
    tuple of Clip
        One for each response.
    """
    channels = min(2, *(h.shape[0] for h in responses))
    playable = max(usable_samples, round(MIN_S * sample_rate_hz))
    length = min(playable, MAX_BYTES // (2 * channels))
    parts = [_padded(np.asarray(h[:channels, :length], dtype=np.float64), length) for h in responses]
    parts = [part / max(float(np.linalg.norm(part[:, :usable_samples])), _TINY) for part in parts]
    peak = max(_TINY, *(float(np.abs(part).max()) for part in parts))
    ramp = min(length, round(_FADE_S * sample_rate_hz))
    fade = np.ones(length)
    fade[length - ramp :] = np.cos(np.linspace(0.0, np.pi / 2.0, ramp)) ** 2
    return tuple(
        Clip(_wav_uri(_PEAK / peak * part * fade, sample_rate_hz), length / sample_rate_hz, length < playable)
        for part in parts
    )


def _padded(h: FloatArray, length: int) -> FloatArray:
    return np.pad(h, ((0, 0), (0, length - h.shape[1])))


def _wav_uri(samples: FloatArray, sample_rate_hz: int) -> str:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes(np.round(32767.0 * samples.T).astype("<i2").tobytes())
    return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
