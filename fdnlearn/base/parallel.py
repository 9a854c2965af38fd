"""Compiled loops whose iterations are shared out among Numba's threads.

Numba's own ``parallel=True`` makes three modules of a loop, and LLVM optimises its body anew in each: it takes three to
five times as long to compile. Here a loop's body is a function like any other, compiled once and known by its address,
and what is parallel is one loop of one line for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fdnlearn.base.jit import KERNEL_LOCK, jit

_INT = ir.IntType(64)
#: C functions ``entry(body, arguments, first, stop)``, all of them addresses or numbers; nonzero is failure.
_ENTRY = ir.FunctionType(_INT, [_INT] * 4)


@intrinsic
def _enter(typing, entry, body, arguments, first, stop):  # type: ignore[no-untyped-def]
    """Call an entry."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.call(builder.inttoptr(values[0], _ENTRY.as_pointer()), values[1:])

    return types.int64(*[types.int64] * 5), codegen


def _shared(entry, body, arguments, count, parts):  # type: ignore[no-untyped-def]
    """Enter a body once for every part of ``range(count)``, a thread a part."""
    failed = 0
    for part in numba.prange(parts):
        failed += _enter(entry, body, arguments, count * part // parts, count * (part + 1) // parts)
    if failed:
        raise RuntimeError("a kernel failed")


@intrinsic
def _share(typing, shared, body, count, parts, arguments):  # type: ignore[no-untyped-def]
    """Put the arguments of a body into memory and run `_shared`, known by its address, on what unpacks them."""
    of_body = (types.int64, types.int64, *arguments.types)
    of_shared = (types.int64,) * 5

    def call(context: Any, builder: Any, address: Any, kinds: Any, values: Any) -> Any:
        pointer = context.call_conv.get_function_type(types.void, kinds).as_pointer()
        return context.call_conv.call_function(
            builder, builder.inttoptr(address, pointer), types.void, kinds, values
        )[0]

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        memory = cgutils.alloca_once_value(builder, values[4])
        entry = ir.Function(builder.module, _ENTRY, builder.module.get_unique_name("entry"))
        entry.linkage = "internal"
        inside = ir.IRBuilder(entry.append_basic_block())
        address, place, first, stop = entry.args
        unpacked = cgutils.unpack_tuple(inside, inside.load(inside.inttoptr(place, memory.type)))
        status = call(context, inside, address, of_body, [first, stop, *unpacked])
        inside.ret(inside.zext(status.is_error, _INT))
        given = [builder.ptrtoint(entry, _INT), values[1], builder.ptrtoint(memory, _INT), *values[2:4]]
        status = call(context, builder, values[0], of_shared, given)
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4, arguments), codegen


def _launch(shared, body, count, parts, arguments):  # type: ignore[no-untyped-def]
    _share(shared, body, count, parts, arguments)


def _address(function: Any, kinds: tuple[Any, ...]) -> int:
    """Where a compiled function of arguments of these types lies in memory."""
    function.compile(kinds)
    found = function.overloads[kinds]
    address: int = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)
    return address


class Kernel:
    """A function ``body(first, stop, *args)`` of a stretch of a loop; calling it with ``count, *args`` runs all of it.

    Iterations must not depend on each other. Whatever the number of threads, each is computed by the same code.

    Attributes
    ----------
    body : callable
        The compiled function.
    """

    _shared: Any = None

    def __init__(self, body: Callable[..., None], **options: Any) -> None:
        self.body: Any = jit(**options)(body)
        self._launch: Any = jit(f"{body.__module__}.{body.__qualname__}")(_launch)
        self._addresses: dict[Any, tuple[int, int]] = {}

    def __call__(self, count: int, *args: Any) -> None:
        """Run iterations 0 to `count`, one caller of any kernel at a time.

        Raises
        ------
        RuntimeError
            If the body fails, as for want of memory.
        """
        if numba.config.DISABLE_JIT:
            self.body(0, count, *args)
            return
        kinds = tuple(map(_kind, args))
        with KERNEL_LOCK:
            addresses = self._addresses.get(kinds)
            if addresses is None:
                addresses = self._addresses[kinds] = self._compiled(args)
            self._launch(*addresses, count, min(count, numba.get_num_threads()), args)

    def _compiled(self, args: tuple[Any, ...]) -> tuple[int, int]:
        """Addresses of the loop that all kernels share, and of the body for arguments of these types."""
        if Kernel._shared is None:
            Kernel._shared = jit(parallel=True)(_shared)
        body = _address(self.body, (types.int64, types.int64, *map(numba.typeof, args)))
        return _address(Kernel._shared, (types.int64,) * 5), body


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
