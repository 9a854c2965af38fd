"""Play one dry file through a network: read, route, render, mix, write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdnlearn.base.audio import check_suffix, write_audio
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import replacing, writing
from fdnlearn.base.types import FloatArray

if TYPE_CHECKING:
    from fdnlearn.fdn import FDN


#: Longest recording that is rendered in one go.
LONGEST_DRY_S = 3600.0


@dataclass(frozen=True)
class Rendering:
    """A file that has been rendered; `peak` is its largest magnitude, full scale being 1."""

    path: Path
    sample_rate_hz: int
    channels: int
    samples: int
    peak: float
    warnings: tuple[str, ...]


def render_file(
    network: str | Path,
    dry_file: str | Path,
    output: str | Path,
    *,
    wet_db: float = 0.0,
    dry_db: float | None = None,
    decay: float = 1.0,
    size: float = 1.0,
    sample_rate_hz: int | None = None,
) -> Rendering:
    """Render a dry recording through a network and write the result, its tail included.

    Parameters
    ----------
    network : str or Path
        `fdn.json`.
    dry_file : str or Path
        Audio file of any rate.
    output : str or Path
        WAV (float32), FLAC or AIFF (24 bit), by its suffix. Replaced if it exists; its folder is made if need be.
    wet_db : float
        Level of what the network returns, the direct sound of the room included.
    dry_db : float or None
        Level of the dry recording mixed to it; None for none.
    decay, size : float
        Factors on reverberation time and on the length of the delay lines.
    sample_rate_hz : int or None
        Rate of the output; that of the dry recording by default.

    Returns
    -------
    Rendering

    Raises
    ------
    FdnlearnError
        If a file is refused, the channels cannot be matched, or the output cannot be written.
    UsageError
        If the output's suffix names no format.
    """
    from fdnlearn.fdn import load_fdn
    from fdnlearn.render import render
    from fdnlearn.rir import read_recording
    from fdnlearn.rir.resampling import resample

    path = Path(output)
    check_suffix(path)
    for source in (network, dry_file):
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise FdnlearnError(str(path), "is one of the inputs", "write to another file with -o")
    fdn = load_fdn(network)
    recording = read_recording(dry_file, longest_s=LONGEST_DRY_S)
    if not np.isfinite(recording.samples).all():
        raise FdnlearnError(str(dry_file), "holds NaN or infinite samples", "export the recording again")
    rate = sample_rate_hz or recording.sample_rate_hz
    dry = resample(recording.samples, recording.sample_rate_hz, rate)
    groups = route(dry, fdn, str(dry_file))
    wet = np.concatenate([render(fdn, group, rate, decay=decay, size=size) for group in groups])
    wet *= 10 ** (wet_db / 20)
    if dry_db is not None:
        wet[:, : dry.shape[1]] += 10 ** (dry_db / 20) * _spread(dry, len(wet))
    told = tuple(f"{recording.name}: {sentence}" for sentence in recording.warnings)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        warnings = (*told, *write_audio(partial, wet, rate))
    return Rendering(path, rate, len(wet), wet.shape[1], float(np.max(np.abs(wet), initial=0.0)), warnings)


def route(dry: FloatArray, fdn: FDN, subject: str) -> list[FloatArray]:
    """Match the channels of a recording to the inputs of a network.

    Parameters
    ----------
    dry : ndarray, shape (channels, samples)
    fdn : FDN
    subject : str
        File that an error is about.

    Returns
    -------
    list of ndarray, shape (inputs, samples)
        What to render, one after the other; the outputs are channels of one file. A mono network takes each
        channel on its own, a mono recording goes to every input, and several channels are mixed down for a
        network with one input and several outputs.

    Raises
    ------
    FdnlearnError
        If there is no such match.
    """
    channels = len(dry)
    if channels == fdn.inputs:
        return [dry]
    if fdn.inputs == 1 and fdn.outputs == 1:
        return [dry[channel : channel + 1] for channel in range(channels)]
    if channels == 1:
        return [np.repeat(dry, fdn.inputs, axis=0)]
    if fdn.inputs == 1:
        return [dry.mean(axis=0, keepdims=True)]
    raise FdnlearnError(
        subject, f"has {channels} channels where the network has {fdn.inputs} inputs", "mix it to mono first"
    )


def _spread(dry: FloatArray, outputs: int) -> FloatArray:
    """The dry channels over the outputs: one to one where they match, else their mean to each."""
    return dry if len(dry) == outputs else np.repeat(dry.mean(axis=0, keepdims=True), outputs, axis=0)
