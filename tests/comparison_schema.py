"""The JSON Schema of a comparison's summary."""

from __future__ import annotations

from typing import Any

from fdnlearn.runs.study.quantities import COMPARED

NUMBER = {"type": ["number", "null"]}
BY_QUANTITY = {c.key: NUMBER for c in COMPARED}


def exactly(**properties: Any) -> dict[str, Any]:
    """Schema of an object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


EFFORT = {"fits": {"type": "integer"}, "seconds": NUMBER, "evaluations": NUMBER, "loss": NUMBER}
PAIR_ROW = exactly(
    rooms={"type": "integer"},
    median=NUMBER,
    rival_median=NUMBER,
    worse_median={"type": ["boolean", "null"]},
    median_difference=NUMBER,
    interval={"type": ["array", "null"], "items": NUMBER, "minItems": 2, "maxItems": 2},
    p=NUMBER,
    p_holm=NUMBER,
    effect=NUMBER,
    finding={"enum": ["better", "worse", "worse median", "no worse", None]},
)
MEDIAN = exactly(value=NUMBER, rooms={"type": "integer"}, missed={"type": "integer"})
CURVES = exactly(
    grid={"type": "array", "items": {"type": "number"}},
    loss={"type": "object", "additionalProperties": {"type": "array", "items": NUMBER}},
)
SUMMARY = exactly(
    format={"const": "fdnlearn.comparison"},
    version={"const": 1},
    program={"type": "string"},
    settings=exactly(
        methods={"type": "object", "additionalProperties": {"type": "string"}},
        seeds={"type": "integer"},
        budget_s={"type": "number"},
        lines={"type": "integer"},
        sample_rate_hz={"type": "integer"},
        threads={"type": "integer"},
    ),
    quantities={
        "type": "object",
        "additionalProperties": exactly(
            symbol={"type": "string"},
            unit={"type": "string"},
            tolerance={"type": "number"},
            judged={"type": "boolean"},
        ),
    },
    machines={"type": "array", "items": {"type": "object", "required": ["processor", "cores", "numba"]}},
    dates={"type": "array", "items": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}},
    cells=exactly(**{key: {"type": "integer"} for key in ("total", "finished", "failed", "pending")}),
    failures={
        "type": "array",
        "items": exactly(
            room={"type": "string"},
            method={"type": ["string", "null"]},
            seed={"type": ["integer", "null"]},
            reason={"type": "string"},
        ),
    },
    rooms={
        "type": "array",
        "items": exactly(
            name={"type": "string"},
            sha256={"type": "string"},
            reverberation_time_s={"type": "number"},
            range_db={"type": "number"},
            counts={"type": "array", "items": {"enum": list(BY_QUANTITY)}},
            methods={
                "type": "object",
                "additionalProperties": exactly(
                    error={"anyOf": [{"type": "null"}, exactly(**BY_QUANTITY)]}, **EFFORT
                ),
            },
        ),
    },
    methods={
        "type": "object",
        "additionalProperties": exactly(
            rooms={"type": "integer"}, median=exactly(**dict.fromkeys(BY_QUANTITY, MEDIAN)), **EFFORT
        ),
    },
    pairs={
        "type": "array",
        "items": exactly(
            method={"type": "string"},
            rival={"type": "string"},
            quantities=exactly(**dict.fromkeys(BY_QUANTITY, PAIR_ROW)),
            judged={"type": "integer"},
            never_worse={"type": ["boolean", "null"]},
            better_on={"type": "integer"},
            worse_on={"type": "integer"},
        ),
    },
    convergence=exactly(seconds=CURVES, evaluations=CURVES),
)
