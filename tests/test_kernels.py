"""The kernels: right gradients, and the fast one equal to the reference."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from torch import Tensor
from torch_networks import Tensors, cast, relative_error, tensors

from fdnlearn.base.errors import UsageError
from fdnlearn.base.jit import jit
from fdnlearn.ops.fastmath import exp
from fdnlearn.ops.response import DEVICE_KERNELS, KERNELS, Kernel, get_kernel, kernel_for
from fdnlearn.ops.rotation.cpu import rotation

TESTS = Path(__file__).resolve().parent

#: Relative L2 distance allowed between the fast kernel and the reference in double.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-11}


@pytest.fixture(autouse=True, scope="module")
def one_torch_thread() -> Iterator[None]:
    """Small batched solves are ten times slower when torch wakes a second thread for each."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return get_kernel(request.param)


def test_an_unknown_kernel_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="choose one of reference, cpu, cuda"):
        get_kernel("nonsense")


def test_every_device_has_a_kernel() -> None:
    assert kernel_for("cpu").name == "cpu"
    assert kernel_for("mps").name == "reference"
    assert set(DEVICE_KERNELS.values()) <= set(KERNELS)


# The GPU's gradients are held to the reference's: finite differences in Triton's interpreter would take minutes.
@pytest.mark.long
@pytest.mark.parametrize("name", ["reference", "cpu"])
@pytest.mark.parametrize("n_fft", [12, 13])
@pytest.mark.parametrize("per_bin", [False, True], ids=["flat", "per bin"])
def test_every_tensor_has_the_right_gradient(name: str, per_bin: bool, n_fft: int) -> None:
    kernel = get_kernel(name)
    networks = tensors(3, n_fft, batch=2, inputs=2, outputs=2, per_bin=per_bin, longest=20.0)
    free = [x.requires_grad_() for x in networks]
    assert torch.autograd.gradcheck(lambda *x: kernel.impulse_response(*x, n_fft), free)
    assert torch.autograd.gradcheck(lambda *x: kernel.response(*x, n_fft), free[:5])


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_types_are_as_documented(
    kernel: Kernel, dtype: torch.dtype, inputs: int, outputs: int
) -> None:
    n_fft = 33
    networks = tensors(4, n_fft, batch=3, inputs=inputs, outputs=outputs, dtype=dtype)
    with torch.no_grad():
        response = kernel.response(*networks[:5], n_fft)
        impulse = kernel.impulse_response(*networks, n_fft)
    assert response.shape == (3, outputs, inputs, 17)
    assert response.dtype == dtype.to_complex()
    assert impulse.shape == (3, outputs, inputs, n_fft)
    assert impulse.dtype == dtype


def test_delays_may_stay_in_double_beside_single_precision(kernel: Kernel) -> None:
    networks = tensors(3, 64, dtype=torch.float32)
    delays = networks.delays_samples.double().requires_grad_()
    impulse = kernel.impulse_response(*networks._replace(delays_samples=delays), 64)
    impulse.square().sum().backward()
    assert impulse.dtype == torch.float32
    assert delays.grad is not None
    assert delays.grad.dtype == torch.float64


def test_no_gradient_is_kept_where_none_is_asked_for(kernel: Kernel) -> None:
    networks = tensors(3, 64)
    assert not kernel.impulse_response(*networks, 64).requires_grad
    only = networks._replace(input_gains=networks.input_gains.clone().requires_grad_())
    kernel.impulse_response(*only, 64).sum().backward()
    assert only.input_gains.grad is not None
    assert all(x.grad is None for x in only if x is not only.input_gains)


