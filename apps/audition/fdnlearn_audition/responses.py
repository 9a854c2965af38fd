"""Responses for the player: of the room and of each network, at the rate that the visitor listens at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Rates that a browser plays and the page offers.
RATES_HZ = (44100, 48000, 88200, 96000)
#: A response ends when it has fallen by this much below its peak: nothing later is heard.
_INAUDIBLE_DB = 100.0
_LONGEST_S = 20.0


def room(folder: str, sample_rate_hz: int) -> str:
    """The prepared recording of a folder of results, from the direct sound to its knee and a little further.

    Returns
    -------
    str
        Path of a float WAV in the same folder.
    """
    import numpy as np

    from fdnlearn.rir import read_recording
    from fdnlearn.rir.resampling import resample

    written = Path(folder) / f"room-{sample_rate_hz}.wav"
    if not written.is_file():
        recording = read_recording(Path(folder) / "target.wav")
        h = recording.samples[:, : round(_LONGEST_S * recording.sample_rate_hz)]
        # The frequency response is kept, not the waveform: at another rate a sample stands for another time.
        h = resample(h, recording.sample_rate_hz, sample_rate_hz) * (
            recording.sample_rate_hz / sample_rate_hz
        )
        _write(written, np.asarray(h), sample_rate_hz)
    return str(written)


def network(folder: str, sample_rate_hz: int) -> str:
    """The response of the network of a folder as exports at that rate play it, its direct sound with the room's."""
    import numpy as np

    from fdnlearn.fdn import load_fdn, realise
    from fdnlearn.render import impulse_response

    written = Path(folder) / f"network-{sample_rate_hz}.wav"
    if not written.is_file():
        fdn = load_fdn(Path(folder) / "fdn.json")
        h = np.asarray(impulse_response(fdn, sample_rate_hz), dtype=np.float64)
        # What another rate puts in front of a head makes everything late.
        direct = realise(fdn).direct_delay_samples * sample_rate_hz / fdn.sample_rate_hz
        h = h[:, max(0, realise(fdn, sample_rate_hz).direct_delay_samples - round(direct)) :]
        _write(written, _without_silent_end(h)[:, : round(_LONGEST_S * sample_rate_hz)], sample_rate_hz)
    return str(written)


def dry(path: str, folder: str, sample_rate_hz: int) -> str:
    """A dry clip at another rate."""
    from fdnlearn.rir import read_recording
    from fdnlearn.rir.resampling import resample

    written = Path(folder) / f"{Path(path).stem}-{sample_rate_hz}.wav"
    if not written.is_file():
        recording = read_recording(path)
        _write(written, resample(recording.samples, recording.sample_rate_hz, sample_rate_hz), sample_rate_hz)
    return str(written)


def _without_silent_end(h: Any) -> Any:
    import numpy as np

    peak = np.abs(h).max(initial=0.0)
    heard = np.flatnonzero(np.abs(h).max(axis=0) > peak * 10.0 ** (-_INAUDIBLE_DB / 20.0))
    return h[:, : int(heard[-1]) + 1] if heard.size else h[:, :1]


def _write(path: Path, samples: Any, sample_rate_hz: int) -> None:
    from fdnlearn.base.audio import write_audio
    from fdnlearn.base.replacing import replacing

    with replacing(path) as partial:
        write_audio(partial, samples, sample_rate_hz)
