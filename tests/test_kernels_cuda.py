"""The GPU kernels against the reference: on a GPU where there is one, else in Triton's interpreter, on small sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from brief_fits import BRIEF, BRIEF_BANDED
from targets import target_of
from test_filters import exact, loop_filters
from test_kernels import TOLERANCE
from torch import Tensor
from torch_networks import Tensors, cast, relative_error, tensors

from fdnlearn.base.types import FloatArray
from fdnlearn.fitting import FitConfig
from fdnlearn.fitting.batch import ProblemBatch
from fdnlearn.fitting.descent import Descent, advance, column_rates
from fdnlearn.fitting.problem import problem_for, resolve_device
from fdnlearn.losses import echo_density, energy_decay
from fdnlearn.ops import launching
from fdnlearn.ops.decay import cuda as cuda_energy
from fdnlearn.ops.echo import cuda as cuda_echo
from fdnlearn.ops.filters import cuda as cuda_filters
from fdnlearn.ops.response import cuda, reference
from fdnlearn.rir import Target

pytestmark = pytest.mark.gpu_interpreter

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def evaluate(kernel: object, networks: Tensors, n_fft: int) -> list[Tensor]:
    """Response and the gradients of a random projection of it, on the CPU."""
    free = [x.to(DEVICE).requires_grad_() for x in networks]
    h = kernel.impulse_response(*free, n_fft)  # type: ignore[attr-defined]
    direction = torch.randn(h.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float32)
    slopes = torch.autograd.grad((h * direction.to(h)).sum(), free)
    return [x.detach().cpu() for x in (h, *slopes)]


def test_it_is_the_kernel_that_is_tested() -> None:
    assert launching.interpreted() == (DEVICE.type == "cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gain", [0.9, 0.999])
@pytest.mark.parametrize("per_bin", [False, True], ids=["flat", "per bin"])
@pytest.mark.parametrize(
    ("lines", "n_fft", "batch", "inputs", "outputs"),
    [(1, 500, 1, 1, 1), (2, 63, 3, 1, 2), (5, 3001, 2, 2, 3), (6, 2400, 2, 1, 1), (16, 600, 1, 1, 1)],
)
def test_it_equals_the_reference(
    lines: int,
    n_fft: int,
    batch: int,
    inputs: int,
    outputs: int,
    per_bin: bool,
    gain: float,
    dtype: torch.dtype,
) -> None:
    networks = tensors(
        lines,
        n_fft,
        batch=batch,
        inputs=inputs,
        outputs=outputs,
        per_bin=per_bin,
        gain=gain,
        longest=300.0,
        dtype=dtype,
    )
    found = evaluate(cuda, networks, n_fft)
    truth = evaluate(reference, cast(networks, torch.float64), n_fft)
    errors = [relative_error(a, b) for a, b in zip(found, truth, strict=True)]
    assert max(errors) <= TOLERANCE[dtype], errors


def test_a_block_is_what_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of the size that a GPU gets, their seams and their padding."""
    networks = tensors(6, 301, batch=2, dtype=torch.float64)
    whole = evaluate(cuda, networks, 301)
    monkeypatch.setattr(launching, "block", lambda wanted: wanted)
    parts = evaluate(cuda, networks, 301)
    assert max(relative_error(a, b) for a, b in zip(parts, whole, strict=True)) < 1e-13


def test_a_device_is_trusted_that_gives_what_the_reference_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda.trusted.cache_clear()
    assert cuda.trusted(DEVICE.type)
    for wrong in (lambda *x: 1.001 * reference.response(*x), lambda *x: 1 / 0):
        cuda.trusted.cache_clear()
        with monkeypatch.context() as patched:
            patched.setattr(cuda, "response", wrong)
            assert not cuda.trusted(DEVICE.type)
    cuda.trusted.cache_clear()


def test_auto_is_a_gpu_only_where_it_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for trusted, chosen in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(cuda, "trusted", lambda trusted=trusted: trusted)
        assert resolve_device("auto").type == chosen
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"


def test_networks_of_a_batch_are_solved_in_the_precision_that_each_needs() -> None:
    networks = tensors(6, 900, batch=3, gain=0.9, longest=300.0, dtype=torch.float32)
    matrix, gain, *others = networks
    mixed = cast((matrix, gain * torch.tensor([[1.0], [0.9995 / 0.9], [0.5]]), *others), torch.float32)
    found = evaluate(cuda, mixed, 900)
    truth = evaluate(reference, cast(mixed, torch.float64), 900)
    for row in range(3):
        errors = [relative_error(a[row], b[row]) for a, b in zip(found, truth, strict=True)]
        assert max(errors) <= TOLERANCE[torch.float32], errors


@pytest.mark.parametrize("variant", ["invariant", "published"])
@pytest.mark.parametrize(("length", "hop"), [(700, 7), (401, 16), (130, 1), (3, 1)])
def test_soft_echo_density_and_its_gradient(variant: str, length: int, hop: int) -> None:
    how = echo_density.settings(length, 8000.0, hop=hop, variant=variant)
    generator = torch.Generator().manual_seed(4)
    h = 0.05 * torch.randn(2, 2, length + 9, generator=generator, dtype=torch.float64)
    h[0, 0, :5] = 0.0
    leaf = h.to(DEVICE).requires_grad_()
    window, steepness = (torch.as_tensor(x).to(leaf) for x in (how.window, how.steepness))
    found = cuda_echo.profile(leaf, window, steepness, how.invariant, how.hop)
    expected = echo_density._unfolded(leaf, how)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    direction = torch.randn(found.shape, generator=generator, dtype=torch.float64).to(DEVICE)
    slopes = [torch.autograd.grad((x * direction).sum(), leaf)[0] for x in (found, expected)]
    inner = leaf.detach() != 0  # at zero the magnitude has no slope
    assert relative_error(slopes[0][inner].cpu(), slopes[1][inner].cpu()) < 1e-9


