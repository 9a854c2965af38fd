"""Shapes that signatures name are checked while tests run, and cost nothing elsewhere."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from jaxtyping import TypeCheckError

import fdnlearn
from fdnlearn.acoustics.coherence import LatePart, coherence, late_part
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.fdn import prove
from fdnlearn.fdn.families.cap import power_gain
from fdnlearn.rir import Recording


def mixed(channels: int) -> LatePart:
    part = late_part(10.0 ** (-6.0 * np.arange(8000.0) / 8000.0), 8000.0, 0.05, 8000, channels)
    assert part is not None
    return part


def test_an_array_of_too_few_dimensions_is_refused() -> None:
    with pytest.raises(TypeCheckError, match="channels samples"):
        coherence(np.zeros(8000), mixed(2))


def test_two_arrays_that_disagree_about_a_dimension_are_refused() -> None:
    with pytest.raises(TypeCheckError, match="'gains'"):
        prove(np.eye(3), np.full(4, 0.5), np.zeros((3, 0, 6)), 48000.0)


def test_another_precision_is_refused() -> None:
    with pytest.raises(TypeCheckError, match=r"f32\[3,3\]"):
        prove(np.eye(3, dtype=np.float32), np.full(3, 0.5), np.zeros((3, 0, 6)), 48000.0)


def test_a_wrong_result_is_refused() -> None:
    @shapes_checked
    def halved(h: Float64[FloatArray, "channels samples"]) -> Float64[FloatArray, "channels samples"]:
        return h[:, ::2]

    with pytest.raises(TypeCheckError, match="return value"):
        halved(np.zeros((1, 4)))


def test_a_dataclass_is_checked_when_it_is_made() -> None:
    with pytest.raises(TypeCheckError, match="samples"):
        Recording("room.wav", "", 48000, np.zeros(10), "")


def test_tensors_are_checked_like_arrays() -> None:
    import torch

    sos = torch.ones((2, 3, 6), dtype=torch.float64)
    assert power_gain(torch, sos, torch.zeros(5, dtype=torch.float64)).shape == (2, 3, 5)  # type: ignore[arg-type]
    with pytest.raises(TypeCheckError, match="'sos'"):
        power_gain(torch, sos[..., :5], torch.zeros(5, dtype=torch.float64))  # type: ignore[arg-type]


def test_whole_numbers_are_taken_for_floats() -> None:
    assert prove(np.eye(3), np.full(3, 0.5), np.zeros((3, 0, 6)), 48000).stable


#: A process in which the variable is not set.
PLAIN = """
import sys
import numpy as np
from fdnlearn.base import types

def function(h: types.Float64[types.FloatArray, "channels samples"]) -> None: ...

assert types.shapes_checked(function) is function
import fdnlearn.export, fdnlearn.render, fdnlearn.rir
assert not hasattr(fdnlearn.fdn.prove, "__wrapped__")
assert not {"jaxtyping", "beartype"} & set(sys.modules)
"""


@pytest.mark.process
def test_a_plain_process_pays_nothing() -> None:
    assert "FDNLEARN_CHECK_SHAPES" not in os.environ, "processes that tests start are those of a user"
    subprocess.run([sys.executable, "-c", PLAIN], check=True)


@pytest.mark.process
def test_annotations_without_the_check_need_neither_library() -> None:
    hidden = "import sys; sys.modules['jaxtyping'] = sys.modules['beartype'] = None; import fdnlearn.export"
    subprocess.run([sys.executable, "-c", hidden], check=True)


def checked_functions(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """Decorated functions of a module, and those of its classes."""
    for owner in (module, *(value for value in vars(module).values() if isinstance(value, type))):
        for value in vars(owner).values():
            function = value.fget if isinstance(value, property) else value
            if getattr(function, "__module__", None) == module.__name__ and hasattr(function, "__wrapped__"):
                yield inspect.unwrap(function)


def test_every_annotated_shape_is_known_where_its_function_is_defined() -> None:
    """A name that is missing there, or imported for type checking alone, would leave its array unchecked."""
    count = 0
    for found in pkgutil.walk_packages(fdnlearn.__path__, "fdnlearn."):
        if found.name == "fdnlearn.__main__":
            continue
        module = importlib.import_module(found.name)
        for function in checked_functions(module):
            for annotation in function.__annotations__.values():
                if isinstance(annotation, str) and "'" in annotation:
                    eval(annotation, vars(module))
                    count += 1
    assert count > 100
