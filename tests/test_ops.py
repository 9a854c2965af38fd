"""The operations: every form equals the reference, in values and gradients, and every gradient is the right one.

The GPU's forms run on a GPU where there is one, else in Triton's interpreter.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch
from ops_cases import DOUBLE, GPU, SINGLE, Case, adam_state, cases, gradient_cases, randn, relative_error
from torch import Tensor

import fdnlearn.ops
from fdnlearn.base.errors import UsageError
from fdnlearn.ops.dispatch import DEVICE_FORMS, FORMS, REFERENCE, form_for, form_name, get_form

#: Gradients of fewer numbers than these may vanish by accident.
_FEW = 4


@pytest.fixture(autouse=True, scope="module")
def one_torch_thread() -> Iterator[None]:
    """Small batched solves are ten times slower when torch wakes a second thread for each."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def results(
    case: Case, form: str, dtype: torch.dtype, rounded_to: torch.dtype
) -> tuple[list[Tensor], list[Tensor]]:
    """What a form makes of a case, and the gradients of a random projection of it, on the CPU."""
    device = GPU if form == "cuda" else torch.device("cpu")
    leaves = []
    for x in case.inputs:
        kind, narrow = ((t.to_complex() if x.is_complex() else t) for t in (dtype, rounded_to))
        leaves.append(x.detach().to(narrow).to(device, kind).requires_grad_())
    values = case.call(get_form(case.operation, form), leaves)
    learned = [value for value in values if value.requires_grad]
    gradients = _projected(learned, leaves, 1) if learned else []
    return [x.detach().cpu() for x in values], [x.cpu() for x in gradients]


def _projected(values: list[Tensor], leaves: list[Tensor], seed: int, *, again: bool = False) -> list[Tensor]:
    outer = [randn(*value.shape, seed=seed, dtype=SINGLE).to(value) for value in values]
    projected = sum((value * o).real.sum() for value, o in zip(values, outer, strict=True))
    assert isinstance(projected, Tensor)
    return list(torch.autograd.grad(projected, leaves, retain_graph=again))


def sizes(case: Case, rounded_to: torch.dtype, gradients: list[Tensor]) -> list[float]:
    """How large each gradient is: its norm, of few numbers the rms of those of several projections.

    The gradient of one number is a sum that nearly vanishes under some projections; it is rounded as its terms are.
    """
    norms = [float(gradient.norm()) for gradient in gradients]
    if min((gradient.numel() for gradient in gradients), default=_FEW) < _FEW:
        leaves = [
            x.detach().to(rounded_to.to_complex() if x.is_complex() else rounded_to) for x in case.inputs
        ]
        leaves = [x.to(torch.complex128 if x.is_complex() else DOUBLE).requires_grad_() for x in leaves]
        values = [v for v in case.call(get_form(case.operation, REFERENCE), leaves) if v.requires_grad]
        several = [_projected(values, leaves, seed, again=True) for seed in range(1, 9)]
        for index, gradient in enumerate(gradients):
            if gradient.numel() < _FEW:
                norms[index] = math.sqrt(sum(float(one[index].norm()) ** 2 for one in several) / len(several))
    return norms


@pytest.mark.parametrize(
    ("case", "form", "dtype"),
    [
        pytest.param(case, form, dtype, id=f"{form}, {case}, {str(dtype).removeprefix('torch.')}")
        for case in cases()
        for form in case.held()
        for dtype in case.bounds
    ],
)
def test_every_form_equals_the_reference_in_double(case: Case, form: str, dtype: torch.dtype) -> None:
    values, gradients = results(case, form, dtype, dtype)
    true_values, true_gradients = results(case, REFERENCE, DOUBLE, dtype)
    assert [x.shape for x in values] == [x.shape for x in true_values]
    assert len(gradients) == len(true_gradients)
    for gradient, x in zip(gradients, case.inputs, strict=False):
        assert gradient.dtype == (dtype.to_complex() if x.is_complex() else dtype)
    errors = [relative_error(a, b) for a, b in zip(values, true_values, strict=True)]
    for size, a, b in zip(sizes(case, dtype, true_gradients), gradients, true_gradients, strict=True):
        errors.append(relative_error(a, b) * (float(b.norm()) / size if size else 1.0))
    assert max(errors) <= case.bounds[dtype], errors
    if dtype in case.close:
        rtol, atol = case.close[dtype]
        for value, truth in zip(values, true_values, strict=True):
            torch.testing.assert_close(value.to(truth), truth, rtol=rtol, atol=atol)


