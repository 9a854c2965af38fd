"""Compiles for a GPU that need not be there what the GPU's functions would launch, and prints what became of it.

``python tests/compile_kernels.py ARCH [LINES,...]``, in a process of its own without TRITON_INTERPRET: a kernel is
either compiled or interpreted. Each function is called on tensors of the CPU with its kernels replaced by recorders, so
what is compiled are the very launches, block sizes and all. Prints one JSON object a launch.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from fdnlearn.ops.adam import Rows
from fdnlearn.ops.adam import cuda as cuda_adam
from fdnlearn.ops.decay import DecayTarget
from fdnlearn.ops.decay import cuda as cuda_decay
from fdnlearn.ops.echo import EchoDensitySettings, EchoTarget
from fdnlearn.ops.echo import cuda as cuda_echo
from fdnlearn.ops.filters import cuda as cuda_filters
from fdnlearn.ops.response import Parameters, cuda

CUOBJDUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
#: Element type of a tensor -> what Triton calls it.
TYPES = {torch.float32: "*fp32", torch.float64: "*fp64", torch.int32: "*i32", torch.int64: "*i64"}


class Recorder:
    """Stands for a kernel and compiles what it is launched with."""

    def __init__(self, kernel: Any, arch: int, about: dict[str, Any]) -> None:
        self.kernel, self.arch, self.about = kernel, arch, about

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        return self.launch

    def launch(self, *arguments: Any, num_warps: int = 4, **constants: Any) -> None:
        names = self.kernel.arg_names
        given = dict(zip(names, arguments, strict=False))
        signature = {name: type_of(given[name]) if name in given else "constexpr" for name in names}
        compiled = triton.compile(
            ASTSource(fn=self.kernel, signature=signature, constexprs=constants),
            target=GPUTarget("cuda", self.arch, 32),
            options={"num_warps": num_warps},
        )
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(compiled.asm["cubin"])
            file.flush()
            usage, code = (dump(option, file.name) for option in ("-res-usage", "-sass"))
        found = re.search(r"REG:(\d+) STACK:(\d+)", usage)
        assert found is not None, usage
        operations = re.findall(r"/\*[0-9a-f]{4,5}\*/\s+(?:@!?U?P\w+\s+)?([A-Z0-9_]+)", code)
        row = {
            "kernel": self.kernel.__name__,
            "registers": int(found[1]),
            "stack": int(found[2]),
            "shared": compiled.metadata.shared,
            "instructions": len(operations),
            "shuffles": operations.count("SHFL"),
            "barriers": operations.count("BAR"),
            "warps": num_warps,
            "block": constants["BLOCK"],
            "arithmetic": str(constants.get("DTYPE")),
        }
        sys.stdout.write(json.dumps(self.about | row) + "\n")
        sys.stdout.flush()


def dump(option: str, path: str) -> str:
    """What cuobjdump says of a binary."""
    return subprocess.run([CUOBJDUMP, option, path], check=True, capture_output=True, text=True).stdout


def type_of(argument: Any) -> str:
    """Triton's name of an argument's type."""
    if isinstance(argument, torch.Tensor):
        return TYPES[argument.dtype]
    return "fp32" if isinstance(argument, float) else "i32"


def recorded(module: ModuleType, arch: int, **about: Any) -> None:
    """Replace the kernels of a module that are launched."""
    for name, value in list(vars(module).items()):
        kernel = value.kernel if isinstance(value, Recorder) else value
        if isinstance(kernel, triton.JITFunction) and "tl.program_id" in kernel.src:
            setattr(module, name, Recorder(kernel, arch, about))


def responses(arch: int, lines: Sequence[int]) -> Iterator[None]:
    """Forward and backward of the response."""
    for n in lines:
        for dtype in (torch.float32, torch.float64):
            for per_bin in (False, True):
                recorded(cuda, arch, lines=n, dtype=str(dtype), per_bin=per_bin)
                gain = torch.full((1, n, 51), 0.5 + 0.1j) if per_bin else torch.full((1, n), 0.5)
                gain = gain.to(torch.promote_types(dtype, torch.complex64) if per_bin else dtype)
                free = (
                    torch.eye(n)[None],
                    gain,
                    torch.full((1, n), 9.0),
                    torch.ones(1, n, 1),
                    torch.ones(1, 1, n),
                )
                leaves = [x.to(dtype) if not x.is_complex() else x for x in free]
                for leaf in leaves:
                    leaf.requires_grad_()
                cuda.response(Parameters(*leaves, torch.ones(1, 1, 1)), 100).real.sum().backward()
                yield


def others(arch: int) -> Iterator[None]:
    """The other kernels, in the types that a fit has."""
    for module in (cuda_filters, cuda_echo, cuda_decay, cuda_adam):
        recorded(module, arch)
    gains = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    sos = torch.ones(2, 3, 9, 6, dtype=torch.float64, requires_grad=True)
    cuda_filters.filter_response(gains, sos, 400, torch.complex64).real.sum().backward()
    yield
    h = torch.ones(2, 1, 400, requires_grad=True)
    for invariant in (True, False):
        settings = EchoDensitySettings(np.ones(161), np.ones(20), invariant, 8)
        cuda_echo.distance(h, EchoTarget(settings, torch.ones(1, 20), torch.ones(1, 20))).sum().backward()
        yield
    for hop in (8, 24):
        points = 400 // hop
        row = np.ones((2, points))
        target = DecayTarget(
            row, row, row, row, np.ones((2, 3, points)), np.array([1, 2, 3]), np.ones((2, 3)), 400, hop
        )
        h = torch.ones(4, 2, 400, requires_grad=True)
        cuda_decay.distance(h, target, (1.0, 1.0, 1.0))[0].sum().backward()
        yield
    *state, gradient = (torch.ones(2, 50) for _ in range(5))
    loss = torch.ones(2, dtype=torch.float64)
    cuda_adam.step(Rows(*state, loss.clone()), gradient, loss, torch.ones(50), 1)
    yield


if __name__ == "__main__":
    wanted = sys.argv[2] if len(sys.argv) > 2 else "1,2,4,6,8,12,16,18,32,64"
    for going in (responses(int(sys.argv[1]), [int(n) for n in wanted.split(",")]), others(int(sys.argv[1]))):
        for _ in going:
            pass
