"""Types that signatures are written with, and their check while tests run.

An array in the signature of a public function, of a dataclass or of a kernel's entry function names its dimensions::

    @shapes_checked
    def coherence(h: Float64[FloatArray, "channels samples"], part: LatePart) -> Float64[FloatArray, "pairs bands"]:

`FloatArray` is what mypy reads; what stands around it is checked at run time, and only where FDNLEARN_CHECK_SHAPES=1
was set before this module was imported, as in tests/conftest.py: a dimension that is named twice in one signature must
have one size (jaxtyping, with beartype for everything that is no array). Elsewhere `shapes_checked` returns what it is
given, the annotations are plain remarks, and neither library is imported or need be installed.

How to annotate. Everything comes from here, never from jaxtyping, whose import takes a quarter of a second:
``from fdnlearn.base.types import Float64, FloatArray, shapes_checked``. Dimensions are called channels, outputs,
inputs, lines, samples, bins, bands, sections, knots, batch; a single one has a space in front (``" samples"``), so that
linters do not take it for a name; a fixed size is a number (``"sections 6"``), any leading dimensions are ``"*batch
samples"``, and a size that follows from another is a sum (``"samples+1"``). Tensors are written the same way,
``Float[Tensor, "batch lines"]``, and what may be an array or a tensor is ``Float64[Any, "lines"]``; a name imported for
type checking only is not checked, so the array's own type must be imported for real. The decorator stands next to the
function, below ``@property`` or ``@staticmethod``, and above ``@dataclass``, whose ``__init__`` it then checks; a named
tuple is not checked when it is made, but where a decorated function takes its parts. What Numba or Triton compile is
never decorated: decorate the function that calls it. Nor is a function with a protocol in its signature, unless that is
``@runtime_checkable``, nor a method of a protocol.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

#: Whether shapes are checked in this process.
CHECKING = os.environ.get("FDNLEARN_CHECK_SHAPES") == "1"

if CHECKING and not TYPE_CHECKING:
    from beartype import BeartypeConf, beartype
    from jaxtyping import Bool, Complex, Complex128, Float, Float32, Float64, Int, Int64, Shaped, jaxtyped

    # A whole number is a float, as it is for mypy.
    _typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
else:
    from typing import Annotated as Bool
    from typing import Annotated as Complex
    from typing import Annotated as Complex128
    from typing import Annotated as Float
    from typing import Annotated as Float32
    from typing import Annotated as Float64
    from typing import Annotated as Int
    from typing import Annotated as Int64
    from typing import Annotated as Shaped

__all__ = [
    "CHECKING",
    "Array",
    "AudioArray",
    "Bool",
    "BoolArray",
    "Complex",
    "Complex128",
    "ComplexArray",
    "Float",
    "Float32",
    "Float64",
    "FloatArray",
    "Int",
    "Int64",
    "IntArray",
    "Shaped",
    "shapes_checked",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
ComplexArray = npt.NDArray[np.complex128]
BoolArray = npt.NDArray[np.bool_]
#: Audio in single or double precision.
AudioArray = npt.NDArray[np.floating]
#: Of any type: what kernels take and give.
Array = np.ndarray[Any, Any]

Checked = TypeVar("Checked", bound=Callable[..., Any])


def shapes_checked(checked: Checked) -> Checked:
    """Have the annotated shapes of a function, or of a dataclass, checked in tests; anywhere else, change nothing.

    Raises
    ------
    jaxtyping.TypeCheckError
        By the decorated function, where an argument or the result is not what the annotations say.
    """
    if CHECKING and not TYPE_CHECKING:
        return jaxtyped(checked, typechecker=_typechecker)
    return checked