def evaluate(kernel: Kernel, networks: Tensors, n_fft: int) -> list[Tensor]:
    """Impulse response, frequency response and the gradient of a random projection of the former."""
    free = Tensors(*(x.clone().requires_grad_() for x in networks))
    impulse = kernel.impulse_response(*free, n_fft)
    generator = torch.Generator().manual_seed(1)
    direction = torch.randn(impulse.shape, generator=generator, dtype=torch.float32)
    (impulse * direction.to(impulse.dtype)).sum().backward()
    response = kernel.response(*networks[:5], n_fft)
    gradients = [x.grad for x in free]
    assert all(gradient is not None for gradient in gradients)
    return [impulse.detach(), response, *(gradient for gradient in gradients if gradient is not None)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gain", [0.9, 0.97, 0.999])
@pytest.mark.parametrize("per_bin", [False, True], ids=["flat", "per bin"])
@pytest.mark.parametrize(
    ("lines", "n_fft", "batch", "inputs", "outputs"),
    [(1, 1024, 1, 1, 1), (2, 1025, 3, 1, 2), (6, 4000, 2, 2, 3), (16, 1501, 2, 1, 1), (32, 1200, 1, 1, 1)],
)
def test_the_fast_kernel_equals_the_reference(
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
        longest=400.0,
        dtype=dtype,
    )
    fast = evaluate(get_kernel("cpu"), networks, n_fft)
    truth = evaluate(get_kernel("reference"), cast(networks, torch.float64), n_fft)
    errors = [relative_error(a, b) for a, b in zip(fast, truth, strict=True)]
    assert max(errors) <= TOLERANCE[dtype], errors


@pytest.mark.gpu_interpreter
def test_phases_of_thousands_of_turns_are_exact() -> None:
    """A delay of one second rings at its own place to single precision, on the reference in single too."""
    n_fft, delay = 1 << 18, 200_001.0
    one = torch.ones(1, 1)
    networks = Tensors(one[None], 0 * one, delay * one, one[None], one[None], 0 * one[None])
    for name in KERNELS:
        impulse = get_kernel(name).impulse_response(*networks, n_fft)[0, 0, 0]
        expected = torch.zeros(n_fft)
        expected[int(delay)] = 1
        assert float((impulse - expected).abs().max()) < 1e-6


_REPEATED = """
import hashlib, sys, threading
import numba, torch
sys.path.insert(0, sys.argv[1])
from torch_networks import tensors
from fdnlearn.ops.response import get_kernel
from fdnlearn.losses import echo_density, energy_decay
import numpy as np

networks = tensors(6, 6000, batch=3, gain=0.95, longest=300.0, dtype=torch.float32)
how = echo_density.settings(4000, 16000.0)
curve = 10.0 ** (-6 * np.arange(4000) / 4000)[None]
aim = energy_decay.decay_target(curve, 16000.0, hop=8, range_db=50.0, early_emphasis_s=0.1)
goal = torch.ones(1, how.steepness.size)
digests = []

def work():
    for _ in range(5):
        free = [x.clone().requires_grad_() for x in networks]
        impulse = get_kernel("cpu").impulse_response(*free, 6000)[:, :, 0]
        decay, _ = energy_decay.energy_decay_loss(impulse, aim, {"edc": 1.0, "edc_db": 1.0, "attributes": 1.0})
        echo = echo_density.echo_density_distance(impulse, echo_density.echo_target(goal, how))
        (decay + echo).sum().backward()
        values = [impulse, decay, echo, *(x.grad for x in free)]
        digests.append(hashlib.sha256(b"".join(x.detach().numpy().tobytes() for x in values)).hexdigest())

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(digests) == 10 and len(set(digests)) == 1, digests
print(numba.get_num_threads(), digests[0])
"""


@pytest.mark.process
def test_two_threads_at_once_and_any_number_of_cores_give_the_same_bytes() -> None:
    """In processes of their own: Numba aborts the process when two threads enter parallel code unguarded."""
    found = []
    for cores in ("1", "2"):
        environment = {**os.environ, "NUMBA_NUM_THREADS": cores}
        done = subprocess.run(
            [sys.executable, "-c", _REPEATED, str(TESTS)],
            cwd=TESTS.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
        assert done.returncode == 0, done.stderr
        threads, digest = done.stdout.split()
        assert threads == cores
        found.append(digest)
    assert found[0] == found[1]


@pytest.mark.parametrize("scale", [0.0, 1e-3, 0.3, 3.0, 40.0])
def test_a_rotation_is_the_stock_exponential_of_the_skew_part(scale: float) -> None:
    generator = torch.Generator().manual_seed(2)
    free = scale * torch.randn(4, 6, 6, generator=generator, dtype=torch.float64)
    upper = free.triu(1)
    assert relative_error(rotation(free), torch.matrix_exp(upper - upper.mT)) < 1e-12


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_a_rotation_has_the_right_gradient(scale: float) -> None:
    generator = torch.Generator().manual_seed(3)
    free = scale * torch.randn(2, 4, 4, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(rotation, free.requires_grad_())


def test_the_rotation_of_one_line_is_one() -> None:
    assert rotation(torch.zeros(1, 1, 1, dtype=torch.float64)).item() == 1.0


def fill(compile_with: Callable[..., Callable[..., Callable[..., None]]]) -> Callable[..., None]:
    """A compiled loop that applies `exp`."""

    @compile_with()
    def loop(x, y):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            y[i] = exp(x[i])

    return loop


def test_the_vectorised_exponential_is_as_accurate_as_its_argument() -> None:
    x = np.linspace(-80, 80, 40001).astype(np.float32)
    y = np.empty_like(x)
    loop = fill(numba.njit)
    loop(x, y)
    # Beyond the polynomial's own error, rounding x log2(e) in single precision counts |x| times.
    assert np.all(np.abs(y / np.exp(x.astype(np.float64)) - 1) <= 3e-7 + np.finfo(np.float32).eps * np.abs(x))
    edges = np.array([-1e9, -81, 81, 1e9], np.float32)
    loop(edges, y[:4])
    assert np.all(np.isfinite(y[:4]))
    wide = np.linspace(-80, 80, 101)
    out = np.empty_like(wide)
    loop(wide, out)
    np.testing.assert_allclose(out, np.exp(wide), rtol=1e-15)
    assert exp(1.5) == pytest.approx(np.exp(1.5))


def test_code_compiles_without_a_place_for_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a read-only installation without a home folder: Numba refuses `cache=True`, ours goes on."""
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator"):
        fill(lambda: numba.njit(cache=True))
    y = np.empty(1)
    fill(jit)(np.zeros(1), y)
    assert y[0] == 1.0
