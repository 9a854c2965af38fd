"""Compile the kernels once a machine, in processes of their own, before the first fit runs them.

LLVM optimises a parallel loop once when it is compiled and once more when it is written to the cache, and the second
round may order a sum differently: the process that compiles a kernel would give other last bits than all later ones.
So no fit compiles: child processes do, side by side, and every fit, the first included, loads what they left.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fdnlearn.base.locks import exclusive

#: Long enough for a slow machine; a child that takes longer is given up, and the fit compiles for itself.
_PATIENCE_S = 300.0


def ensure_compiled() -> None:
    """Make sure that the kernels of a fit are in the cache; costs a look at one file if they are.

    Where no folder can hold a cache, or a child fails, nothing is lost: kernels are then compiled as they are called.
    """
    marker = _marker()
    if marker is None or marker.exists() or os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return
    # Of the processes of a batch one compiles and the others wait.
    with exclusive(marker.with_name("compiling.lock"), wait=True):
        if not marker.exists():
            _compile(marker)


def _compile(marker: Path) -> None:
    """Let child processes fill the cache, and say so if they did."""
    command = "import sys; from fdnlearn.fitting.compilation import PARTS; PARTS[sys.argv[1]]()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", command, name],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name in PARTS
    ]
    try:
        done = [child.wait(_PATIENCE_S) == 0 for child in children]
    except subprocess.TimeoutExpired:
        done = [False]
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.wait()
    if all(done):
        marker.touch()


def _marker() -> Path | None:
    """File that says the cache is filled, its name bound to the sources, versions and processor; None without cache."""
    import llvmlite.binding as llvm
    import numba

    from fdnlearn.ops.response import elimination as cpu

    stats = getattr(cpu.solve, "stats", None)
    if stats is None or not stats.cache_path:
        return None
    known = [sys.version, numba.__version__, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    for source in sorted(Path(cpu.__file__).parents[1].rglob("*.py")):
        status = source.stat()
        known.append(f"{source.name} {status.st_mtime_ns} {status.st_size}")
    folder = Path(stats.cache_path)
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"compiled-{hashlib.sha256('|'.join(known).encode()).hexdigest()[:16]}"


def _respond(gain: float, *, learn: bool) -> None:
    """Solve a tiny network in single precision, through the very call that a fit makes."""
    import torch

    from fdnlearn.ops.response.cpu import impulse_response

    def leaf(value: torch.Tensor) -> torch.Tensor:
        return value.contiguous().requires_grad_(learn)

    h = impulse_response(
        leaf(torch.eye(2)[None]),
        leaf(torch.full((1, 2), gain)),
        leaf(torch.full((1, 2), 5.0)),
        leaf(torch.ones(1, 2, 1)),
        leaf(torch.ones(1, 1, 2)),
        leaf(torch.ones(1, 1, 1)),
        64,
    )
    if learn:
        h.sum().backward()


def _single_precision_and_matrix() -> None:
    import torch

    from fdnlearn.ops.adam import cpu as adam
    from fdnlearn.ops.rotation.cpu import rotation

    _respond(0.5, learn=True)
    rotation(torch.zeros(1, 2, 2, requires_grad=True)).sum().backward()
    row, loss = torch.zeros(1, 1).numpy(), torch.zeros(1, dtype=torch.float64).numpy()
    adam.step(row, row.copy(), row.copy(), row.copy(), loss, row.copy(), loss, row[0].copy(), 1)


def _double_precision_and_losses() -> None:
    import numpy as np
    import torch

    from fdnlearn.losses import echo_density, energy_decay

    _respond(0.99, learn=False)
    decay = np.exp(-np.arange(800) / 100.0)[None]
    aim = energy_decay.decay_target(decay, 1000, hop=4, range_db=30, early_emphasis_s=0.1)
    how = echo_density.settings(800, 1000, hop=4)
    h = torch.ones(1, 1, 800, requires_grad=True)
    profile = echo_density.soft_echo_density(h.detach(), how)[0]
    total, _ = energy_decay.energy_decay_loss(h, aim, {"edc": 1.0})
    (total + echo_density.echo_density_distance(h, echo_density.echo_target(profile, how))).sum().backward()


#: What the children compile, in parts of about equal length.
PARTS: Mapping[str, Callable[[], Any]] = {
    "single": _single_precision_and_matrix,
    "double": _double_precision_and_losses,
}