# The GPU's gradients are held to the reference's: finite differences in Triton's interpreter would take minutes.
@pytest.mark.parametrize("form", [REFERENCE, "cpu"])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=str(case), marks=pytest.mark.long if case.operation == "response" else ())
        for case in gradient_cases()
    ],
)
def test_every_gradient_is_that_of_finite_differences(case: Case, form: str) -> None:
    leaves = [x.detach().clone().requires_grad_() for x in case.inputs]
    module = get_form(case.operation, form)
    assert torch.autograd.gradcheck(lambda *x: case.call(module, x), leaves, eps=case.step, atol=case.slack)


@pytest.mark.parametrize(
    ("case", "form"),
    [pytest.param(c, form, id=f"{form}, {c}") for c in gradient_cases() for form in FORMS[c.operation]],
)
def test_no_gradient_is_kept_where_none_is_asked_for(case: Case, form: str) -> None:
    device = GPU if form == "cuda" else torch.device("cpu")
    inputs = [x.to(device) for x in case.inputs]
    module = get_form(case.operation, form)
    assert not any(x.requires_grad for x in case.call(module, inputs))
    last = inputs[-1].clone().requires_grad_()
    learned = [x for x in case.call(module, [*inputs[:-1], last]) if x.requires_grad]
    sum(x.abs().sum() for x in learned).backward()  # type: ignore[union-attr]
    assert last.grad is not None
    assert all(x.grad is None for x in inputs)


@pytest.mark.parametrize("form", FORMS["adam"])
def test_a_step_moves_what_has_a_rate_and_nothing_else(form: str) -> None:
    rows = adam_state(SINGLE, GPU if form == "cuda" else torch.device("cpu"))
    values = rows.values
    rates = torch.linspace(0.0, 0.1, 5, device=values.device)
    gradient = randn(3, 5, dtype=SINGLE).to(values.device)
    get_form("adam", form).step(rows, gradient, torch.ones(3, dtype=DOUBLE), rates, 1)
    assert bool((values[:, 0] == 1).all())
    assert bool((values[:, 1:] != 1).all())


def test_the_table_names_every_form_there_is() -> None:
    root = Path(fdnlearn.ops.__path__[0])
    folders = {path.name for path in root.iterdir() if (path / "__init__.py").exists()}
    assert set(FORMS) == folders
    for operation, names in FORMS.items():
        there = {
            name for name in (REFERENCE, *DEVICE_FORMS.values()) if (root / operation / f"{name}.py").exists()
        }
        assert set(names) == there


@pytest.mark.parametrize("operation", FORMS)
def test_forms_of_an_operation_have_the_same_functions(operation: str) -> None:
    """Those that the operation offers, of the same parameters in the same order."""
    offered = vars(import_module(f"fdnlearn.ops.{operation}"))
    reference = get_form(operation, REFERENCE)
    names = [name for name, f in offered.items() if inspect.isfunction(f) and name in vars(reference)]
    assert names
    for form in FORMS[operation]:
        for name in names:
            function, expected = (getattr(get_form(operation, f), name) for f in (form, REFERENCE))
            assert inspect.signature(function) == inspect.signature(expected), (form, name)


def test_every_device_has_a_form() -> None:
    assert form_name("response", "cpu") == "cpu"
    assert form_name("response", "cuda") == "cuda"
    assert form_name("response", "mps") == REFERENCE
    assert form_name("rotation", "cuda") == REFERENCE
    assert set(DEVICE_FORMS.values()) <= set(FORMS["response"])
    for operation in FORMS:
        assert form_for(operation, "cpu") is get_form(operation, "cpu")


def test_an_unknown_form_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="choose one of reference, cpu, cuda"):
        get_form("response", "nonsense")
    with pytest.raises(UsageError, match="choose one of reference, cpu"):
        get_form("rotation", "cuda")
