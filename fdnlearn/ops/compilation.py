"""Compile the kernels once a machine, in processes of their own, before the first fit runs them.

LLVM optimises a parallel loop once when it is compiled and once more when it is written to the cache, and the second
round may order a sum differently: the process that compiles a kernel would give other last bits than all later ones.
So no fit compiles: child processes do, at the same time, and every fit, the first included, loads what they left.
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
    command = "import sys; from fdnlearn.ops.compilation import PARTS; PARTS[sys.argv[1]]()"
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
        succeeded = [child.wait(_PATIENCE_S) == 0 for child in children]
    except subprocess.TimeoutExpired:
        succeeded = [False]
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.wait()
    if all(succeeded):
        marker.touch()


def _marker() -> Path | None:
    """File that says the cache is filled, its name bound to the sources, versions and processor; None without cache."""
    import llvmlite.binding as llvm
    import numba

    from fdnlearn.ops.response import elimination

    stats = getattr(elimination.solve.body, "stats", None)
    if stats is None or not stats.cache_path:
        return None
    known = [sys.version, numba.__version__, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    sources = Path(__file__).parent
    for source in sorted(sources.rglob("*.py")):
        status = source.stat()
        known.append(f"{source.relative_to(sources)} {status.st_mtime_ns} {status.st_size}")
    folder = Path(stats.cache_path)
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"compiled-{hashlib.sha256('|'.join(known).encode()).hexdigest()[:16]}"


def _respond(gain: float, *, learn: bool) -> None:
    """Solve a tiny network in single precision, through the very call that a fit makes."""
    import torch

    from fdnlearn.ops.response import Parameters
    from fdnlearn.ops.response.cpu import impulse_response

    def leaf(value: torch.Tensor) -> torch.Tensor:
        return value.contiguous().requires_grad_(learn)

    network = Parameters(
        leaf(torch.eye(2)[None]),
        leaf(torch.full((1, 2), gain)),
        leaf(torch.full((1, 2), 5.0)),
        leaf(torch.ones(1, 2, 1)),
        leaf(torch.ones(1, 1, 2)),
        leaf(torch.ones(1, 1, 1)),
    )
    h = impulse_response(network, 64)
    if learn:
        h.sum().backward()


def _responses() -> None:
    _respond(0.5, learn=True)
    _respond(0.99, learn=False)


def _losses_and_steps() -> None:
    import numpy as np
    import torch

    from fdnlearn.ops.adam import Rows
    from fdnlearn.ops.adam import cpu as adam
    from fdnlearn.ops.decay import DecayTarget
    from fdnlearn.ops.decay import cpu as decay
    from fdnlearn.ops.echo import EchoDensitySettings, EchoTarget
    from fdnlearn.ops.echo import cpu as echo
    from fdnlearn.ops.rotation import cpu as rotation

    rotation.rotation(torch.zeros(1, 2, 2, requires_grad=True)).sum().backward()
    row, loss = torch.zeros(1, 1), torch.zeros(1, dtype=torch.float64)
    rows = Rows(row, row.clone(), row.clone(), row.clone(), loss.clone())
    adam.step(rows, row.clone(), loss, torch.zeros(1), 1)
    points = np.ones((1, 200))
    target = DecayTarget(
        decay=points,
        level_db=points,
        counted=points,
        weight=points,
        regressions=np.ones((1, 3, 200)),
        boundaries=np.array([1, 2, 3]),
        heard=np.ones((1, 3)),
        length=800,
        hop=4,
    )
    how = EchoDensitySettings(np.full(21, 1 / 21), np.full(195, 30.0), invariant=True, hop=4)
    h = torch.ones(1, 1, 800, requires_grad=True)
    density = echo.profile(h.detach(), how)[0]
    total, _ = decay.distance(h, target, (1.0, 0.0, 0.0))
    share = torch.full_like(density, 1 / 195, dtype=torch.float64)
    (total + echo.distance(h, EchoTarget(how, density, share))).sum().backward()


#: What the children compile, in parts of about equal length. No kernel is in two of them: the index of what there is
#: of it would be that of whoever writes last.
PARTS: Mapping[str, Callable[[], Any]] = {"responses": _responses, "losses and steps": _losses_and_steps}
