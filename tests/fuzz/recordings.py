"""Audio files of all containers, damaged: each is measured, or refused in one line."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import soundfile
from command_line import decay
from test_rir_headers import CONTAINERS, encoded
from test_rir_sofa import write

from fuzz.cases import Case, Fault, Kind
from fuzz.mutations import changed_bytes
from fuzz.verdicts import command

_RATE_HZ = 8000
#: Formats whose headers `test_rir_headers` does not edit.
_OTHERS = {".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3", ".voc": "VOC"}
#: Encodings of WAV beside the usual ones.
_CODED = ("PCM_U8", "PCM_32", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")


def _seeds() -> list[Case]:
    room = decay(0.12, rate=_RATE_HZ)
    stereo = np.stack((room, 0.5 * room), axis=1)
    made = [Case(encoded(kind, stereo), ".wav") for kind in CONTAINERS]
    made += [Case(_encoded(stereo, name), suffix) for suffix, name in _OTHERS.items()]
    made += [Case(_encoded(room, "WAV", subtype), ".wav") for subtype in _CODED]
    delays = np.array([[3.0, 5.0]])
    for responses, more in ((stereo.T[None], {"delay_samples": delays}), (stereo.T[None, ..., None], {})):
        path = write(Path("seed.sofa"), responses, dimensions="MRNE"[: responses.ndim], **more)
        made.append(Case(path.read_bytes(), ".sofa"))
    return made


def _encoded(samples: np.ndarray, name: str, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, _RATE_HZ, format=name, subtype=subtype)
    return file.getvalue()


def _mutate(rng: random.Random, known: list[Case], case: Case) -> Case:
    suffix = case.suffix if rng.random() < 0.95 else rng.choice(known).suffix
    return Case(changed_bytes(rng, case.content, [other.content for other in known]), suffix)


def _check(case: Case) -> None:
    path = Path(f"room{case.suffix}")
    path.write_bytes(case.content)
    if "does not exist" in command("analyze", str(path), "--json").stderr:
        raise Fault("is said not to be there")


RECORDINGS = Kind("recordings", _seeds, _mutate, _check)
