"""Play one dry file through a network: read, route, render, mix and write it, piece by piece.

Nothing is normalised and a peak is only told, so one pass is enough and memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdnlearn.base.audio import AudioWriter, check_suffix
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import writing
from fdnlearn.base.replacing import replacing
from fdnlearn.base.types import FloatArray

if TYPE_CHECKING:
    from fdnlearn.fdn import FDN
    from fdnlearn.render import BlockRenderer


#: Longest recording that is rendered: a day.
LONGEST_DRY_S = 86400.0
#: Samples of silence that the tail is rendered from at once.
_SILENCE = 1 << 16


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
    from fdnlearn.fdn import load_fdn, realise
    from fdnlearn.render import BlockRenderer, tail_length_s, tail_warnings
    from fdnlearn.rir.stream_resampling import resampled
    from fdnlearn.rir.streaming import streamed_recording

    path = Path(output)
    check_suffix(path)
    for source in (network, dry_file):
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise FdnlearnError(str(path), "is one of the inputs", "write to another file with -o")
    fdn = load_fdn(network)
    with streamed_recording(dry_file, longest_s=LONGEST_DRY_S) as recording:
        channels, source_hz = recording.channels, recording.sample_rate_hz
        rate = sample_rate_hz or source_hz
        # Of no samples yet: what does not match is refused before anything is written.
        groups = len(route(np.empty((channels, 0)), fdn, str(dry_file)))
        realisation = realise(fdn, rate, decay=decay, size=size)
        mix = _Mix(
            fdn,
            str(dry_file),
            tuple(BlockRenderer(realisation) for _ in range(groups)),
            10 ** (wet_db / 20),
            None if dry_db is None else 10 ** (dry_db / 20),
        )
        tail = round(tail_length_s(realisation) * rate)
        frames = -(-recording.frames * rate // source_hz) + tail
        dry = resampled(recording.pieces, source_hz, rate, channels)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        outputs = groups * fdn.outputs
        with replacing(path) as partial, AudioWriter(partial, rate, outputs, frames, about=path) as writer:
            for block in mix.blocks(dry, tail):
                writer.write(block)
    told = (f"{recording.name}: {sentence}" for sentence in recording.warnings)
    warnings = (*told, *tail_warnings(realisation), *writer.warnings)
    return Rendering(path, rate, outputs, frames, writer.peak, warnings)


@dataclass(frozen=True)
class _Mix:
    """A network that runs once for each group of channels, and how loud it and the dry recording are."""

    fdn: FDN
    subject: str
    renderers: tuple[BlockRenderer, ...]
    wet_gain: float
    dry_gain: float | None

    def blocks(self, dry: Iterator[FloatArray], tail: int) -> Iterator[FloatArray]:
        """The mix of a recording, and then the tail, shape (channels, samples)."""
        for piece in dry:
            wet = self._wet(route(piece, self.fdn, self.subject))
            if self.dry_gain is not None:
                wet += self.dry_gain * _spread(piece, len(wet))
            yield wet
        for start in range(0, tail, _SILENCE):
            silence = np.zeros((self.fdn.inputs, min(_SILENCE, tail - start)))
            yield self._wet([silence] * len(self.renderers))

    def _wet(self, groups: list[FloatArray]) -> FloatArray:
        rendered = [renderer.process(group) for renderer, group in zip(self.renderers, groups, strict=True)]
        return np.asarray(self.wet_gain * np.concatenate(rendered), dtype=np.float64)


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
