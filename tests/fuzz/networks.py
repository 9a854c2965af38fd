"""Documents of networks with other values, types and shapes: each is rendered and exported, or refused in one line."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from export_networks import TONE, absorption, dense, sparse
from fdn_networks import network

from fdnlearn.fdn import dumps_fdn, load_fdn, loads_fdn
from fuzz.cases import Case, Fault, Kind
from fuzz.mutations import changed_document
from fuzz.verdicts import command

#: Targets that need no program to be written.
_TARGETS = "wav,c99,faust,webaudio,csound,sofa,pyfdn,jsfx,puredata,supercollider"


def _seeds() -> list[Case]:
    times = absorption(3) | {
        "family": "peq-1",
        "frequencies_hz": [250.0, 1000.0, 2000.0],
        "times_s": [[0.3, 0.2, 0.1]],
    }
    flat = absorption(2) | {"family": "flat-1", "frequencies_hz": [1000.0], "times_s": [[0.2]]}
    early = {"early": [sparse(1, 0), *dense(20)], "late_delay_samples": 20, "tone": [TONE[1]]}
    networks = (
        network(2, 2, 2, delays=(50, 200)),
        network(3, 1, 2, delays=(50, 200), absorption=times, **early, pre_delay_s=0.001, polarity=-1),
        network(2, delays=(50, 200), absorption=flat),
    )
    return [Case(dumps_fdn(fdn).encode(), ".json") for fdn in networks]


def _mutate(rng: random.Random, known: list[Case], case: Case) -> Case:
    if rng.random() < 0.1:
        return Case(_crossed(rng, case.content, rng.choice(known).content), ".json")
    return Case(changed_document(rng, case.content), ".json")


def _crossed(rng: random.Random, one: bytes, other: bytes) -> bytes:
    """A document with one field of another."""
    try:
        document, more = json.loads(one), json.loads(other)
        field = rng.choice(sorted(more))
        return json.dumps(document | {field: more[field]}).encode()
    except (ValueError, TypeError, AttributeError):
        return other


def _check(case: Case) -> None:
    path = Path("fdn.json")
    path.write_bytes(case.content)
    soundfile.write("dry.wav", np.eye(1, 400)[0], 8000)
    rendered = command("render", "fdn.json", "dry.wav", "-o", "wet.wav", "--json")
    exported = command("export", "fdn.json", "--to", _TARGETS, "-o", "out", "--json")
    if rendered.code == 0:
        _judge(path, json.loads(rendered.stdout))
    elif exported.code == 0:
        raise Fault(f"is exported, but not rendered: {rendered.stderr}")


def _judge(path: Path, told: dict[str, Any]) -> None:
    fdn = load_fdn(path)
    if not fdn.stability.stable:
        raise Fault("is taken for a network and not stable")
    if loads_fdn(dumps_fdn(fdn)) != fdn:
        raise Fault("is another network when it has been written and read")
    samples, _ = soundfile.read("wet.wav", always_2d=True)
    if len(samples) != round(told["seconds"] * told["sample_rate_hz"]) or not np.isfinite(samples).all():
        raise Fault(f"is rendered to {samples.shape} samples, finite: {np.isfinite(samples).all()}")


NETWORKS = Kind("networks", _seeds, _mutate, _check)
