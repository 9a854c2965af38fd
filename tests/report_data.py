"""Made-up fits of made-up rooms, for the tests of the report."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np

from fdnlearn.fdn import FDN
from fdnlearn.report import ReportData
from fdnlearn.rir.metrics_document import Metrics, metrics_of
from fdnlearn.rir.target import PreparationStep, Target

RATE_HZ = 8000
UNITS = {"t20_s": 0.5, "t30_s": 0.5, "edt_s": 0.45, "c50_db": 3.0, "c80_db": 6.0, "d50_percent": 66.0}
VALUES = {**UNITS, "ts_ms": 40.0, "drr_db": -3.0}
ERRORS = {
    "t20_percent": 1.0,
    "t30_percent": 7.5,
    "edt_percent": 30.0,
    "edt_ms": 135.0,
    "c50_db": 0.5,
    "c80_db": 1.0,
    "d50_pp": 2.0,
    "ts_ms": 3.0,
    "drr_db": 0.2,
}
COUNTS = {"counts": True, "reason": "impulse-to-noise ratio 60 dB"}
RECORDING = {
    "name": "hall.wav",
    "sha256": "ab" * 32,
    "sample_rate_hz": 48000,
    "onset_s": 0.1,
    "direct_s": 0.101,
    "range_db": 47.6,
    "reverberation_time_s": 0.5,
    "steps": {"resample": "48 kHz to 8 kHz", "onset": "direct sound at 101 ms"},
}
HOSTILE = '"><script>alert(1)</script>&{{ 7*7 }}.wav'


def make_document(bands: tuple[str, ...] = ("125", "1000", "4000")) -> dict:
    """What `metrics.json` might hold."""
    names = ("t20", "t30", "edt", "c50", "c80", "d50", "ts", "drr")
    measurable = dict.fromkeys(names, COUNTS)
    # Through JSON, so that no two parts are the same object.
    return json.loads(
        json.dumps(
            {
                "recording": RECORDING,
                "target": {"broadband": VALUES, "octave": dict.fromkeys(bands, VALUES)},
                "fitted": {"broadband": VALUES, "octave": dict.fromkeys(bands, VALUES)},
                "error": {
                    "broadband": {**ERRORS, "edc_rms_db": 0.4, "edp_rms": 0.12},
                    "octave": dict.fromkeys(bands, ERRORS),
                },
                "measurable": {"broadband": measurable, "octave": dict.fromkeys(bands, measurable)},
                "loss": 0.25,
                "seconds": 6.5,
                "iterations": 1234,
                "status": "completed",
                "settings": {"model": "homogeneous", "extra": {"rate": 0.1, "none": None}},
                "warnings": ["The recording is clipped.", "The fit ended early."],
                "program": "fdnlearn 1.2.3",
            }
        )
    )


def typed(document: dict) -> Metrics:
    """A document as it is read."""
    return metrics_of(document, "made up")


def make_target(
    channels: int = 1, seconds: float = 0.5, name: str = "hall.wav", rate_hz: int = RATE_HZ
) -> Target:
    rng = np.random.default_rng(1)
    total, length = round(seconds * rate_hz), round(0.8 * seconds * rate_hz)
    decay = 10.0 ** (-3.0 * np.arange(total) / (rate_hz * 0.5))
    samples = rng.standard_normal((channels, total)) * decay * 0.02
    samples[:, 0] = 0.5
    energy = np.cumsum(np.square(samples)[:, ::-1], axis=1)[:, ::-1][:, :length]
    return Target(
        name=name,
        sha256="ab" * 32,
        sample_rate_hz=rate_hz,
        samples=samples,
        direct_samples=0,
        length_samples=length,
        energy_decay=energy,
        noise_power=np.full(channels, 1e-9),
        range_db=47.6,
        reverberation_time_s=0.5,
        gain=2.0,
        polarity=-1,
        onset_s=0.1,
        direct_s=0.101,
        source_sample_rate_hz=48000,
        steps=(
            PreparationStep("resample", "48 kHz to 8 kHz"),
            PreparationStep("onset", "direct sound at 101 ms"),
        ),
        warnings=("The recording is clipped.",),
    )


def make_fdn(lines: int = 4, inputs: int = 1, outputs: int = 1) -> FDN:
    rng = np.random.default_rng(2)
    matrix, _ = np.linalg.qr(rng.standard_normal((lines, lines)))
    delays = np.arange(lines) * 37 + 101
    return FDN.from_arrays(
        sample_rate_hz=RATE_HZ,
        delays=delays,
        feedback_matrix=matrix,
        input_gains=rng.standard_normal((lines, inputs)),
        output_gains=rng.standard_normal((outputs, lines)),
        direct_gains=np.ones((outputs, inputs)),
        line_gains=10.0 ** (-3.0 * delays / (RATE_HZ * 0.5)),
        provenance={"method": "gradient", "seed": 0},
    )


def make_history(iterations: int = 200) -> tuple:
    half = iterations // 2
    return tuple(
        SimpleNamespace(
            iteration=i, total_iterations=iterations, stage="starts" if i < half else "descent <i>",
            seconds=0.01 * i, loss=1.0 / (i + 1), best_loss=1.0 / (i + 1), terms={},
        )
        for i in range(iterations)
    )  # fmt: skip


def make_data(channels: int = 1, **changes: object) -> ReportData:
    target = make_target(channels)
    data = ReportData(
        target=target,
        fdn=make_fdn(outputs=channels),
        fitted=np.random.default_rng(3).permuted(target.samples, axis=1),
        metrics=typed(make_document()),
        history=make_history(),
    )
    return dataclasses.replace(data, **changes)
