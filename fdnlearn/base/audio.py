"""Audio files of finished signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fdnlearn.base.errors import FdnlearnError, UsageError

#: File name suffix -> (format, subtype) as libsndfile calls them.
FORMATS = {
    ".wav": ("WAV", "FLOAT"),
    ".flac": ("FLAC", "PCM_24"),
    ".aiff": ("AIFF", "PCM_24"),
    ".aif": ("AIFF", "PCM_24"),
}


def check_suffix(path: Path) -> None:
    """Refuse a name that does not say which audio format to write.

    Raises
    ------
    UsageError
        If the suffix is none of `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(str(path), "not a known audio format", f"end the name in {', '.join(FORMATS)}")


def write_audio(path: Path, samples: npt.ArrayLike, sample_rate_hz: int) -> tuple[str, ...]:
    """Write a signal: float32 WAV, or 24-bit FLAC or AIFF, as the file name's suffix says.

    Parameters
    ----------
    path : Path
        File to write (not atomically: see `fdnlearn.base.files.replacing`).
    samples : array_like, shape (channels, samples)
        The signal, full scale at 1.
    sample_rate_hz : int

    Returns
    -------
    tuple of str
        What the listener should know: samples beyond full scale, clipped where the format cannot hold them.

    Raises
    ------
    UsageError
        If the suffix names no known format.
    FdnlearnError
        If the signal is not finite or the format cannot hold that many channels.
    OSError
        If the file cannot be written.
    """
    check_suffix(path)
    signal = np.atleast_2d(np.asarray(samples, dtype=np.float64))
    peak = float(np.max(np.abs(signal), initial=0.0))
    if not np.isfinite(peak):
        raise FdnlearnError(str(path), "the signal is not finite", "lower the gains")
    container, subtype = FORMATS[path.suffix.lower()]
    over_db = 20 * np.log10(peak) if peak > 0 else -np.inf
    if container == "WAV":
        # SciPy's writer, not libsndfile's: the latter stamps the time of day into every float WAV.
        from scipy.io import wavfile

        wavfile.write(path, sample_rate_hz, np.ascontiguousarray(signal.T.astype(np.float32)))
        clipping = "the float WAV holds them; turn down before playing"
    else:
        import soundfile

        try:
            soundfile.write(
                path, np.clip(signal.T, -1.0, 1.0), sample_rate_hz, subtype=subtype, format=container
            )
        except soundfile.LibsndfileError as error:
            raise OSError(0, str(error.error_string).rstrip(".")) from error
        except (ValueError, TypeError) as error:
            raise FdnlearnError(
                str(path), f"{container} cannot hold {len(signal)} channels", "write WAV"
            ) from error
        clipping = "they were clipped: lower the gains or write WAV"
    if over_db <= 0.0:
        return ()
    return (f"samples exceed full scale by {over_db:.1f} dB; {clipping}",)
