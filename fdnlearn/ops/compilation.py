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
from typing import Any, cast

from fdnlearn.base.locks import exclusive

#: Long enough for a slow machine; a child that takes longer is given up, and the fit compiles for itself.
_PATIENCE_S = 300.0
#: What kernels are made of: a change of a file of these folders has them compiled anew.
_SOURCES = ("base", "fdn", "ops", "render")


def ensure_compiled(way: str) -> None:
    """Make sure that the kernels of a fit are in the cache; costs a look at one file if they are.

    Where no folder can hold a cache, or a child fails, nothing is lost: kernels are then compiled as they are called.

    Parameters
    ----------
    way : str
        In which responses are computed, of `WAYS`.
    """
    marker = _marker(way)
    if marker is None or marker.exists() or os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return
    # Of the processes of a batch one compiles and the others wait.
    with exclusive(marker.with_name("compiling.lock"), wait=True):
        if not marker.exists():
            _compile(marker, WAYS[way])


def _compile(marker: Path, parts: tuple[str, ...]) -> None:
    """Let child processes fill the cache, and say so if they did."""
    command = (
        "import sys; from fdnlearn.base.processes import end_with_parent; end_with_parent(); "
        "from fdnlearn.ops.compilation import PARTS; [PARTS[name]() for name in sys.argv[1:]]"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    count = min(len(parts), max(2, os.cpu_count() or 1))
    children = [
        subprocess.Popen(
            [sys.executable, "-c", command, *parts[child::count]],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for child in range(count)
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
            if child.stdin:
                child.stdin.close()
    if all(succeeded):
        marker.touch()


def _marker(way: str) -> Path | None:
    """File that says the cache is filled, its name bound to the sources, versions and processor; None without cache."""
    import llvmlite.binding as llvm
    import numba

    from fdnlearn.ops.response import elimination

    stats = getattr(elimination.solve.body, "stats", None)
    if stats is None or not stats.cache_path:
        return None
    known = [sys.version, numba.__version__, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    package = Path(__file__).parents[1]
    for source in sorted(path for folder in _SOURCES for path in (package / folder).rglob("*.py")):
        status = source.stat()
        known.append(f"{source.relative_to(package)} {status.st_mtime_ns} {status.st_size}")
    folder = Path(stats.cache_path)
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"compiled-{way}-{hashlib.sha256('|'.join(known).encode()).hexdigest()[:16]}"


def _tiny_network(gain: float, kind: Any, *, learn: bool) -> Any:
    """Two lines as parameters of a response."""
    import torch

    from fdnlearn.ops.response import Parameters

    def leaf(value: torch.Tensor) -> torch.Tensor:
        return value.to(kind).contiguous().requires_grad_(learn)

    return Parameters(
        leaf(torch.eye(2)[None]),
        leaf(torch.full((1, 2), gain)),
        leaf(torch.full((1, 2), 40.0)),
        leaf(torch.ones(1, 2, 1)),
        leaf(torch.ones(1, 1, 2)),
        leaf(torch.ones(1, 1, 1)),
    )


def _responses() -> None:
    """In single precision, in double where a loop is close to one, and what a fit hands over."""
    import torch

    from fdnlearn.ops.response.cpu import impulse_response, response

    impulse_response(_tiny_network(0.5, torch.float32, learn=False), 64)
    impulse_response(_tiny_network(0.99, torch.float32, learn=False), 64)
    response(_tiny_network(0.5, torch.float64, learn=False), 64)


def _adjoints() -> None:
    """Of responses, by themselves: the call of a fit would compile those as well."""
    import numpy as np

    from fdnlearn.ops.response import elimination

    single, adjoint = np.float32, cast(Any, elimination.adjoint)
    adjoint(
        np.ones((1, 2, 2), single), *np.ones((2, 1, 2, 1), single), np.ones((1, 1, 2), single), 64,
        *np.ones((4, 1, 1, 2, 64), single), np.ones((1, 1, 1, 33), np.complex64), np.empty((1, 1, 2, 6)),
        np.empty((0, 0, 0), np.complex64),
    )  # fmt: skip


def _loops() -> None:
    """Networks sample by sample, with sections, and the way back."""
    import torch

    from fdnlearn.ops.time_domain.cpu import run

    sos = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 0.0], dtype=torch.float64).repeat(1, 2, 3, 1)
    network = _tiny_network(0.5, torch.float32, learn=True)
    run(network, sos.requires_grad_(), torch.ones(1, 1, 1, 8), 64).sum().backward()


def _transforms() -> None:
    """Of signals long enough to go in parts."""
    import torch

    from fdnlearn.ops.fourier import irfft, rfft

    for rows in (1, 2):
        x = torch.zeros(rows, 1 << 16, requires_grad=True)
        irfft(rfft(x), 1 << 16).sum().backward()


def _filters() -> None:
    import torch

    from fdnlearn.ops.filters.cpu import filter_response

    gains = torch.ones(1, 1, dtype=torch.float64, requires_grad=True)
    sos = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 0.0], dtype=torch.float64).repeat(1, 1, 1, 1)
    filter_response(gains, sos.requires_grad_(), 64, torch.complex64).abs().sum().backward()


