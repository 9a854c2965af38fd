"""Fit made-up rooms of several channels and tabulate the coherence of their late parts.

    python benchmarks/channels.py [--write docs/quality-channels.md]

Noise with an exponential decay, as two or four microphones would hear it in a diffuse field: a coincident pair (as
alike at all frequencies), pairs 5 and 20 cm apart (coherence sin(kd)/kd), B-format (four channels, nothing in common).
"""

from __future__ import annotations

import argparse
import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from fdnlearn.base.types import FloatArray
from fdnlearn.fitting import FitConfig, solve
from fdnlearn.render import impulse_response
from fdnlearn.rir import Recording, Target, prepare_target
from fdnlearn.rir.metrics import compare

RATE_HZ = 48000
TIME_S = 0.6
#: Reverberation time at half the rate, re that at 0 Hz.
_DULL = 0.5


def late(channels: int, seed: int) -> FloatArray:
    """Independent noises that decay, high frequencies faster, (channels, n)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(1.2 * TIME_S * RATE_HZ)) / RATE_HZ
    noise = rng.standard_normal((channels, t.size))
    spectrum = np.fft.rfft(noise)
    low = np.fft.irfft(spectrum * (np.fft.rfftfreq(t.size, 1 / RATE_HZ) < 4000.0), t.size)
    decay, dull = (10.0 ** (-3.0 * t / time_s) for time_s in (TIME_S, _DULL * TIME_S))
    return 0.03 * (low * decay + (noise - low) * dull)


def with_direct(h: FloatArray, levels: Sequence[float]) -> FloatArray:
    """A direct sound in front."""
    out = h.copy()
    out[:, 0] = levels
    return out


def coincident() -> FloatArray:
    """A pair at one place whose directivities have a half in common."""
    one, two = late(2, 1)
    return with_direct(np.stack([one, 0.5 * one + np.sqrt(0.75) * two]), (1.0, 0.8))


def spaced(distance_m: float) -> FloatArray:
    """Two omnidirectional microphones."""
    one, two = late(2, 2)
    hz = np.fft.rfftfreq(one.size, 1 / RATE_HZ)
    alike = np.sinc(2.0 * hz * distance_m / 343.0)
    other = np.fft.irfft(alike * np.fft.rfft(one) + np.sqrt(1.0 - alike**2) * np.fft.rfft(two), one.size)
    return with_direct(np.stack([one, other]), (1.0, 0.9))


def b_format() -> FloatArray:
    """W, X, Y, Z of a diffuse field, the direct sound from the front left."""
    return with_direct(late(4, 3), (0.7, 0.7, 0.7, 0.0))


FIELDS: Mapping[str, Callable[[], FloatArray]] = {
    "coincident pair": coincident,
    "pair 5 cm apart": lambda: spaced(0.05),
    "pair 20 cm apart": lambda: spaced(0.2),
    "B-format": b_format,
}


def target_of(samples: FloatArray, name: str) -> Target:
    """All channels as a target."""
    recording = Recording(name, hashlib.sha256(samples.tobytes()).hexdigest(), RATE_HZ, samples, "float64")
    return prepare_target(recording, sample_rate_hz=RATE_HZ, channel="all")


def rows(name: str, samples: FloatArray) -> list[str]:
    """One row a field: of the worst pair of channels, wanted and found."""
    target = target_of(samples, name)
    result = solve(target, FitConfig.for_model("banded"))
    fdn = result.fdn
    found = compare(target, impulse_response(fdn) / (fdn.gain * fdn.polarity), RATE_HZ)
    assert found.coherence is not None
    error = np.array(list(found.coherence.error.values()))
    pair = list(found.coherence.error)[int(error.max(axis=1).argmax())]
    cells = [
        f"{wanted:.2f} → {got:.2f}"
        for wanted, got in zip(found.coherence.target[pair], found.coherence.fitted[pair], strict=True)
    ]
    kept = int((error <= 0.1).sum())
    errors, measurable = found.error.octave, found.measurable.octave
    t30 = [band.t30_percent for hz, band in errors.items() if measurable[hz].t30.counts]
    c80 = [band.c80_db for hz, band in errors.items() if measurable[hz].c80.counts]
    worst = [max((x for x in values if x is not None), default=float("nan")) for values in (t30, c80)]
    told = [f"{kept} of {error.size}", f"{worst[0]:.1f}", f"{worst[1]:.2f}", f"{result.seconds:.0f}"]
    return [f"| {name} | {pair} | {' | '.join([*cells, *told])} |"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="also write the table into this Markdown file")
    options = parser.parse_args(arguments)
    octaves = ("125", "250", "500", "1000", "2000", "4000", "8000")
    head = ["field", "worst pair", *(f"{hz} Hz" for hz in octaves)]
    head += ["within 0.1", "worst T30 / %", "worst C80 / dB", "fit / s"]
    lines = [
        "# Several channels",
        "",
        "Written by `benchmarks/channels.py`: late coherence of made-up fields (no recording of several channels is at "
        "hand that others could fetch), wanted → found, of the pair of channels that is worst; how many of all "
        "pairs' octaves are within 0.1; default settings, seed 0. "
        f"{platform.machine()}, Python {platform.python_version()}, torch {version('torch')}.",
        "",
        "| " + " | ".join(head) + " |",
        "|---" * len(head) + "|",
    ]
    for name, make in FIELDS.items():
        lines += rows(name, make())
        print(lines[-1], flush=True)
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
