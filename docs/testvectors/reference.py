"""A renderer of the format in plain Python: slow, independent of fdnlearn, written straight from docs/format.md.

It exists to be compared with, and to be read by whoever writes another renderer. It does not validate.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

Section = tuple[float, float, float, float, float]  # b0 b1 b2 a1 a2, a0 = 1
Filter = Callable[[float], float]


def responses(
    fdn: dict[str, Any], samples: int, rate: int, decay: float = 1.0, size: float = 1.0
) -> list[Any]:
    """Impulse responses ``[output][input][sample]`` of a parsed JSON document at a sample rate."""
    columns = []
    for k in range(len(fdn["direct_gains"][0])):
        x = [
            [1.0 if (n == 0 and c == k) else 0.0 for n in range(samples)]
            for c in range(len(fdn["direct_gains"][0]))
        ]
        columns.append(render(fdn, x, rate, decay, size))
    return [[column[o] for column in columns] for o in range(len(fdn["direct_gains"]))]


def render(
    fdn: dict[str, Any], x: list[list[float]], rate: int, decay: float = 1.0, size: float = 1.0
) -> list[list[float]]:
    """Outputs ``[output][sample]`` for inputs ``[input][sample]`` of equal length."""
    fs = fdn["sample_rate_hz"]
    samples = len(x[0])
    m = [max(1, moved(d, size, rate, fs)) for d in fdn["delays_samples"]]
    n_lines, outputs, inputs = len(m), range(len(fdn["output_gains"])), range(len(x))
    absorb = absorption(fdn["absorption"], fdn["delays_samples"], m, fs, rate, decay)
    lines = [[0.0] * (samples + max(m)) for _ in m]
    late_delay = moved(fdn["late_delay_samples"], size, rate, fs)
    equalisers = [chain([tone(s, rate) for s in fdn["tone"]]) for _ in outputs]
    late = [[0.0] * (samples + late_delay) for _ in outputs]
    for n in range(samples):
        s = [lines[i][n] for i in range(n_lines)]
        for o in outputs:
            late[o][n + late_delay] = equalisers[o](
                math.fsum(c * v for c, v in zip(fdn["output_gains"][o], s, strict=True))
            )
        absorbed = [g(v) for g, v in zip(absorb, s, strict=True)]
        for i in range(n_lines):
            recirculated = [fdn["feedback_matrix"][i][j] * absorbed[j] for j in range(n_lines)]
            entering = [fdn["input_gains"][i][k] * x[k][n] for k in inputs]
            lines[i][n + m[i]] = math.fsum(recirculated + entering)
    taps = early(fdn["early"], fs, rate, size) + heads(fdn, fs, rate)
    pre_delay = math.floor(fdn["pre_delay_s"] * rate + 0.5)
    pre_delay = max(pre_delay, max((-position for _, _, position, _ in taps), default=0))
    y = []
    for o in outputs:
        total = [0.0] * samples
        lowpasses = chain(lowpass(fs, rate))
        for n in range(samples):
            t = n - pre_delay
            terms = [late[o][t]] if t >= 0 else []
            terms += [fdn["direct_gains"][o][k] * x[k][t] for k in inputs if t >= 0]
            terms += [gain * x[k][t - p] for out, k, p, gain in taps if out == o and 0 <= t - p < samples]
            total[n] = lowpasses(fdn["gain"] * fdn["polarity"] * math.fsum(terms))
        y.append(total)
    return y


def moved(position: float, size: float, rate: int, fs: int) -> int:
    """A position in samples at another rate: to the nearest, halves up."""
    return math.floor(position * size * rate / fs + 0.5)


def absorption(
    a: dict[str, Any], fit: list[float], m: list[int], fs: int, rate: int, decay: float
) -> list[Filter]:
    """Loop filter of every line."""
    if a["kind"] == "per_line_gain":
        gains = [g ** ((mi / rate) / (d / fs) / decay) for g, d, mi in zip(a["gains"], fit, m, strict=True)]
        return [scaled(gain, []) for gain in gains]
    times = [[t * decay for t in a["times_s"][g]] for g in a["line_groups"]]
    if a["family"] == "flat-1":
        return [scaled(10.0 ** (-3.0 * mi / (rate * t[0])), []) for t, mi in zip(times, m, strict=True)]
    assert a["family"] == "peq-1"
    return [scaled(*peq_1(a["frequencies_hz"], t, mi, rate)) for t, mi in zip(times, m, strict=True)]


def peq_1(knots: list[float], times: list[float], m: int, rate: int) -> tuple[float, list[Section]]:
    """Gain and sections of the family for one line."""
    level = [max(-60.0 * m / (rate * t), -60.0) for t in times]
    f = [knot for knot in knots if knot < 0.95 * rate / 2]
    count = len(f)
    if count < 3:
        few = level[: max(count, 1)]
        return 10.0 ** (sum(few) / len(few) / 20.0), []
    mean = math.fsum(level[:count]) / count
    kinds = ["low_shelf"] + ["peaking"] * (count - 2) + ["high_shelf"]
    centres = [math.sqrt(f[0] * f[1]), *f[1:-1], math.sqrt(f[-2] * f[-1])]
    widths = [2.0 * math.sqrt(2.0) / math.log2(f[i + 1] / f[i - 1]) for i in range(1, count - 1)]
    qs = [math.sqrt(0.5), *widths, math.sqrt(0.5)]

    def section(index: int, gain_db: float) -> Section:
        settings = {"type": kinds[index], "frequency_hz": centres[index], "gain_db": gain_db, "q": qs[index]}
        return tone(settings, rate)

    p = [[decibels(section(s, 4.0), knot, rate) / 4.0 for s in range(count)] for knot in f]
    gains = solved(p, [value - mean for value in level[:count]])
    sections = [section(index, gain_db) for index, gain_db in enumerate(gains)]
    grid = [0.0] + [10.0 * (rate / 20.0) ** (k / 1023) for k in range(1024)]
    largest = max(mean + math.fsum(decibels(s, hz, rate) for s in sections) for hz in grid)
    return 10.0 ** (mean / 20.0) * min(1.0, (1.0 - 1e-5) / 10.0 ** (largest / 20.0)), sections


def decibels(section: Section, hz: float, rate: int) -> float:
    """Level of a section at a frequency."""
    b0, b1, b2, a1, a2 = section
    z = cmath.exp(-2j * math.pi * hz / rate)
    return 20.0 * math.log10(abs((b0 + b1 * z + b2 * z * z) / (1.0 + a1 * z + a2 * z * z)))


def solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solution of a system of equations by elimination."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    n = len(rows)
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, n):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [x - factor * y for x, y in zip(rows[r], rows[i], strict=True)]
    x = [0.0] * n
    for i in range(n - 1, -1, -1):
        x[i] = (rows[i][n] - math.fsum(rows[i][j] * x[j] for j in range(i + 1, n))) / rows[i][i]
    return x


def scaled(gain: float, sections: list[Section]) -> Filter:
    """A gain and sections in series."""
    series = chain(sections)
    return lambda x: gain * series(x)


def early(paths: list[dict[str, Any]], fs: int, rate: int, size: float) -> list[tuple[int, int, int, float]]:
    """Taps (output, input, position, gain); positions may be negative."""
    taps = []
    for path in paths:
        if path["kind"] == "sparse":
            found = [(moved(tap["samples"], size, rate, fs), tap["gain"]) for tap in path["taps"]]
        else:
            found = dense(path["coefficients"], fs, rate)
        taps += [(path["output"], path["input"], position, gain) for position, gain in found]
    return taps


def heads(fdn: dict[str, Any], fs: int, rate: int) -> list[tuple[int, int, int, float]]:
    """Taps of the heads, which version 1 has not: counted from the direct sound, as all taps are."""
    peak = moved(fdn.get("direct_peak_samples", 0), 1.0, rate, fs)
    return [
        (path["output"], path["input"], position - peak, gain)
        for path in fdn.get("head", [])
        for position, gain in dense(path["coefficients"], fs, rate)
    ]


def dense(c: list[float], fs: int, rate: int) -> list[tuple[int, float]]:
    """Positions and gains of coefficients one sample apart."""
    if rate == fs:
        return list(enumerate(c))
    r = rate / fs
    reach = math.ceil(32 * max(r, 1.0))
    span = range(-reach, math.floor((len(c) - 1) * r) + reach + 1)
    return [(k, sum(c[n] * kernel(k - n * r, min(1.0, 1.0 / r)) for n in range(len(c)))) for k in span]


def kernel(t: float, c: float) -> float:
    """Kaiser-windowed sinc of bandwidth c."""
    u = c * t
    if abs(u) > 32.0:
        return 0.0
    sinc = 1.0 if u == 0.0 else math.sin(math.pi * u) / (math.pi * u)
    return c * sinc * bessel_i0(9.0 * math.sqrt(1.0 - (u / 32.0) ** 2)) / bessel_i0(9.0)


def bessel_i0(x: float) -> float:
    """Modified Bessel function of order zero by its power series."""
    return math.fsum(((x / 2.0) ** k / math.factorial(k)) ** 2 for k in range(40))


def tone(s: dict[str, Any], rate: int) -> Section:
    """Sections of the audio EQ cookbook, each written out."""
    a = 10.0 ** (s["gain_db"] / 40.0)
    if s["frequency_hz"] >= rate / 2:
        return (a * a if s["type"] == "low_shelf" else 1.0, 0.0, 0.0, 0.0, 0.0)
    w = 2.0 * math.pi * s["frequency_hz"] / rate
    cos, alpha = math.cos(w), math.sin(w) / (2.0 * s["q"])
    root = 2.0 * math.sqrt(a) * alpha
    if s["type"] == "peaking":
        b = (1 + alpha * a, -2 * cos, 1 - alpha * a)
        d = (1 + alpha / a, -2 * cos, 1 - alpha / a)
    elif s["type"] == "low_shelf":
        b = (
            a * (a + 1 - (a - 1) * cos + root),
            2 * a * (a - 1 - (a + 1) * cos),
            a * (a + 1 - (a - 1) * cos - root),
        )
        d = (a + 1 + (a - 1) * cos + root, -2 * (a - 1 + (a + 1) * cos), a + 1 + (a - 1) * cos - root)
    else:
        b = (
            a * (a + 1 + (a - 1) * cos + root),
            -2 * a * (a - 1 + (a + 1) * cos),
            a * (a + 1 + (a - 1) * cos - root),
        )
        d = (a + 1 - (a - 1) * cos + root, 2 * (a - 1 - (a + 1) * cos), a + 1 - (a - 1) * cos - root)
    return (b[0] / d[0], b[1] / d[0], b[2] / d[0], d[1] / d[0], d[2] / d[0])


def lowpass(fs: int, rate: int) -> list[Section]:
    """Chebyshev II, order 24, 90 dB from fs/2 on, by an explicit bilinear transform of its zeros and poles."""
    if not rate > 1.0001 * fs:
        return []
    edge = math.tan(math.pi * (fs / 2) / rate)
    mu = math.asinh(math.sqrt(10.0**9 - 1.0)) / 24
    sections = []
    for k in range(12, 0, -1):
        theta = math.pi * (2 * k - 1) / 48
        zero = 1j * edge / math.cos(theta)
        pole = edge / complex(-math.sinh(mu) * math.sin(theta), math.cosh(mu) * math.cos(theta))
        z, p = (1 + zero) / (1 - zero), (1 + pole) / (1 - pole)
        b1, a1, a2 = -2 * z.real, -2 * p.real, abs(p) ** 2
        gain = (1 + a1 + a2) / (2 + b1)
        sections.append((gain, gain * b1, gain, a1, a2))
    return sections


def chain(sections: list[Section]) -> Filter:
    """Sections in series, direct form I, with their memory."""
    memory = [[0.0] * 4 for _ in sections]

    def step(x: float) -> float:
        for (b0, b1, b2, a1, a2), m in zip(sections, memory, strict=True):
            y = b0 * x + b1 * m[0] + b2 * m[1] - a1 * m[2] - a2 * m[3]
            m[:] = [x, m[0], y, m[2]]
            x = y
        return x

    return step
