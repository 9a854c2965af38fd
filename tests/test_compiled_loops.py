"""Loops that Numba compiles: the same bytes on any number of cores, an exponential, and no need of a cache."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import pytest

from fdnlearn.base.jit import jit
from fdnlearn.base.parallel import parallel
from fdnlearn.ops.fastmath import exp

TESTS = Path(__file__).resolve().parent

_REPEATED = """
import hashlib, sys, threading
import numba, torch
sys.path.insert(0, sys.argv[1])
from targets import target_of
from torch_networks import tensors
from fdnlearn.losses import echo_density, energy_decay
from fdnlearn.losses.definitions import BANDED
from fdnlearn.losses.objective import objective_for
from fdnlearn.ops import echo as echo_op
from fdnlearn.ops.compilation import ensure_compiled
from fdnlearn.ops.response import Parameters, impulse_response
import numpy as np

ensure_compiled("plain")
networks = tensors(6, 6000, batch=3, gain=0.95, longest=300.0, dtype=torch.float32)
how = echo_density.settings(4000, 16000.0)
curve = 10.0 ** (-6 * np.arange(4000) / 4000)[None]
target = energy_decay.decay_target(curve, 16000.0, hop=8, range_db=50.0)
weights = {"edc": 1.0, "edc_db": 1.0, "attributes": 1.0}
goal = torch.ones(1, how.steepness.size)
noise = np.random.default_rng(0).standard_normal((1, 9000)) * 10.0 ** (-3 * np.arange(9000) / 5000)
banded = objective_for(target_of(noise, 16000), BANDED)
late = 5.0 * torch.sin(0.3 * torch.arange(float(banded.length_samples))) * 10.0 ** (
    -3 * torch.arange(banded.length_samples) / 5000
)
digests = []

def work():
    for _ in range(5):
        free = Parameters(*(x.clone().requires_grad_() for x in networks))
        impulse = impulse_response(free, 6000, "cpu")[:, :, 0]
        decay, _ = energy_decay.energy_decay_loss(impulse, target, weights)
        echo = echo_op.distance(impulse, echo_density.echo_target(goal, how))
        (decay + echo).sum().backward()
        h = late.repeat(3, 1, 1)
        h[:, :, :6000] += impulse.detach()
        h.requires_grad_()
        loss, terms = banded(h)
        loss.sum().backward()
        values = [impulse, decay, echo, *(x.grad for x in free), h.grad, *terms.values()]
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
    digests = []
    for cores in ("1", "2"):
        environment = {**os.environ, "NUMBA_NUM_THREADS": cores}
        run = subprocess.run(
            [sys.executable, "-c", _REPEATED, str(TESTS)],
            cwd=TESTS.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
        assert run.returncode == 0, run.stderr
        threads, digest = run.stdout.split()
        assert threads == cores
        digests.append(digest)
    assert digests[0] == digests[1]


_FIT = """
import sys
from numba.core import event
from fdnlearn.config import FitConfig
from fdnlearn.examples import example_path
from fdnlearn.runs import Job

model, kernel = sys.argv[1:]
compiled = []
event.register("numba:compile", type("Listener", (event.Listener,), {
    "on_start": lambda self, e: compiled.append(e.data["dispatcher"].py_func),
    "on_end": lambda self, e: None,
})())
job = Job(FitConfig.for_model(model, kernel=kernel or None, iterations=1, restarts=1, lines=4, sample_rate_hz=16000))
job.evaluate(job.solve(job.prepare(example_path("small_room"))))
print(*sorted({f.__module__ + "." + f.__qualname__ for f in compiled}))
"""


@pytest.mark.fit
@pytest.mark.process
@pytest.mark.parametrize(
    ("model", "kernel"), [("homogeneous", ""), ("banded", ""), ("banded", "time_domain")]
)
def test_the_process_that_fits_compiles_nothing_not_even_the_first(
    model: str, kernel: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", _FIT, model, kernel]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []


def fill(compile_with: Callable[..., Callable[..., Callable[..., None]]]) -> Callable[..., None]:
    """A compiled loop that applies `exp`."""

    @compile_with()
    def loop(x, y):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            y[i] = exp(x[i])

    return loop


@pytest.mark.long
def test_a_kernel_runs_every_iteration_once_for_whatever_types_it_is_given() -> None:
    @parallel()
    def add(first, stop, x, step, y):  # type: ignore[no-untyped-def]
        for i in range(first, stop):
            y[i] += x[i] + step

    for kind in (np.float32, np.float64):
        for count in (0, 1, 2, 7, 1000):
            x, y = np.arange(count, dtype=kind), np.zeros(count, kind)
            add(count, x, 3, y)
            np.testing.assert_array_equal(y, x + 3)
    x, y = np.arange(20.0), np.zeros(10)
    add(10, x[::2], 0.5, y)
    np.testing.assert_array_equal(y, x[::2] + 0.5)


@pytest.mark.long
def test_a_kernel_that_fails_says_so() -> None:
    @parallel()
    def divide(first, stop, x, y):  # type: ignore[no-untyped-def]
        for i in range(first, stop):
            y[i] = 1.0 / x[i]

    with pytest.raises(RuntimeError, match="failed"):
        divide(4, np.array([1.0, 1.0, 0.0, 1.0]), np.empty(4))
    y = np.empty(4)
    divide(4, np.full(4, 2.0), y)
    np.testing.assert_array_equal(y, 0.5)


@pytest.mark.long
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


def test_processes_that_compile_at_once_do_not_write_over_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins without the other's index, as if it had looked before the other wrote it."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    source = tmp_path / "doubling.py"
    source.write_text("def doubled(x):\n    return x + x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plain = importlib.import_module("doubling").doubled
    written: dict[Path, bytes] = {}
    for kind in (np.float32, np.float64):
        for index in (tmp_path / "cache").rglob("*.nbi"):
            index.unlink()
        assert jit()(plain)(np.ones(3, kind)).dtype == kind
        files = {path: path.read_bytes() for path in (tmp_path / "cache").rglob("*.nbc")}
        assert len(files) == len(written) + 1
        assert all(files[path] == code for path, code in written.items())
        written = files
