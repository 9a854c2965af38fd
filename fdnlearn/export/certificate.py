"""``*.cert.json``: what an export must sound like and why it is stable, so that anybody can check it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fdnlearn.base.files import write_text
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.base.version import __version__
from fdnlearn.export.network import ExportNetwork
from fdnlearn.fdn import FDN, dumps_fdn
from fdnlearn.fdn.stability import MARGIN

if TYPE_CHECKING:
    from fdnlearn.export.target import ExportTarget


FORMAT = "fdnlearn.certificate"
VERSION = 1
#: Longest response that a certificate speaks about, seconds.
LONGEST_S = 4.0
#: Steps between zero and the peak to which a response is rounded before it is hashed.
HASH_STEPS = 1 << 20


@shapes_checked
def response_hash(response: Float64[FloatArray, "outputs inputs samples"]) -> str:
    """SHA-256 of a response rounded to ``peak / 2^20``: int32, little endian, paths (o, k) in row-major order.

    Rounding keeps it the same on machines whose last bits differ.
    """
    peak = float(np.max(np.abs(response), initial=0.0)) or 1.0
    steps = np.rint(response * (HASH_STEPS / peak)).astype("<i4")
    return hashlib.sha256(steps.tobytes()).hexdigest()


def loop_gains(network: ExportNetwork) -> list[dict[str, float]]:
    """Loop gain and the reverberation time that it means, at octave centres below half the rate.

    Of all lines the one that decays most slowly counts.
    """
    r = network.realisation
    centres = 1000.0 * 2.0 ** np.arange(-5, 8)
    centres = centres[centres < 0.5 * r.sample_rate_hz]
    z = np.exp(-2j * np.pi * np.outer(np.arange(3), centres) / r.sample_rate_hz)
    magnitude = np.abs(r.line_gains)[:, None] * np.prod(
        np.abs((r.line_sos[..., :3] @ z) / (r.line_sos[..., 3:] @ z)), axis=1
    )
    with np.errstate(divide="ignore"):
        times = -3.0 * r.delays_samples[:, None] / (r.sample_rate_hz * np.log10(magnitude))
    return [
        {
            "frequency_hz": float(centre),
            "largest_gain": float(gain),
            "reverberation_time_s": float(time),
        }
        for centre, gain, time in zip(centres, magnitude.max(axis=0), times.max(axis=0), strict=True)
    ]


def certificate(target: ExportTarget, network: ExportNetwork, files: dict[str, Path]) -> dict[str, Any]:
    """The certificate of one export.

    Parameters
    ----------
    target : ExportTarget
    network : ExportNetwork
    files : dict
        Name in the export folder -> where the file lies now.
    """
    r = network.realisation
    proof = r.stability
    response = network.impulse_response(LONGEST_S)
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"fdnlearn {__version__}",
        "target": target.name,
        "files": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()},
        "network_sha256": hashlib.sha256(dumps_fdn(network.fdn).encode()).hexdigest(),
        "recording_sha256": recording_of(network.fdn),
        "sample_rate_hz": network.sample_rate_hz,
        "lines": network.lines,
        "inputs": network.inputs,
        "outputs": network.outputs,
        "stability": {
            "loop_gain_bound": proof.bound,
            "allowed": 1.0 - MARGIN,
            "attained": proof.attained,
            "line": proof.line,
            "frequency_hz": proof.frequency_hz,
            "matrix_norm": proof.matrix_norm,
            "octaves": loop_gains(network),
        },
        "expected": {
            "direct_delay_samples": r.direct_delay_samples,
            "latency_samples": r.latency_samples,
            "samples": response.shape[2],
            "peak": float(np.max(np.abs(response), initial=0.0)),
            "energy": float(np.sum(np.square(response))),
            "hash_steps": HASH_STEPS,
            "response_sha256": response_hash(response),
            "tolerance_db": target.tolerance_of(network),
        },
    }


def write_certificate(path: Path, document: dict[str, Any]) -> None:
    """Write a certificate as JSON."""
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def recording_of(fdn: FDN) -> str | None:
    """SHA-256 of the recording that a network has been fitted to; None where it does not say."""
    target = fdn.provenance.get("target")
    sha256 = target.get("sha256") if isinstance(target, Mapping) else None
    return sha256 if isinstance(sha256, str) else None


def recording_in(path: Path) -> str | None:
    """The same of an export, by its certificate; None where that is not there or does not say."""
    try:
        sha256 = json.loads(path.read_text(encoding="utf-8"))["recording_sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return sha256 if isinstance(sha256, str) else None
