"""What is wrong with a tensor that a user gives: one line that names it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fdn.fields import MAX_DELAY_SAMPLES

#: What is computed in; half precision is too coarse for a recursion.
PRECISIONS = (torch.float32, torch.float64)


def check_values(name: str, x: Tensor, *, axes: Iterable[str], whole: bool = False) -> None:
    """Refuse what is no finite tensor on the CPU with these axes, in single or double precision.

    With `whole` integers will do as well.
    """
    axes = tuple(axes)
    shape = f"({', '.join(axes)})"
    if not isinstance(x, Tensor):
        raise FdnlearnError(name, f"is of type {type(x).__name__}", f"give a tensor of shape {shape}")
    if x.ndim != len(axes):
        raise FdnlearnError(name, f"has shape {tuple(x.shape)}", f"give {shape}")
    if x.device.type != "cpu":
        raise FdnlearnError(
            name,
            f"is on the device {x.device}, the loop runs on the CPU",
            "move parameters and audio there with .cpu(), or sample frequencies (fdnlearn.ops.response)",
        )
    if x.dtype not in PRECISIONS and not (whole and _is_integer(x)):
        raise FdnlearnError(name, f"is of {_precision(x)}", "convert it with .float() or .double()")
    if not bool(torch.isfinite(x).all()):
        raise FdnlearnError(name, "holds NaN or infinite values", "look for what made them")


def check_same_precision(tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Refuse tensors in different precisions."""
    (first, one), *rest = tensors
    for name, x in rest:
        if x.dtype != one.dtype:
            raise FdnlearnError(
                name,
                f"is of {_precision(x)}, {first} of {_precision(one)}",
                "convert one to the other's type",
            )


def check_delays(delays_samples: Tensor) -> None:
    """Refuse delays that are no whole numbers from 1 on, or are to be learned."""
    if delays_samples.requires_grad:
        raise FdnlearnError(
            "delays_samples",
            "requires a gradient, and whole delays have none",
            "give delays_samples.detach(); delays that move are learned by fdnlearn.solve",
        )
    if bool((delays_samples != delays_samples.round()).any()):
        raise FdnlearnError(
            "delays_samples", "holds fractions of a sample", "give whole delays: delays_samples.round()"
        )
    low, high = delays_samples.min().item(), delays_samples.max().item()
    if not 1 <= low <= high <= MAX_DELAY_SAMPLES:
        raise FdnlearnError(
            "delays_samples", f"reaches from {low:g} to {high:g}", f"give 1 to {MAX_DELAY_SAMPLES} samples"
        )


def check_count(name: str, value: int, lowest: int = 0) -> None:
    """Refuse what is no whole number from `lowest` on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise FdnlearnError(name, f"is {value!r}", f"give a whole number of samples, at least {lowest}")


def _is_integer(x: Tensor) -> bool:
    return not (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool)


def _precision(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")
