"""Numbers and names as pages and tables write them."""

from __future__ import annotations

import math


def format_number(value: float | None, decimals: int, unit: str = "") -> str:
    """A number for a table, with a true minus sign; an em dash for None."""
    if value is None:
        return "—"
    text = f"{value:.{decimals}f}"
    if float(text) == 0.0:
        text = text.lstrip("-")
    text = text.replace("-", "−")
    return f"{text}\u00a0{unit}" if unit else text


def format_jnds(jnds: float | None) -> str:
    """A number of just-noticeable differences, without decimals that mean nothing."""
    return format_number(jnds, 1 if jnds is None or jnds < 100.0 else 0)


def format_time(seconds: float) -> str:
    """A time in seconds, or in milliseconds below 0.1 s."""
    return format_number(seconds, 2, "s") if seconds >= 0.1 else format_number(1000.0 * seconds, 0, "ms")


def format_band(band_hz: int) -> str:
    """125 as "125 Hz", 2000 as "2 kHz"."""
    return f"{band_hz / 1000:g}\u00a0kHz" if band_hz >= 1000 else f"{band_hz}\u00a0Hz"


def format_gain_db(gain: float) -> str:
    """A gain as its level."""
    return format_number(20.0 * math.log10(abs(gain)), 1, "dB") if gain else "−∞ dB"


def format_p(p: float | None) -> str:
    """A probability as tables give it."""
    if p is None:
        return "—"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def format_effort(value: float | None) -> str:
    """Seconds or evaluations with as many digits as mean something."""
    if value is None:
        return "—"
    return f"{value:.0f}" if value >= 100.0 else f"{value:.3g}"
