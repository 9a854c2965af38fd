"""Small cases of every operation: given numbers, and what is computed of them by whichever form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import torch
from targets import target_of
from torch import Tensor
from torch_networks import tensors

from fdnlearn.acoustics.parameters import room_parameters
from fdnlearn.fdn.families import peq_1
from fdnlearn.losses import colour, echo_density, energy_decay, energy_relief, octave_decay, ringing
from fdnlearn.losses.placing import on_device
from fdnlearn.ops.adam import Rows
from fdnlearn.ops.dispatch import FORMS, REFERENCE
from fdnlearn.ops.echo import EchoTarget
from fdnlearn.ops.response import Parameters

#: Where the GPU's forms run: without a GPU in Triton's interpreter, on tensors of the CPU.
GPU = torch.device("cuda" if torch.cuda.is_available() else "cpu")

SINGLE, DOUBLE = torch.float32, torch.float64

KNOTS_HZ = np.array([62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0])


@dataclass(frozen=True)
class Case:
    """An operation on given numbers.

    Attributes
    ----------
    operation, name : str
    inputs : tuple of Tensor
        In double (or complex), on the CPU.
    call : callable
        From a form and the inputs, in whatever precision, to the results.
    bounds : mapping of torch.dtype to float
        Relative L2 distance that results and gradients may have from the reference in double, by the precision that
        they are computed in.
    forms : tuple of str
        That are held to the reference.
    close : mapping of torch.dtype to (float, float)
        Relative and absolute distance that single results may have.
    step, slack : float
        Of `gradcheck`.
    """

    operation: str
    name: str
    inputs: tuple[Tensor, ...]
    call: Callable[[Any, Sequence[Tensor]], Sequence[Tensor]]
    bounds: Mapping[torch.dtype, float]
    forms: tuple[str, ...] = ()
    close: Mapping[torch.dtype, tuple[float, float]] = field(default_factory=dict)
    step: float = 1e-6
    slack: float = 1e-5

    def __str__(self) -> str:
        return f"{self.operation}: {self.name}"

    def held(self) -> tuple[str, ...]:
        """Forms that are held to the reference."""
        return self.forms or tuple(name for name in FORMS[self.operation] if name != REFERENCE)


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Relative L2 distance, in double; none if both are zero."""
    wide = torch.complex128 if expected.is_complex() else DOUBLE
    miss = (found.to(wide) - expected.to(wide)).norm()
    return float(miss / expected.to(wide).norm()) if bool(miss) else 0.0


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = DOUBLE) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def decaying_noise(*shape: int, time_s: float = 0.3, rate_hz: float = 16000, seed: int = 0) -> Tensor:
    """Exponentially decaying Gaussian noise of unit energy along the last axis."""
    h = np.random.default_rng(seed).standard_normal(shape)
    h *= 10 ** (-3 * np.arange(shape[-1]) / rate_hz / time_s)
    return torch.from_numpy(h / np.linalg.norm(h, axis=-1, keepdims=True))


def curves(h: Tensor) -> np.ndarray[Any, Any]:
    """Energy decay (channels, n) of responses."""
    curve: np.ndarray[Any, Any] = np.cumsum(h.square().numpy()[:, ::-1], axis=1)[:, ::-1]
    return curve


