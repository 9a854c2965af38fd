"""Triton, where it is installed, and the sizes that kernels are launched with."""

from __future__ import annotations

import os
from typing import Any

from fdnlearn.base.errors import UsageError

try:
    import triton
    import triton.language as language
except ImportError:  # no wheel for this system
    raise UsageError("--device cuda", "Triton is not installed", "install it, or use --device cpu") from None

jit: Any = triton.jit

#: Bins that a program takes at least in the interpreter, whose cost is a call and not an element.
_INTERPRETED_BLOCK = 1024


def interpreted() -> bool:
    """Whether kernels run in Triton's interpreter, on CPU tensors."""
    return os.environ.get("TRITON_INTERPRET", "0") == "1"


def power_of_two(count: int) -> int:
    """The next power of two."""
    return 1 << max(0, count - 1).bit_length()


def block(wanted: int) -> int:
    """Size of a block: as wanted, more in the interpreter."""
    return _INTERPRETED_BLOCK if interpreted() else wanted


def blocks(count: int, size: int) -> int:
    """Blocks that hold `count`."""
    return -(-count // size)


__all__ = ["block", "blocks", "interpreted", "jit", "language", "power_of_two"]
