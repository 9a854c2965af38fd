"""A computation in two stages, the second of which one thread hands over to another when that one comes.

The first thread to come leads. It does both stages of every step until the second has come, and from then on the first
stage alone; the second thread waits for nobody but the leader. So no number of threads, nor any order in which a
threading layer starts them, lets one wait for ever, and which thread does a stage makes no difference to what it
computes. A thread keeps its stage, and with it what that needs in its own cache.
"""

from __future__ import annotations

import os
import platform
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fdnlearn.base.jit import jit
from fdnlearn.base.types import Array

#: Numbers apart at which counters lie, so that no two share what one processor fetches from another at once.
APART = 16

#: Looks at a counter before others may have the core: longer than a step that runs takes, shorter than a time slice.
_SPINS = 1000

_INT = ir.IntType(64)
_PAUSES = platform.machine().lower() in ("x86_64", "amd64")


def _place(context: Any, builder: Any, kind: Any, counters: Any, at: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, counters).data, [at])


@intrinsic
def come(typing, counters, at):  # type: ignore[no-untyped-def]
    """How many have come before: the value of a counter, one more than which is left there."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature.args[0], *args)
        return builder.atomic_rmw("add", place, ir.Constant(_INT, 1), "acq_rel")

    return types.int64(counters, types.int64), codegen


@intrinsic
def reached(typing, counters, at):  # type: ignore[no-untyped-def]
    """Value of a counter; what was stored before it was set is seen from here on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_place(context, builder, signature.args[0], *args), "acquire", 8)

    return types.int64(counters, types.int64), codegen


@intrinsic
def _pause(typing):  # type: ignore[no-untyped-def]
    """Tell the processor that somebody waits."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _PAUSES:
            kind = ir.FunctionType(ir.VoidType(), ())
            builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), kind), ())
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _yield(typing):  # type: ignore[no-untyped-def]
    """Let others run that wait for this core: one of them may be the one that is waited for."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if os.name == "posix":
            kind = ir.FunctionType(ir.IntType(32), ())
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), ())
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def finish(typing, counters, at, value):  # type: ignore[no-untyped-def]
    """Set a counter after everything that has been stored before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature.args[0], *args[:2])
        builder.store_atomic(args[2], place, "release", 8)
        return context.get_dummy_value()

    return types.void(counters, types.int64, types.int64), codegen


@jit(error_model="numpy")
def wait(counters: Array, at: int, value: int) -> None:
    """Until a counter is at least `value`."""
    spins = 0
    while reached(counters, at) < value:
        _pause()
        spins += 1
        if spins % _SPINS == 0:
            _yield()
