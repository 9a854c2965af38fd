"""Folder names for rooms: readable where they can be, unique always, the same from run to run."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath

#: Recordings whose suffix needs no mention in the name of their folder.
_PLAIN_SUFFIX = ".wav"
_LONGEST = 80
#: Devices of Windows, whatever follows their first dot.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)


def folder_name(label: PurePath | str, part: str = "") -> str:
    """Name of the folder of a room.

    A label that is a plain file name stays as it is, without ``.wav``; any other one keeps what is safe of it and
    gets a hash. A name depends on its own label alone, so rooms that join a batch later change no other's.

    Parameters
    ----------
    label : PurePath or str
        The recording's path relative to what the user named, or the name a manifest gives it.
    part : str
        What part of the file, if not all of it.
    """
    label = str(label)
    stem = label[: -len(_PLAIN_SUFFIX)] if label.lower().endswith(_PLAIN_SUFFIX) else label
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")
    if safe == stem and 0 < len(safe) <= _LONGEST and not _DEVICE.match(safe):
        return f"{safe}{part}"
    digest = hashlib.sha256(label.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    kept = safe[-_LONGEST:].lstrip("-.") or "room"
    return f"{'room-' if _DEVICE.match(kept) else ''}{kept}-{digest}{part}"
