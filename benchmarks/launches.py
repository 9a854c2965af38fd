"""How many operations a gradient step is on a GPU: where rooms are short, starting them can cost more than they do.

``python benchmarks/launches.py ROOM.wav [--model banded]`` counts what torch dispatches, views aside, when stock
operations stand in for the CPU's transforms and rotation. What is a kernel of this project on a GPU, response, filters,
echo density, energy decay, the step itself, is a loop of its own here that torch does not see: those are added by name.
"""

from __future__ import annotations

import argparse
import contextlib
from collections import Counter
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fdnlearn.fitting import FitConfig
from fdnlearn.fitting.batch import ProblemBatch
from fdnlearn.fitting.descent import AdamState, advance, column_rates
from fdnlearn.fitting.problem import problem_for
from fdnlearn.ops.octaves import reference as octaves
from fdnlearn.ops.relief import reference as relief
from fdnlearn.ops.ringing import reference as ringing
from fdnlearn.ops.rotation import reference
from fdnlearn.rir import load_target

#: Launches of this project's kernels a step, forwards, backwards and what they clear or sum.
OWN = {"homogeneous": {"response": 4, "echo": 2, "energy": 3, "adam": 2}}
#: Octaves are compared rate by rate, and so is the whole spectrum.
OWN["banded"] = OWN["homogeneous"] | {"energy": 15, "filters, of loop and output": 6}

#: Operations without a kernel.
VIEWS = {
    "view", "reshape", "expand", "transpose", "permute", "slice", "select", "unsqueeze", "squeeze", "t", "detach",
    "as_strided", "unfold", "alias", "_unsafe_view", "view_as_real", "view_as_complex", "unbind", "split_with_sizes",
    "diagonal", "_conj", "lift_fresh", "empty_like", "empty", "_linalg_check_errors",
}  # fmt: skip


class Counting(TorchDispatchMode):
    """Counts operations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        self.found[name] += name not in VIEWS
        return func(*args, **(kwargs or {}))


def step(batch: ProblemBatch) -> Counter[str]:
    """The operations of one step of two starts of every room, the second: the first also lays the targets together."""
    free = batch.draw(2, 0)
    descent, rates = AdamState.start(free), column_rates(batch, free)
    batch.loss(free, None)
    with Counting() as counting:
        advance(descent, batch, free, None, rates, batch.rooms)
    return counting.found


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("room", help="WAV file")
    parser.add_argument("--model", choices=list(OWN), default="homogeneous")
    options = parser.parse_args()
    config = FitConfig.for_model(options.model, device="cpu")
    problem = problem_for(load_target(options.room, sample_rate_hz=config.sample_rate_hz), config)
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch("fdnlearn.model.orthogonal.rotation", reference.rotation))
        for module in ("relief.reference", "late_windows"):
            stack.enter_context(mock.patch(f"fdnlearn.ops.{module}.rfft", torch.fft.rfft))
        for term, form in (("octave_decay", octaves), ("energy_relief", relief), ("ringing", ringing)):
            stack.enter_context(mock.patch(f"fdnlearn.losses.{term}.distance", form.distance))
        stack.enter_context(mock.patch("fdnlearn.model.network.irfft", torch.fft.irfft))
        own = sum(OWN[options.model].values())
        for rooms in (1, 4, 16):
            found = step(ProblemBatch((problem,) * rooms))
            usual = ", ".join(f"{count} {name}" for name, count in found.most_common(5))
            print(f"{rooms:>3} rooms: {sum(found.values()) + own} operations a step ({usual}, ...)")


if __name__ == "__main__":
    main()
