"""One way to compile: Numba with an on-disk cache where there is a place for it."""

from __future__ import annotations

import contextlib
import os
import secrets
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


def _in_files_of_its_own(dispatcher: Any, name: str) -> None:
    """Let no process write its compiled code under a name that another one may have chosen.

    Numba counts the files of a function by its index. Two processes that compile it for different types at the same
    time both find the same number free, and from then on one of the types runs the code of the other. A function that
    is compiled under several names has an index for each.
    """
    with contextlib.suppress(AttributeError):  # no cache, or one that works in another way
        files = dispatcher._cache._cache_file
        counted = files._data_name
        files._data_name = lambda number: f"{secrets.token_hex(8)}.{counted(number)}"
        if name:
            files._index_name = f"{name}.{files._index_name}"
            files._index_path = os.path.join(files._cache_path, files._index_name)


def jit(name: str = "", **options: Any) -> Callable[[F], F]:
    """``numba.njit`` with ``cache=True, nogil=True``, without the cache where no folder can hold it.

    A function that is compiled more than once, for different users, goes by a `name` in each.
    """

    def wrap(function: F) -> F:
        try:
            cached = numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            return cast(F, numba.njit(nogil=True, **options)(function))
        _in_files_of_its_own(cached, name)
        return cast(F, cached)

    return wrap
