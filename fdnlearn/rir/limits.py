"""How long a recording may be, and at which rate: refused before it is read."""

from __future__ import annotations

from fdnlearn.base.errors import FdnlearnError

#: An impulse response is shorter than this; a longer file is music, or a header that lies.
LONGEST_S = 180.0
#: All channels together; beyond it reading needs gigabytes.
LARGEST_SAMPLES = 200_000_000
#: Rates of anything that has been recorded, from slowed scale models to ultrasound.
_RATES_HZ = (1000, 2_000_000)


def check_size(
    subject: str,
    frames: int,
    channels: int,
    sample_rate_hz: int,
    longest_s: float,
    largest_samples: int = LARGEST_SAMPLES,
) -> None:
    """Refuse what is too long or of an impossible rate.

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
    if frames > longest_s * sample_rate_hz or frames * channels > largest_samples:
        raise FdnlearnError(
            subject,
            f"is {frames / sample_rate_hz:.0f} s of {channels} channels, too long",
            f"cut it to what is needed (at most {longest_s:.0f} s)",
        )
