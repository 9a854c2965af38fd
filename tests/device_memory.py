"""What a gradient step holds on a GPU at most, counted without one: ``python tests/device_memory.py`` prints a table.

The step is traced on torch's *meta* device, where tensors have sizes and no numbers, with the kernels' launches left
out: the functions around them make what they would make. Workspace of the transforms is not in it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import weakref
from collections.abc import Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fdnlearn.fitting.batch import ProblemBatch
from fdnlearn.fitting.columns import join, split
from fdnlearn.fitting.problem import Problem
from fdnlearn.losses.placing import on_device
from fdnlearn.ops import dispatch
from fdnlearn.ops.decay import cuda as cuda_decay
from fdnlearn.ops.echo import cuda as cuda_echo
from fdnlearn.ops.filters import cuda as cuda_filters
from fdnlearn.ops.response import cuda

META = torch.device("meta")
LAUNCHES = (
    (cuda, "_solve"), (cuda, "_adjoint"),
    (cuda_filters, "_respond"), (cuda_filters, "_pull_back"),
    (cuda_echo, "_profile"), (cuda_echo, "_gradient"),
    (cuda_decay, "_decay"), (cuda_decay, "_compare"), (cuda_decay, "_gradient"),
)  # fmt: skip


class Held(TorchDispatchMode):
    """Counts the bytes of storages from when they are made until their last tensor goes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._tensors: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, Tensor) and tensor.device == META:
                self._hold(tensor)
        return found

    def _hold(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        name, size = storage._cdata, storage.nbytes()
        if name not in self._tensors:
            self.now += size
            self.peak = max(self.peak, self.now)
        self._tensors[name] = self._tensors.get(name, 0) + 1
        weakref.finalize(tensor, self._drop, name, size)

    def _drop(self, name: int, size: int) -> None:
        self._tensors[name] -= 1
        if not self._tensors[name]:
            del self._tensors[name]
            self.now -= size


class Unlaunched:
    """Stands for a kernel."""

    def __getitem__(self, grid: Any) -> Any:
        return lambda *arguments, **constants: None


def bytes_of_a_step(problems: Sequence[Problem], starts: int) -> int:
    """Most that a step of so many starts of every room holds on a device."""
    batch = ProblemBatch(
        tuple(
            dataclasses.replace(p, device=META, kernel="cuda", objective=on_device(p.objective, META))
            for p in problems
        )
    )
    like = ProblemBatch(tuple(problems)).draw(1, 0)
    with contextlib.ExitStack() as stack:
        for module, name in LAUNCHES:
            stack.enter_context(mock.patch.object(module, name, Unlaunched()))
        # The forms that a GPU runs.
        stack.enter_context(mock.patch.dict(dispatch.DEVICE_FORMS, meta="cuda"))
        held = stack.enter_context(Held())
        values = torch.empty(starts * len(problems), join(like).shape[1], device=META).requires_grad_()
        loss, _ = batch.loss(split(values, like), None)
        torch.autograd.grad(loss.sum(), values)
    return held.peak


def main() -> None:
    """Print bytes over models, lengths and rooms."""
    import numpy as np

    from fdnlearn.fitting import FitConfig
    from fdnlearn.fitting.problem import problem_for
    from fdnlearn.fitting.stages import plan
    from fdnlearn.rir import Recording, prepare_target

    sys.stdout.write(
        "| model | length | rooms | starts | most held | a start and sample |\n|---|---:|---:|---:|---:|---:|\n"
    )
    for model in ("homogeneous", "banded"):
        config = FitConfig.for_model(model, device="cpu", iterations=400)
        rate, starts = config.sample_rate_hz, plan(config)[0].rows
        for seconds, rooms in ((1.0, 1), (1.0, 32), (4.0, 32)):
            t = np.arange(round(rate * seconds)) / rate
            h = 0.2 * np.random.default_rng(0).standard_normal(t.size) * 10 ** (-3 * t / (0.5 * seconds))
            h[0] = 1.0
            target = prepare_target(Recording("noise", "", rate, h[None], "synthetic"), sample_rate_hz=rate)
            problem = problem_for(target, config)
            most = bytes_of_a_step([problem] * rooms, starts)
            each = most / (rooms * starts * problem.n_fft)
            sys.stdout.write(
                f"| {model} | {seconds:g} s | {rooms} | {starts} | {most / 1e6:.0f} MB | {each:.0f} bytes |\n"
            )


if __name__ == "__main__":
    main()
