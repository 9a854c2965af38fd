"""The state of an unfinished fit on disk: safetensors, written atomically, never a pickle."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fitting.owner import Owner
from fdnlearn.fitting.progress import Progress

_FORMAT = "fdnlearn.checkpoint"
#: What is kept of a line of the history, in this order.
_ROW = tuple(entry.name for entry in dataclasses.fields(Progress) if entry.name != "best")


def save(
    path: Path,
    tensors: Mapping[str, Tensor],
    state: Mapping[str, object],
    history: Sequence[Progress],
    owner: Owner,
) -> None:
    """Write tensors, the JSON-able `state` and the history; a reader sees the old file or the new, nothing between."""
    # vars, not asdict: a copy of every dictionary of terms, written every two seconds, would show.
    rows = [[vars(progress)[name] for name in _ROW] for progress in history]
    document = {"state": dict(state), "history": rows}
    metadata = {"format": _FORMAT, **owner.to_metadata(), "state": json.dumps(document)}
    partial = path.with_name(path.name + ".partial")
    # Written by Python, not by safetensors: a full disk is then an OSError that says so.
    partial.write_bytes(serialise({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, metadata))
    os.replace(partial, path)


def load(path: Path, owner: Owner) -> tuple[dict[str, Tensor], dict[str, Any], list[Progress]]:
    """Read what `save` wrote: tensors, state and history.

    Raises
    ------
    FdnlearnError
        If the file is no checkpoint, is damaged, or belongs to another fit.
    """
    remedy = "start again with --force"
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        document = json.loads(metadata["state"])
        state, history = document["state"], [Progress(*row) for row in document["history"]]
        there = Owner.read(metadata)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise FdnlearnError(str(path), "is not a readable checkpoint", remedy) from error
    if metadata.get("format") != _FORMAT:
        raise FdnlearnError(str(path), "is not a readable checkpoint", remedy)
    if objection := there.objection(owner):
        raise FdnlearnError(str(path), objection, f"use the same, or {remedy}")
    if not all(torch.isfinite(t).all() or name == "best_loss" for name, t in tensors.items()):
        raise FdnlearnError(str(path), "holds numbers that are not finite", remedy)
    return tensors, state, history
