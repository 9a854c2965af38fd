"""The hot loops alone: one signature, several implementations.

A kernel offers ``response(feedback_matrix, loop_gain, delays_samples, input_gains, output_gains, n_fft) -> H`` and
``impulse_response(..., output_gains, direct_gains, n_fft) -> h``, its inverse real transform (B, O, I, n_fft) with the
direct gains (B, O, I) added at the first sample. Both are differentiable in all tensors:

=================  ===========  =========================================================================
feedback_matrix    (B, N, N)    U, real; ``|U F| < 1`` at every frequency
loop_gain          (B, N)       F, real: the same gain at all frequencies, or
                   (B, N, K)    complex: any filter, one value a line and bin
delays_samples     (B, N)       m, real, fractional delays allowed
input_gains        (B, N, I)    b
output_gains       (B, O, N)    c
n_fft              int          K = n_fft // 2 + 1 bins, 0 to the Nyquist frequency
H                  (B, O, I, K) ``C (diag(e^{+jwm}) - U diag(F))^{-1} B``, complex; the direct gain is not in it
=================  ===========  =========================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from fdnlearn.base.errors import UsageError

#: Kernel name -> module that holds its `response` and `impulse_response`.
KERNELS = {
    "reference": "fdnlearn.ops.response.reference",
    "cpu": "fdnlearn.ops.response.cpu",
    "cuda": "fdnlearn.ops.response.cuda",
}

#: Device type -> the kernel that serves it.
DEVICE_KERNELS = {"cpu": "cpu", "cuda": "cuda"}


@dataclass(frozen=True)
class Kernel:
    """One implementation of the frequency and impulse response."""

    name: str
    response: Callable[..., Any]
    impulse_response: Callable[..., Any]


def get_kernel(name: str) -> Kernel:
    """Return the kernel called `name`.

    Raises
    ------
    UsageError
        If there is no such kernel.
    """
    if name not in KERNELS:
        raise UsageError(f"kernel {name!r}", "unknown", f"choose one of {', '.join(KERNELS)}")
    module = import_module(KERNELS[name])
    return Kernel(name, module.response, module.impulse_response)


def kernel_for(device_type: str) -> Kernel:
    """Return the fastest kernel for a torch device type."""
    return get_kernel(DEVICE_KERNELS.get(device_type, "reference"))
