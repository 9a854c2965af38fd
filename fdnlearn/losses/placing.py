"""Where the tensors of a target are."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import torch
from torch import Tensor

A = TypeVar("A")


def on_device(target: A, device: torch.device) -> A:
    """A copy of a dataclass whose tensors, and those of the dataclasses and tuples in it, are on a device.

    Once, when a fit begins: copies in every step would wait for the device every time.
    """
    if device.type == "cpu":
        return target
    moved: A = _moved(target, device)
    return moved


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, tuple):
        return tuple(_moved(one, device) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        moved = {name: _moved(part, device) for name, part in parts.items()}
        return dataclasses.replace(value, **{n: part for n, part in moved.items() if part is not parts[n]})
    return value
