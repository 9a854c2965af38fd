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


def list_of(items: Any) -> dict[str, Any]:
    """Schema of an array of such items."""
    return {"type": "array", "items": items}


def by_name(values: Any) -> dict[str, Any]:
    """Schema of an object with any names for such values."""
    return {"type": "object", "additionalProperties": values}


def or_null(kind: str, **more: Any) -> dict[str, Any]:
    """Schema of a value of this type, or null."""
    return {"type": [kind, "null"], **more}


TEXT, INTEGER = {"type": "string"}, {"type": "integer"}
EFFORT = {"fits": INTEGER, "seconds": NUMBER, "evaluations": NUMBER, "loss": NUMBER}
PAIR_ROW = exactly(
    rooms=INTEGER,
    median=NUMBER,
    rival_median=NUMBER,
    worse_median=or_null("boolean"),
    median_difference=NUMBER,
    interval=or_null("array", items=NUMBER, minItems=2, maxItems=2),
    p=NUMBER,
    p_holm=NUMBER,
    effect=NUMBER,
    finding={"enum": ["better", "worse", "worse median", "no worse", None]},
)
PAIR = exactly(
    method=TEXT,
    rival=TEXT,
    quantities=exactly(**dict.fromkeys(BY_QUANTITY, PAIR_ROW)),
    judged=INTEGER,
    never_worse=or_null("boolean"),
    better_on=INTEGER,
    worse_on=INTEGER,
)
MEDIAN = exactly(value=NUMBER, rooms=INTEGER, missed=INTEGER)
METHOD = exactly(rooms=INTEGER, median=exactly(**dict.fromkeys(BY_QUANTITY, MEDIAN)), **EFFORT)
ROOM = exactly(
    name=TEXT,
    sha256=TEXT,
    reverberation_time_s={"type": "number"},
    range_db={"type": "number"},
    counts=list_of({"enum": list(BY_QUANTITY)}),
    methods=by_name(exactly(error={"anyOf": [{"type": "null"}, exactly(**BY_QUANTITY)]}, **EFFORT)),
)
CURVES = exactly(grid=list_of({"type": "number"}), loss=by_name(list_of(NUMBER)))
SETTINGS = exactly(
    methods=by_name(TEXT),
    seeds=INTEGER,
    budget_s={"type": "number"},
    lines=INTEGER,
    sample_rate_hz=INTEGER,
    threads=INTEGER,
)
SUMMARY = exactly(
    format={"const": "fdnlearn.comparison"},
    version={"const": 1},
    program=TEXT,
    settings=SETTINGS,
    quantities=by_name(
        exactly(symbol=TEXT, unit=TEXT, tolerance={"type": "number"}, judged={"type": "boolean"})
    ),
    machines=list_of({"type": "object", "required": ["processor", "cores", "numba"]}),
    dates=list_of({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}),
    cells=exactly(**dict.fromkeys(("total", "finished", "failed", "pending"), INTEGER)),
    failures=list_of(exactly(room=TEXT, method=or_null("string"), seed=or_null("integer"), reason=TEXT)),
    rooms=list_of(ROOM),
    methods=by_name(METHOD),
    pairs=list_of(PAIR),
    convergence=exactly(seconds=CURVES, evaluations=CURVES),
)
