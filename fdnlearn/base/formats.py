"""Which files are read as recordings: the one list that readers, searches, pages and texts go by."""

from __future__ import annotations

#: What a recording should be in: name -> suffixes. RF64 and BWF are WAV.
FORMATS = {
    "WAV": (".wav", ".wave", ".bwf", ".rf64"),
    "W64": (".w64",),
    "FLAC": (".flac",),
    "AIFF": (".aiff", ".aif", ".aifc"),
    "CAF": (".caf",),
    "AU": (".au", ".snd"),
    "SOFA": (".sofa",),
}
#: What is read with a warning: coders keep what is heard, not what is measured.
LOSSY_FORMATS = {"MP3": (".mp3",), "Ogg": (".ogg", ".oga", ".opus")}
#: Suffixes of all of them; what is in a file decides how it is read, SOFA excepted.
SUFFIXES = tuple(suffix for group in (FORMATS, LOSSY_FORMATS) for names in group.values() for suffix in names)
_FIRST = list(FORMATS)[:-1]
#: As texts name them.
NAMES = f"{', '.join(_FIRST)} or {list(FORMATS)[-1]}"
LOSSY_NAMES = " and ".join(LOSSY_FORMATS)
#: What libsndfile calls them.
_CONTAINERS = {*(name.upper() for name in (*FORMATS, *LOSSY_FORMATS)), "WAVEX", "RF64", "MPEG"}
_LOSSLESS = ("PCM_", "FLOAT", "DOUBLE", "ALAC_", "DWVW_")


def is_read(container: str) -> bool:
    """Whether a format is in the list, by libsndfile's name of it."""
    return container in _CONTAINERS


def is_lossy(subtype: str) -> bool:
    """Whether a coding loses something, by libsndfile's name of it; companded samples do."""
    return not subtype.startswith(_LOSSLESS)
