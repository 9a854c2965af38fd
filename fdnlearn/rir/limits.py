"""What is refused of a recording before it is read: what is no file, empty, too long, or of an impossible rate."""

from __future__ import annotations

import math
from pathlib import Path

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import reading

#: What to do about a file that is damaged.
AGAIN = "export or download the recording again"
#: An impulse response is shorter than this; a longer file is music, or a header that lies.
LONGEST_S = 180.0
#: All channels together; beyond it reading a file whole needs gigabytes.
LARGEST_SAMPLES = 200_000_000
#: Rates of anything that has been recorded, from slowed scale models to ultrasound.
_RATES_HZ = (1000, 2_000_000)


def check_file(path: Path) -> None:
    """Refuse what is no file that holds something.

    Raises
    ------
    FdnlearnError
    """
    subject = str(path)
    with reading(path):  # a name may be none that a file can have
        if path.is_dir():
            raise FdnlearnError(subject, "is a folder", "give one recording")
        if not path.exists():
            raise FdnlearnError(subject, "does not exist", "check the path")
        if not path.is_file():
            raise FdnlearnError(subject, "is not a regular file", "copy the recording to a file first")
        if path.stat().st_size == 0:
            raise FdnlearnError(subject, "is empty", AGAIN)


def check_size(
    subject: str,
    frames: int,
    channels: int,
    sample_rate_hz: int,
    longest_s: float,
    largest_samples: float = LARGEST_SAMPLES,
) -> None:
    """Refuse what is empty, too long or of an impossible rate.

    Raises
    ------
    FdnlearnError
    """
    lowest_hz, highest_hz = _RATES_HZ
    if not lowest_hz <= sample_rate_hz <= highest_hz:
        raise FdnlearnError(
            subject,
            f"claims a sample rate of {sample_rate_hz} Hz",
            f"export it again, at {lowest_hz} to {highest_hz} Hz",
        )
    if frames == 0:
        raise FdnlearnError(subject, "holds no samples", "export or record it again")
    most = min(longest_s * sample_rate_hz, largest_samples / max(1, channels))
    if frames > most:
        raise FdnlearnError(
            subject,
            f"is {frames / sample_rate_hz:.0f} s of {channels} channels, too long",
            f"cut it to what is needed (at most {math.floor(most / sample_rate_hz)} s)",
        )