def test_a_profile_alone_keeps_nothing() -> None:
    how = echo_density.settings(200, 8000.0, hop=8)
    h = torch.ones(1, 1, 200, device=DEVICE)
    window, steepness = (torch.as_tensor(x).to(h) for x in (how.window, how.steepness))
    assert not cuda_echo.profile(h, window, steepness, True, 8).requires_grad


@pytest.mark.parametrize(("length", "hop", "tail"), [(1200, 8, 0), (801, 5, 130), (90, 24, 7), (40, 1, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_energy_decay_terms_and_their_gradient(length: int, hop: int, tail: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(3)
    slow, fast = (np.exp(-np.arange(length) / (length / rate)) for rate in (7.0, 11.0))
    aim = energy_decay.decay_target(
        np.stack([slow, fast]), 1000.0, hop=hop, range_db=40.0, early_emphasis_s=0.1
    )
    h = torch.randn(3, 2, length + tail, generator=generator)
    h = (0.3 * h * torch.exp(-torch.arange(length + tail) / (length / 4.0))).to(DEVICE, dtype)
    h[1, 1] = 0.0
    weights = {"edc": 0.5, "edc_db": 1.0, "attributes": 0.7}
    found = []
    for distance in (
        lambda x: cuda_energy.distance(x, hop, energy_decay._on(DEVICE, aim), tuple(weights.values())),
        lambda x: energy_decay.stock_energy_decay_loss(x, aim, weights),
    ):
        leaf = h.clone().requires_grad_()
        total, terms = distance(leaf)
        if isinstance(terms, dict):
            terms = torch.stack(list(terms.values()), dim=-1)
        outer = torch.rand(total.shape, generator=torch.Generator().manual_seed(1)).to(total)
        (slope,) = torch.autograd.grad((total * outer).sum(), leaf)
        found.append([x.detach().cpu() for x in (total, terms, slope)])
    tolerance = 1e-5 if dtype == torch.float32 else 1e-10
    assert max(relative_error(a, b) for a, b in zip(*found, strict=True)) < tolerance


@pytest.mark.parametrize("n_fft", [2, 13, 3000])
def test_filter_responses_and_their_gradients(n_fft: int) -> None:
    gains, sos = (x.to(DEVICE) for x in loop_filters(3))
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(3, n_fft // 2 + 1, generator=generator, dtype=torch.complex128).to(DEVICE)
    found = []
    for respond in (cuda_filters.filter_response, exact):
        free = [x.clone().requires_grad_() for x in (gains, sos)]
        h = respond(*free, n_fft, *((torch.complex128,) if respond is not exact else ()))  # type: ignore[operator]
        slopes = torch.autograd.grad((h * weight).real.sum(), free)
        # What stands for one in a denominator is not learned.
        learned = slopes[1][..., [0, 1, 2, 4, 5]]
        found.append([x.detach().cpu() for x in (h, slopes[0], learned)])
    assert max(relative_error(a, b) for a, b in zip(*found, strict=True)) < 1e-10


def test_filter_responses_keep_the_types_they_are_asked_for() -> None:
    gains, sos = (x.to(DEVICE) for x in loop_filters(2))
    leaf = gains.reshape(1, 2).float().requires_grad_()
    h = cuda_filters.filter_response(leaf, sos.reshape(1, 2, -1, 6), 64)
    assert (h.shape, h.dtype) == ((1, 2, 33), torch.complex64)
    h.abs().sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.dtype == torch.float32


@pytest.mark.parametrize("config", [BRIEF, BRIEF_BANDED])
def test_rooms_side_by_side_have_the_losses_they_have_alone(
    make_room: Callable[..., FloatArray], config: FitConfig
) -> None:
    """Through the GPU's kernel, and on a GPU through all that the loss runs there."""
    targets = [
        target_of(make_room(sample_rate_hz=8000, seconds=0.3, reverberation_time_s=time_s), 8000)
        for time_s in (0.22, 0.225)
    ]
    config = replace(config, kernel="cuda", device=DEVICE.type)
    problems = [problem_for(target, config) for target in targets]
    longest = max(problem.n_fft for problem in problems)
    crowd = ProblemBatch(tuple(replace(problem, n_fft=longest) for problem in problems))
    free = crowd.draw(2, 0)
    for tensor in free.values():
        tensor.requires_grad_()
    loss, _ = crowd.loss(free, None)
    loss.sum().backward()
    for room, problem in enumerate(crowd.problems):
        alone = {name: tensor.requires_grad_() for name, tensor in problem.draw(2, 0).items()}
        expected, _ = problem.loss(alone, None)
        expected.sum().backward()
        assert relative_error(loss[room::2].detach(), expected.detach()) < 1e-4
        for name in ("delay", "matrix", "output"):
            found, slope = free[name].grad, alone[name].grad
            assert found is not None
            assert slope is not None
            assert relative_error(found[room::2], slope) < 1e-3, name


def test_a_descent_goes_the_same_way(target: Target) -> None:
    """In double, over the first steps: a loss of magnitudes amplifies rounding a hundredfold with each of them.

    After eight steps even the CPU's kernel and the reference have parted.
    """
    losses = []
    for kernel in ("reference", "cuda"):
        problem = problem_for(target, replace(BRIEF, kernel=kernel, device=DEVICE.type))
        free = {name: x.double() for name, x in problem.draw(1, 0).items()}
        descent, rates = Descent.start(free), 0.1 * column_rates(problem, free)
        losses.append([advance(descent, problem, free, None, rates)[0][0] for _ in range(5)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert min(losses[1]) < 0.8 * losses[1][0]
