"""Networks that between them use everything an export must carry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from fdn_networks import FloatArray, head_of, network

from fdnlearn.fdn import FAMILIES, FDN
from fdnlearn.fdn.families.family import Family

TONE = [
    {"type": "high_shelf", "frequency_hz": 5000.0, "gain_db": -6.0, "q": 0.7},
    {"type": "peaking", "frequency_hz": 400.0, "gain_db": 3.0, "q": 1.0},
]
TAPS = [{"samples": 7, "gain": 0.4}, {"samples": 8, "gain": 0.1}, {"samples": 300, "gain": -0.2}]


def _shelves(
    frequencies_hz: FloatArray, times_s: FloatArray, delays_samples: FloatArray, sample_rate_hz: float
) -> tuple[FloatArray, FloatArray]:
    """Two knots: a first-order shelf from one decay to the other, and a section of nothing behind it."""
    low, high = (10.0 ** (-3.0 * delays_samples / (sample_rate_hz * times_s[:, k])) for k in (0, 1))
    ratio = np.sqrt(high / low)
    tangent = np.tan(np.pi * min(np.sqrt(np.prod(frequencies_hz)), 0.45 * sample_rate_hz) / sample_rate_hz)
    scale = tangent + 1.0 / ratio
    rows = np.zeros((delays_samples.size, 2, 6))
    rows[:, :, 3] = rows[:, 1, 0] = 1.0
    rows[:, 0, 0], rows[:, 0, 1] = (tangent + ratio) / scale, (tangent - ratio) / scale
    rows[:, 0, 4] = (tangent - 1.0 / ratio) / scale
    return low, rows


#: Loop filters with second-order sections, for tests alone.
SHELVES = Family("test-shelves-1", lambda f: None if f.size == 2 else "has not two knots", _shelves)


@contextmanager
def shelves_known() -> Iterator[None]:
    """While the family can be used."""
    FAMILIES[SHELVES.name] = SHELVES
    try:
        yield
    finally:
        del FAMILIES[SHELVES.name]


def absorption(lines: int, low_s: float = 1.2, high_s: float = 0.5) -> dict[str, object]:
    """Two reverberation times for all lines."""
    return {
        "kind": "reverberation_time",
        "family": SHELVES.name,
        "frequencies_hz": [500.0, 8000.0],
        "times_s": [[low_s, high_s]],
        "line_groups": [0] * lines,
    }


def dense(samples: int, outputs: int = 1, seed: int = 5) -> list[dict[str, object]]:
    """A measured early part from input 0 to every output."""
    rng = np.random.default_rng(seed)
    decay = 0.1 * np.exp(-np.arange(samples) / (0.3 * samples))
    return [
        {
            "kind": "fir",
            "output": o,
            "input": 0,
            "coefficients": (decay * rng.standard_normal(samples)).tolist(),
        }
        for o in range(outputs)
    ]


def sparse(output: int = 0, input_: int = 0) -> dict[str, object]:
    """A few echoes, two of them at successive delays."""
    return {"kind": "sparse", "output": output, "input": input_, "taps": TAPS}


def mono() -> FDN:
    """What a default fit looks like."""
    return network(6, reverberation_time_s=0.9, delays=(300, 1900))


def stereo() -> FDN:
    """Sections in the loop, tone, echoes, delays, two inputs and two outputs."""
    return network(
        8,
        2,
        2,
        sample_rate_hz=48000,
        delays=(400, 3000),
        absorption=absorption(8),
        tone=TONE,
        early=[sparse(), sparse(1, 0), sparse(0, 1)],
        late_delay_samples=500,
        pre_delay_s=0.001,
        gain=0.3,
        polarity=-1,
    )


def measured() -> FDN:
    """A dense early part in two outputs and sections in the loop."""
    return network(
        5,
        1,
        2,
        sample_rate_hz=24000,
        delays=(200, 1500),
        absorption=absorption(5),
        early=dense(300, outputs=2),
        late_delay_samples=250,
    )


def headed() -> FDN:
    """A head as long as those of fits at full rate, and nothing before it."""
    return network(6, reverberation_time_s=0.9, delays=(300, 1900), **head_of(330, 150))


def headed_stereo() -> FDN:
    """A head in two outputs, whose first samples the pre-delay takes up in part; echoes and tone behind it."""
    return network(
        8,
        1,
        2,
        sample_rate_hz=24000,
        delays=(200, 1500),
        tone=TONE,
        early=[sparse(), sparse(1)],
        late_delay_samples=400,
        pre_delay_s=0.001,
        gain=0.3,
        polarity=-1,
        **head_of(110, 70, 2),
    )


def default_fit() -> FDN:
    """As a fit at full rate writes it: a head of 15 ms, an equaliser of third octaves, taps, a loop of sections."""
    tone = [
        {"type": "peaking", "frequency_hz": 1000.0 * 10 ** (k / 10), "gain_db": 3.0 * (-1) ** k, "q": 4.3}
        for k in range(-13, 13)
    ]
    return network(
        8,
        sample_rate_hz=48000,
        delays=(400, 3000),
        absorption={
            "kind": "reverberation_time",
            "family": "peq-1",
            "frequencies_hz": [62.5 * 2**k for k in range(9)],
            "times_s": [[0.9, 0.9, 0.8, 0.8, 0.7, 0.7, 0.6, 0.5, 0.3]],
            "line_groups": [0] * 8,
        },
        tone=tone,
        early=[{**sparse(), "taps": [{**tap, "samples": tap["samples"] + 700} for tap in TAPS]}],
        late_delay_samples=300,
        **head_of(720, 240),
    )


#: Name -> network, rate it is exported at. Networks with sections need `shelves_known`.
CASES = {
    "mono": (mono, None),
    "mono_at_44100": (mono, 44100),
    "stereo": (stereo, None),
    "measured": (measured, None),
    "measured_at_16000": (measured, 16000),
    "headed": (headed, None),
    "headed_at_44100": (headed, 44100),
    "headed_at_11025": (headed, 11025),
    "headed_stereo": (headed_stereo, None),
    "default_fit": (default_fit, None),
}
