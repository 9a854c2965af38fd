"""Make the test vectors again: ``python docs/testvectors/generate.py``. Seeded; they lie beside this file.

Every vector is two files: ``NAME.json``, a network, and ``NAME.response.json``, what it must answer, computed by
`reference.py` alone.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import reference

FOLDER = Path(__file__).parent
SAMPLES = 600


def orthogonal(n: int, random_: random.Random) -> list[list[float]]:
    """Gram-Schmidt on Gaussian rows, twice for full precision."""
    rows: list[list[float]] = []
    while len(rows) < n:
        row = [random_.gauss(0.0, 1.0) for _ in range(n)]
        for _ in range(2):
            for other in rows:
                projection = sum(a * b for a, b in zip(row, other, strict=True))
                row = [a - projection * b for a, b in zip(row, other, strict=True)]
        norm = sum(a * a for a in row) ** 0.5
        rows.append([a / norm for a in row])
    return rows


def network(
    seed: int, lines: int, inputs: int = 1, outputs: int = 1, rate: int = 16000, **fields: Any
) -> dict[str, Any]:
    """A random stable network; `fields` replace or add what is given."""
    random_ = random.Random(seed)

    def matrix(rows: int, columns: int) -> list[list[float]]:
        return [[random_.gauss(0.0, 1.0) / lines**0.5 for _ in range(columns)] for _ in range(rows)]

    return {
        "format": "fdnlearn.fdn",
        "version": 1,
        "sample_rate_hz": rate,
        "delays_samples": sorted(random_.sample(range(11, 140), lines)),
        "feedback_matrix": orthogonal(lines, random_),
        "input_gains": matrix(lines, inputs),
        "output_gains": matrix(outputs, lines),
        "direct_gains": matrix(outputs, inputs),
        "absorption": {"kind": "per_line_gain", "gains": [random_.uniform(0.6, 0.98) for _ in range(lines)]},
        "tone": [],
        "early": [],
        "late_delay_samples": 0,
        "pre_delay_s": 0.0,
        "gain": 1.0,
        "polarity": 1,
        "provenance": {"made_by": "docs/testvectors/generate.py"},
    } | fields


TONE = [
    {"type": "low_shelf", "frequency_hz": 200.0, "gain_db": -4.0, "q": 0.7},
    {"type": "peaking", "frequency_hz": 1000.0, "gain_db": 6.0, "q": 2.0},
    {"type": "high_shelf", "frequency_hz": 5000.0, "gain_db": -9.0, "q": 0.7},
]
SPARSE = [
    {
        "kind": "sparse",
        "output": 0,
        "input": 0,
        "taps": [{"samples": 0, "gain": 0.5}, {"samples": 37, "gain": -0.25}],
    },
    {"kind": "sparse", "output": 0, "input": 0, "taps": [{"samples": 61, "gain": 0.125}]},
]
FIR = [{"kind": "fir", "output": 0, "input": 0, "coefficients": [0.5, -0.25, 0.0, 0.125, 0.0625, -0.5]}]
HEAD = [
    {"output": 0, "input": 0, "coefficients": [0.01, -0.05, 0.2, 0.9, -0.3, 0.1, 0.02]},
    {"output": 1, "input": 0, "coefficients": [0.02, 0.7, -0.2]},
    {"output": 1, "input": 0, "coefficients": [0.0, 0.125]},
]
MONO_HEAD = {"version": 2, "head": HEAD[:1], "direct_peak_samples": 3}
TIMES = {
    "kind": "reverberation_time",
    "family": "flat-1",
    "frequencies_hz": [1000.0],
    "times_s": [[0.05], [0.1]],
    "line_groups": [0, 1, 0, 1],
}

BANDS = {
    "kind": "reverberation_time",
    "family": "peq-1",
    "frequencies_hz": [125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0],
    "times_s": [[0.2, 0.25, 0.15, 0.12, 0.08, 0.05], [0.3, 0.2, 0.2, 0.1, 0.1, 0.04]],
    "line_groups": [0, 1, 1, 0],
}

#: name -> (network, rate of the response, decay, size)
VECTORS: dict[str, tuple[dict[str, Any], int, float, float]] = {
    "mono_4": (network(1, 4), 16000, 1.0, 1.0),
    "mono_6_inverted": (network(2, 6, gain=0.25, polarity=-1), 16000, 1.0, 1.0),
    "stereo_4": (network(3, 4, 2, 2), 16000, 1.0, 1.0),
    "tone_4": (network(4, 4, tone=TONE), 16000, 1.0, 1.0),
    "sparse_early_4": (
        network(5, 4, early=SPARSE, late_delay_samples=40, pre_delay_s=0.001),
        16000,
        1.0,
        1.0,
    ),
    "fir_early_4": (network(6, 4, early=FIR, late_delay_samples=6), 16000, 1.0, 1.0),
    "times_4": (network(7, 4, absorption=TIMES), 16000, 1.0, 1.0),
    "decay_size_4": (network(7, 4, absorption=TIMES, early=SPARSE), 16000, 0.5, 1.3),
    "upsampled_4": (network(8, 4, tone=TONE, early=SPARSE, late_delay_samples=20), 44100, 1.0, 1.0),
    "upsampled_fir_4": (network(9, 4, early=FIR, pre_delay_s=0.001), 44100, 1.0, 1.0),
    "downsampled_4": (network(10, 4, tone=TONE, early=FIR, pre_delay_s=0.0005), 8000, 1.0, 1.0),
    "bands_4": (network(12, 4, absorption=BANDS), 16000, 1.0, 1.0),
    "upsampled_bands_4": (network(13, 4, absorption=BANDS), 44100, 1.2, 0.9),
    "head_4": (network(14, 4, early=SPARSE, late_delay_samples=9, **MONO_HEAD), 16000, 1.0, 1.0),
    "head_stereo_4": (
        network(15, 4, 1, 2, version=2, head=HEAD, direct_peak_samples=1, pre_delay_s=0.001),
        16000,
        1.0,
        1.0,
    ),
    "upsampled_head_4": (network(16, 4, early=FIR, tone=TONE, **MONO_HEAD), 44100, 0.8, 1.2),
    "fractional_4": (network(11, 4, delays_samples=[23.4, 41.5, 77.25, 103.75]), 16000, 1.0, 1.0),
}


def main() -> None:
    """Write every vector."""
    for name, (fdn, rate, decay, size) in VECTORS.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(fdn, indent=1) + "\n")
        answer = reference.responses(fdn, SAMPLES, rate, decay, size)
        rows = ",\n".join(json.dumps(path) for output in answer for path in output)
        head = json.dumps({"sample_rate_hz": rate, "decay": decay, "size": size, "inputs": len(answer[0])})
        (FOLDER / f"{name}.response.json").write_text(f'{head[:-1]},\n"response": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