def _rendering() -> None:
    """A network with everything that a renderer has a loop for."""
    from fdnlearn.fdn import FDN, ReverberationTime, SparseEarly, Tap, ToneSection
    from fdnlearn.render import impulse_response
    from fdnlearn.render.blocks import SWEEP_SAMPLES

    plain = FDN.from_arrays(
        sample_rate_hz=8000,
        delays=[100, 130],
        feedback_matrix=[[0.6, 0.8], [-0.8, 0.6]],
        input_gains=[[1.0], [1.0]],
        output_gains=[[1.0, 1.0]],
        direct_gains=[[1.0]],
        line_gains=[0.5, 0.5],
    )
    decay = ReverberationTime(
        family="peq-1", frequencies_hz=(500.0, 1000.0), times_s=((0.2, 0.1),), line_groups=(0, 0)
    )
    parts = {
        "absorption": decay,
        "tone": (ToneSection(type="peaking", frequency_hz=1000.0, gain_db=1.0, q=1.0),),
        "early": (SparseEarly(output=0, input=0, taps=(Tap(samples=10, gain=0.5),)),),
    }
    # Long enough for a sweep of what has died away.
    impulse_response(plain.model_copy(update=parts), length_s=2 * SWEEP_SAMPLES / 8000)


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
    _losses_of_bands(target)


def _losses_of_bands(decay: Any) -> None:
    """What the losses of octaves, reliefs and late lines have beside the decays."""
    import numpy as np
    import torch

    from fdnlearn.acoustics.bands import Octave
    from fdnlearn.acoustics.third_octaves import third_octaves
    from fdnlearn.ops.colour import ColourTarget
    from fdnlearn.ops.colour import cpu as colour
    from fdnlearn.ops.late_windows import LateWindows
    from fdnlearn.ops.octaves import Bands, OctaveTarget
    from fdnlearn.ops.octaves import cpu as octaves
    from fdnlearn.ops.relief import ReliefTarget
    from fdnlearn.ops.relief import cpu as relief
    from fdnlearn.ops.ringing import RingingTarget
    from fdnlearn.ops.ringing import cpu as ringing

    one, length = np.ones((1, 1)), 4096
    whole, octave = (Bands(bands, 1, decay, one, one) for bands in ((), (Octave(1000),)))
    h = torch.ones(1, 1, length, requires_grad=True)
    total, _ = octaves.distance(h, OctaveTarget(whole, (octave,), 0, (0,), length, 16000.0), (1.0, 0.0, 0.0))
    goal = torch.ones(1, length // 4 + 1, 2)
    total = total + relief.distance(h, ReliefTarget(goal, goal, torch.ones(5, 2), torch.ones(8), 4, length))
    starts, bands = np.zeros((1, 1), dtype=np.int64), np.ones((1, 1, len(third_octaves(16000.0))))
    thirds = ColourTarget(16000.0, starts, starts[0] + length, np.ones(8), starts + length, bands, bands)
    total = total + colour.distance(h, thirds)
    first = torch.zeros(1, 3, dtype=torch.int64)
    late = LateWindows((0,), (0,), torch.ones(1, 32), (64,))
    lines = RingingTarget(late, first, first, first + 3, first, first, torch.ones(1, 3), torch.ones(1, 1))
    (total + ringing.distance(h, lines)).sum().backward()


#: What children compile. No kernel is in two parts of one way: the index of what there is of it would be that of
#: whoever writes last.
PARTS: Mapping[str, Callable[[], Any]] = {
    "adjoints": _adjoints,
    "filters": _filters,
    "losses and steps": _losses_and_steps,
    "loops": _loops,
    "rendering": _rendering,
    "transforms": _transforms,
    "responses": _responses,
}

#: In which a fit computes responses -> what it needs, in an order in which every second one is half of the work.
WAYS: Mapping[str, tuple[str, ...]] = {
    "plain": ("responses", "losses and steps", "rendering", "adjoints", "transforms"),
    "filtered": ("responses", "losses and steps", "rendering", "adjoints", "filters", "transforms"),
    # Where delays are learned, responses are computed on frequencies.
    "in time": ("responses", "losses and steps", "loops", "adjoints", "filters", "rendering", "transforms"),
}
