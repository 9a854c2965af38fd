"""Where the example recordings are, in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

from fdnlearn.base.errors import UsageError

#: Synthetic rooms, and clips without any room; how they were made is told in their folder's README.
ROOMS = ("small_room", "lecture_room", "hall")
DRY_CLIPS = ("dry", "dry_drums", "dry_voice")
EXAMPLES = tuple(f"{name}.wav" for name in (*ROOMS, *DRY_CLIPS))


def example_path(name: str) -> Path:
    """Path of an example recording.

    Parameters
    ----------
    name : str
        One of `EXAMPLES`; the suffix may be left out.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If there is no such example.
    """
    package = Path(__file__).resolve().parent
    file = name if name.endswith(".wav") else f"{name}.wav"
    if file in EXAMPLES:
        # A wheel carries the folder inside the package, a checkout beside it.
        for folder in (package / "data", package.parent / "data"):
            if (folder / file).is_file():
                return folder / file
    raise UsageError(name, "is no example recording", f"choose one of {', '.join(EXAMPLES)}")
