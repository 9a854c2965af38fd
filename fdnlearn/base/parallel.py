"""Compiled loops whose iterations are shared out among Numba's threads.

Numba's own ``parallel=True`` makes three modules of a loop, and LLVM optimises its body anew in each: it takes three to
five times as long to compile. Here the body is a function like any other, compiled once; what is parallel is a loop of
one line that calls it by its address.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

from fdnlearn.base.jit import jit

#: Held by whoever runs a parallel kernel: some of Numba's threading layers abort the process when two Python threads
#: enter one at once.
KERNEL_LOCK = threading.RLock()


@intrinsic
def _call(typing: Any, address: Any, first: Any, stop: Any, args: Any) -> Any:
    """Call the compiled function at an address with ``first, stop, *args``."""
    kinds = (types.int64, types.int64, *args.types)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        convention = context.call_conv
        pointer = convention.get_function_type(types.void, kinds).as_pointer()
        given = [*values[1:3], *cgutils.unpack_tuple(builder, values[3])]
        function = builder.inttoptr(values[0], pointer)
        status, _ = convention.call_function(builder, function, types.void, kinds, given)
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, args), codegen


def _share(address, count, parts, args):  # type: ignore[no-untyped-def]
    """Call the function at an address for each of so many parts of ``range(count)``, a thread a part."""
    for part in numba.prange(parts):
        _call(address, count * part // parts, count * (part + 1) // parts, args)


class Kernel:
    """A function ``body(first, stop, *args)`` of a stretch of a loop; calling it with ``count, *args`` runs all of it.

    Iterations must not depend on each other. Whatever the number of threads, each is computed by the same code.

    Attributes
    ----------
    body : callable
        The compiled function.
    """

    def __init__(self, body: Callable[..., None], **options: Any) -> None:
        self.body: Any = jit(**options)(body)
        name = f"{body.__module__}.{body.__qualname__}"
        self._launch: Any = jit(name, parallel=True)(_share)
        self._addresses: dict[Any, int] = {}

    def __call__(self, count: int, *args: Any) -> None:
        """Run iterations 0 to `count`, one caller of any kernel at a time."""
        if numba.config.DISABLE_JIT:
            self.body(0, count, *args)
            return
        kinds = tuple(map(_kind, args))
        address = self._addresses.get(kinds)
        with KERNEL_LOCK:
            if address is None:
                address = self._addresses[kinds] = self._compiled(args)
            self._launch(address, count, min(count, numba.get_num_threads()), args)

    def _compiled(self, args: tuple[Any, ...]) -> int:
        """Address of the body for arguments of these types."""
        signature = (types.int64, types.int64, *map(numba.typeof, args))
        self.body.compile(signature)
        found = self.body.overloads[signature]
        address: int = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)
        return address


def _kind(argument: Any) -> Any:
    """What decides the type under which Numba compiles an argument."""
    if not isinstance(argument, np.ndarray):
        return type(argument)
    flags = argument.flags
    layout = flags.c_contiguous, flags.f_contiguous, flags.writeable, flags.aligned
    return argument.dtype, argument.ndim, layout


def parallel(**options: Any) -> Callable[[Callable[..., None]], Kernel]:
    """Make a `Kernel` of a function, compiled with the `options` of Numba."""

    def wrap(body: Callable[..., None]) -> Kernel:
        return Kernel(body, **options)

    return wrap
