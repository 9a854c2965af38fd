"""One way to compile: Numba with an on-disk cache where there is a place for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

#: Freedom that loops may take with floating point: sums in any order, fused multiply-adds. Not approximate division,
#: whose vector and scalar forms differ. A loop that sums must not store: LLVM guards such loops by comparing addresses,
#: and where buffers happen to lie close it sums in another order, so that equal runs would give different bytes.
FAST = {"reassoc", "contract", "nsz"}

#: Held by whoever runs a parallel kernel: some of Numba's threading layers abort the process when two Python threads
#: enter one at once.
KERNEL_LOCK = threading.RLock()


def jit(**options: Any) -> Callable[[F], F]:
    """``numba.njit`` with ``cache=True, nogil=True``, without the cache where no folder can hold it."""

    def wrap(function: F) -> F:
        try:
            return cast(F, numba.njit(cache=True, nogil=True, **options)(function))
        except RuntimeError:  # "cannot cache function: no locator available"
            return cast(F, numba.njit(nogil=True, **options)(function))

    return wrap