def loop_filters(lines: int = 5) -> tuple[Tensor, Tensor]:
    """Gains (lines,) and sections (lines, 9, 6) of an equaliser."""
    times = 0.3 + torch.rand(lines, 9, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
    return peq_1.sections(torch, KNOTS_HZ, times, torch.linspace(300, 2000, lines, dtype=DOUBLE), 48000.0)


# --- one function an operation ---


def response_case(name: str, n_fft: int, forms: tuple[str, ...] = (), **how: Any) -> Case:
    def call(form: Any, x: Sequence[Tensor]) -> Sequence[Tensor]:
        network = Parameters(*x)
        with torch.no_grad():
            spectrum = form.response(network, n_fft)
        return form.impulse_response(network, n_fft), spectrum

    return Case("response", name, tensors(n_fft=n_fft, **how), call, {SINGLE: 1e-5, DOUBLE: 1e-11}, forms)


def spectrum_case(name: str, n_fft: int, **how: Any) -> Case:
    *loop, direct = tensors(n_fft=n_fft, **how)
    return Case(
        "response",
        name,
        tuple(loop),
        lambda form, x: (form.response(Parameters(*x, direct.to(x[0])), n_fft),),
        {SINGLE: 1e-5, DOUBLE: 1e-11},
    )


def decay_case(
    name: str,
    h: Tensor,
    energy_decay_curves: np.ndarray[Any, Any],
    weights: tuple[float, float, float],
    *,
    rate_hz: float = 16000.0,
    hop: int,
    range_db: float,
    single: float = 1e-5,
    **how: Any,
) -> Case:
    target = energy_decay.decay_target(energy_decay_curves, rate_hz, hop=hop, range_db=range_db)
    return Case(
        "decay",
        name,
        (h,),
        lambda form, x: form.distance(x[0], target, weights),
        {SINGLE: single, DOUBLE: 1e-10},
        close={SINGLE: (1e-5, 1e-5), DOUBLE: (1e-7, 1e-7)},
        **how,
    )


def echo_case(
    name: str,
    h: Tensor,
    length: int,
    hop: int,
    variant: str,
    *,
    rate_hz: float,
    steepest: float = 1e9,
    **how: Any,
) -> Case:
    """A target, and weights of its frames, that pull every frame its own way."""
    settings = echo_density.settings(length, rate_hz, hop=hop, variant=variant)
    settings = type(settings)(
        settings.window, np.minimum(settings.steepness, steepest), settings.invariant, hop
    )
    frames = settings.steepness.size
    target = EchoTarget(
        settings, randn(h.shape[-2], frames, seed=5), randn(h.shape[-2], frames, seed=6) / frames
    )
    # Where a sample is zero, its magnitude has no slope.
    sounding = h != 0

    def call(form: Any, x: Sequence[Tensor]) -> Sequence[Tensor]:
        signal = x[0] * sounding.to(x[0].device)
        return form.distance(signal, target), form.profile(signal, settings)

    return Case(
        "echo", name, (h,), call, {SINGLE: 2e-4, DOUBLE: 1e-9},
        close={SINGLE: (0.0, 5e-5), DOUBLE: (1e-9, 1e-12)}, **how,
    )  # fmt: skip


def octaves_case(name: str, seconds: float, **how: Any) -> Case:
    """Two channels of a room, and networks that decay faster; inputs bend them, so that they can be few."""
    rate_hz = 16000
    room = decaying_noise(2, round(seconds * rate_hz), time_s=0.3 * seconds, rate_hz=rate_hz)
    measured = [room_parameters(channel, rate_hz, "none") for channel in room.numpy()]
    target = octave_decay.octave_target(measured, rate_hz)
    # A length that a transform of every band does not divide.
    h = decaying_noise(2, 2, target.length + 37, time_s=0.25 * seconds, rate_hz=rate_hz, seed=2)
    bends = randn(3, h.shape[-1], seed=3)

    def call(form: Any, x: Sequence[Tensor]) -> Sequence[Tensor]:
        return form.distance(h.to(x[0]) * (1 + x[0] @ bends.to(x[0])), target, (0.7, 1.3, 0.4))

    return Case("octaves", name, (0.1 * randn(2, 2, 3, seed=4),), call, {SINGLE: 5e-4, DOUBLE: 1e-9}, **how)


def colour_case(name: str, rate_hz: int, n: int, **how: Any) -> Case:
    """Two rooms of different length, one with a window more, and responses that inputs bend."""
    rooms = [
        colour.colour_target(target_of(decaying_noise(1, length, rate_hz=rate_hz).numpy(), rate_hz))
        for length in (1200, 2400)
    ]
    assert rooms[0].n_fft.shape[1] < rooms[1].n_fft.shape[1]
    target = colour.stack(rooms)
    h = decaying_noise(3, 2, n, time_s=0.2, rate_hz=rate_hz, seed=2)
    bends = randn(3, n, seed=3)

    def call(form: Any, x: Sequence[Tensor]) -> Sequence[Tensor]:
        return (form.distance(h.to(x[0]) * (1 + x[0] @ bends.to(x[0])), target),)

    return Case("colour", name, (0.1 * randn(3, 2, 3, seed=4),), call, {SINGLE: 1e-4, DOUBLE: 1e-9}, **how)


def relief_case(name: str, rate_hz: int, n: int, **how: Any) -> Case:
    """Two rooms of different length, and responses that are shorter than one of them, which inputs bend."""
    rooms = [
        energy_relief.relief_target(target_of(decaying_noise(1, length, rate_hz=rate_hz).numpy(), rate_hz))
        for length in (1200, 1400)
    ]
    target = energy_relief.stack(rooms)
    h = decaying_noise(3, 2, n, time_s=0.2, rate_hz=rate_hz, seed=2)
    bends = randn(3, n, seed=3)

    def call(form: Any, x: Sequence[Tensor]) -> Sequence[Tensor]:
        bent = h.to(x[0]) * (1 + x[0] @ bends.to(x[0]))
        return (form.distance(bent, on_device(target, bent.device)),)

    return Case("relief", name, (0.1 * randn(3, 2, 3, seed=4),), call, {SINGLE: 1e-4, DOUBLE: 1e-9}, **how)


def ringing_case(name: str, **how: Any) -> Case:
    """A late part of two channels in each of which some lines stand out; inputs bend the responses."""
    rate_hz, n = 8000, 4000
    room = decaying_noise(2, n, time_s=0.5, rate_hz=rate_hz)
    parts = ringing.ringing_targets(target_of(room.numpy(), rate_hz))
    t = torch.arange(n) / rate_hz
    tones = torch.sin(2 * torch.pi * torch.tensor([[440.0], [1234.0]], dtype=DOUBLE) * t)
    h = decaying_noise(3, 2, n, time_s=0.5, rate_hz=rate_hz, seed=2)
    h = h + 0.02 * tones * 10 ** (-3 * t / 0.5)
    bends = randn(3, n, seed=3)

    def call(form: Any, x: Sequence[Tensor]) -> Sequence[Tensor]:
        bent = h.to(x[0]) * (1 + x[0] @ bends.to(x[0]))
        return [form.distance(bent, on_device(part, bent.device)) for part in parts]

    return Case("ringing", name, (0.1 * randn(3, 2, 3, seed=4),), call, {SINGLE: 1e-4, DOUBLE: 1e-9}, **how)


def filter_case(name: str, n_fft: int, lines: int = 3, forms: tuple[str, ...] = ()) -> Case:
    gains, sos = loop_filters(lines)

    def call(form: Any, x: Sequence[Tensor]) -> Sequence[Tensor]:
        # What stands for one in a denominator is not learned.
        sections = torch.cat((x[1][..., :3], torch.ones_like(x[1][..., :1]), x[1][..., 3:]), -1)
        return (form.filter_response(x[0], sections, n_fft, x[0].dtype.to_complex()),)

    return Case(
        "filters", name, (gains, sos[..., [0, 1, 2, 4, 5]]), call, {SINGLE: 1e-5, DOUBLE: 1e-10}, forms
    )


def fourier_cases(n: int, rows: int = 6) -> Iterator[Case]:
    bounds = {SINGLE: 1e-6, DOUBLE: 1e-14}
    yield Case(
        "fourier", f"forwards, {rows} of {n}", (randn(rows, n),), lambda form, x: (form.rfft(x[0]),), bounds
    )
    # The imaginary part of the first and (for even lengths) the last bin has no effect on a real signal.
    seen = torch.ones(n // 2 + 1, dtype=DOUBLE)
    seen[0], seen[-1] = 0.0, n % 2
    yield Case(
        "fourier",
        f"back, {rows} of {n}",
        (randn(rows, n // 2 + 1, seed=1), randn(rows, n // 2 + 1, seed=2)),
        lambda form, x: (form.irfft(torch.complex(x[0], x[1] * seen.to(x[1])), n),),
        bounds,
    )


def rotation_case(scale: float, lines: int = 6) -> Case:
    return Case(
        "rotation",
        f"{lines} lines, scale {scale}",
        (scale * randn(4, lines, lines, seed=2),),
        lambda form, x: (form.rotation(x[0]),),
        {SINGLE: 1e-6, DOUBLE: 1e-12},
    )


def time_domain_case(
    delays: Sequence[int],
    length: int,
    *,
    batch: int = 1,
    inputs: int = 1,
    outputs: int = 1,
    sections: int = 0,
    heard: int = 1,
    shared: bool = False,
    learned: bool = False,
) -> Case:
    """Networks on whole delays; those of a batch have theirs in another order.

    `learned` delays lie between samples. `heard` samples enter in each run.
    """
    lines = len(delays)
    whole = torch.tensor([[*delays[b:], *delays[:b]] for b in range(batch)], dtype=DOUBLE)
    matrix = torch.linalg.qr(randn(batch, lines, lines, seed=5))[0]
    gain = 0.85 + 0.1 * torch.rand(batch, lines, generator=torch.Generator().manual_seed(6), dtype=DOUBLE)
    tensors = [
        matrix,
        gain,
        0.5 * randn(batch, lines, inputs, seed=7),
        0.5 * randn(batch, outputs, lines, seed=8),
    ]
    signals = randn(1 if shared else batch, inputs + 1, inputs, heard, seed=9)
    if sections:
        tensors.append(loop_filters(lines)[1][:, :sections].expand(batch, -1, -1, -1).clone())

    if learned:
        tensors.append(
            whole + 0.8 * (torch.rand(whole.shape, generator=torch.Generator().manual_seed(10)) - 0.5)
        )

    def call(form: Any, x: Sequence[Tensor]) -> Sequence[Tensor]:
        entering, u, g, b, c, *sos = x
        delays = sos.pop() if learned else whole.to(u)
        network = Parameters(u, g, delays, b, c, u.new_zeros(0))
        return (form.run(network, sos[0] if sos else None, entering, length),)

    shape = f"{batch} x {outputs} x {inputs}, {sections} sections, {heard} heard{', learned' * learned}"
    return Case(
        "time_domain",
        f"{lines} lines from {min(delays)}, {length}, {shape}",
        (signals, *tensors),
        call,
        {SINGLE: 1e-5, DOUBLE: 1e-11},
    )


def adam_state(dtype: torch.dtype, device: torch.device) -> Rows:
    """Values, moments, best values and best losses of three rows of five ones."""
    values = torch.ones(3, 5, dtype=dtype, device=device)
    none = torch.zeros_like(values)
    return Rows(values, none, none.clone(), values.clone(), torch.full((3,), torch.inf, dtype=DOUBLE))


def adam_case() -> Case:
    """Several steps, one row of which diverges on the way by its gradient and one by its loss."""
    gradients, losses = randn(8, 3, 5, seed=4), torch.rand(8, 3, generator=torch.Generator().manual_seed(4))
    gradients[3, 1, 2], losses[3, 2] = torch.nan, torch.inf

    def call(form: Any, x: Sequence[Tensor]) -> Sequence[Tensor]:
        state = adam_state(x[0].dtype, x[0].device)
        rates = torch.linspace(0.0, 0.1, 5, dtype=x[0].dtype, device=x[0].device)
        for index, gradient in enumerate(x[0].detach()):
            form.step(state, gradient.clone(), losses[index].double(), rates, index + 1)
        return state

    return Case("adam", "eight steps", (gradients,), call, {SINGLE: 1e-6}, close={SINGLE: (1e-5, 1e-7)})


# --- what is compared ---


def cases() -> Iterator[Case]:
    """Every operation in all its branches, for the GPU's forms in sizes for Triton's interpreter."""
    sizes = ((1, 500, 1, 1, 1), (2, 63, 3, 1, 2), (5, 3001, 2, 2, 3), (6, 2400, 2, 1, 1), (16, 600, 1, 1, 1))
    large = (
        (1, 1024, 1, 1, 1),
        (2, 1025, 3, 1, 2),
        (6, 4000, 2, 2, 3),
        (16, 1501, 2, 1, 1),
        (32, 1200, 1, 1, 1),
    )
    small_ones = product(sizes, (False, True), (0.9, 0.999), [300.0], [("cuda",)])
    large_ones = product(large, (False, True), (0.9, 0.97, 0.999), [400.0], [("cpu",)])
    for (lines, n_fft, batch, inputs, outputs), per_bin, gain, longest, forms in (*small_ones, *large_ones):
        yield response_case(
            f"{lines} lines, {batch} x {outputs} x {inputs}, {n_fft}, {'per bin' if per_bin else 'flat'}, {gain}",
            n_fft, forms, lines=lines, batch=batch, inputs=inputs, outputs=outputs, per_bin=per_bin, gain=gain,
            longest=longest,
        )  # fmt: skip

    for hop in (1, 8, 13):
        yield decay_case(
            f"noise, hop {hop}", decaying_noise(3, 2, 4300, time_s=0.22, seed=1),
            curves(decaying_noise(2, 4000)), (0.7, 1.3, 0.4), hop=hop, range_db=50.0, single=2e-4,
        )  # fmt: skip
    for length, hop, tail in ((1200, 8, 0), (801, 5, 130), (90, 24, 7), (40, 1, 3)):
        h = (
            0.3
            * randn(3, 2, length + tail, seed=3)
            * torch.exp(-torch.arange(length + tail) / (length / 4.0))
        )
        h[1, 1] = 0.0
        slow, fast = (np.exp(-np.arange(length) / (length / rate)) for rate in (7.0, 11.0))
        yield decay_case(
            f"one silent of {length} + {tail}, hop {hop}", h, np.stack([slow, fast]), (0.5, 1.0, 0.7),
            rate_hz=1000.0, hop=hop, range_db=40.0,
        )  # fmt: skip

    for variant in ("invariant", "published"):
        for hop in (1, 8, 16):
            h = decaying_noise(3, 2, 1243, seed=1)
            yield echo_case(f"{variant}, hop {hop}", h, 1203, hop, variant, rate_hz=16000.0, forms=("cpu",))
        for length, hop in ((700, 7), (401, 16), (130, 1), (3, 1)):
            h = 0.05 * randn(2, 2, length + 9, seed=4)
            h[0, 0, :5] = 0.0
            yield echo_case(f"{variant}, {length}, hop {hop}", h, length, hop, variant, rate_hz=8000.0)

    yield octaves_case("a short room", 0.4)
    yield octaves_case("a longer room", 0.8)

    for rate_hz, n in ((8000, 1500), (8000, 1300), (7150, 1500)):
        yield relief_case(f"{n} samples at {rate_hz} Hz", rate_hz, n)
    for n in (2300, 2600):
        yield colour_case(f"{n} samples", 8000, n)
    yield ringing_case("two channels")

    for n_fft in (2, 3, 13, 16, 255, 256):
        yield filter_case(f"{n_fft}", n_fft)
    # The CPU interpolates from here on: see `test_filter_grid.py`.
    yield filter_case("3000", 3000, forms=("cuda",))

    # Blocks of one sample, of less than a register, of several; lines that fill registers and that do not.
    yield time_domain_case((1, 2, 5), 40, inputs=2, outputs=2)
    yield time_domain_case((2, 3, 6), 40, inputs=2, outputs=2, learned=True)
    yield time_domain_case((7, 11, 13, 16, 17), 90, batch=2, outputs=2, sections=2, heard=30)
    yield time_domain_case(
        (37, 41, 43, 47, 53, 59), 400, batch=3, inputs=2, outputs=3, sections=9, shared=True
    )
    yield time_domain_case(tuple(range(130, 147)), 500, sections=4, heard=120)
    yield time_domain_case(tuple(range(50, 67)), 300, batch=2, sections=4, heard=20, learned=True)
    yield time_domain_case(tuple(range(70, 102)), 300, batch=2, sections=3)
    # Few long ones go in parts, of even and of odd length.
    for n, rows in ((16, 6), (17, 6), (4096, 1), (4100, 3)):
        yield from fourier_cases(n, rows)
    for scale in (0.0, 1e-3, 0.3, 3.0, 40.0):
        yield rotation_case(scale)
    yield rotation_case(1.0, lines=1)
    yield adam_case()


def gradient_cases() -> Iterator[Case]:
    """For finite differences: all tensors small."""
    for n_fft, per_bin in product((12, 13), (False, True)):
        how = {"lines": 3, "batch": 2, "inputs": 2, "outputs": 2, "per_bin": per_bin, "longest": 20.0}
        name = f"{n_fft}, {'per bin' if per_bin else 'flat'}"
        yield response_case(f"impulse response, {name}", n_fft, **how)
        yield spectrum_case(f"response, {name}", n_fft, **how)
    for index, term in enumerate(("edc", "edc_db", "attributes")):
        one = (float(index == 0), float(index == 1), float(index == 2))
        # Not of unit energy: the term in decibels has a kink where the curves meet.
        yield decay_case(
            term, 0.9 * decaying_noise(2, 1, 170, time_s=0.006, seed=2), curves(decaying_noise(1, 160, time_s=0.008)),
            one, hop=4, range_db=40.0, step=1e-7,
        )  # fmt: skip
    for variant in ("invariant", "published"):
        # The ramp of the published slope ends where double precision no longer resolves its sigmoid's differences.
        yield echo_case(
            variant, decaying_noise(2, 1, 70, time_s=0.1, rate_hz=1000, seed=3), 70, 3, variant,
            rate_hz=1000.0, steepest=1e3, step=1e-8, slack=1e-4,
        )  # fmt: skip
    yield octaves_case("a short room", 0.4, step=1e-7)
    yield relief_case("two rooms", 8000, 1500)
    yield colour_case("two rooms", 8000, 2300)
    yield ringing_case("two channels")
    yield filter_case("64", 64, lines=2)
    yield time_domain_case((2, 3, 5), 14, batch=2, inputs=2, outputs=2, heard=3)
    yield time_domain_case((3, 4), 12, sections=3, heard=2)
    yield from fourier_cases(8)
    for scale in (0.1, 2.0):
        yield rotation_case(scale, lines=4)
