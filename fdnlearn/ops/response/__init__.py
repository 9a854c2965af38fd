"""Frequency and impulse response of a feedback delay network.

On K = n_fft // 2 + 1 bins, 0 to the Nyquist frequency, the network is (N lines, I inputs, O outputs, a batch of B)

    H = C (diag(e^{+jwm}) - U diag(F))^{-1} B        (B, O, I, K), complex

and its impulse response the inverse real transform (B, O, I, n_fft) of H, with the direct gains D added at the first
sample. It is periodic with `n_fft`, which must hold its decay: what is left folds back. Both functions are
differentiable in all tensors that they use.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from fdnlearn.base.types import Complex, Float, shapes_checked
from fdnlearn.ops.dispatch import form_name, get_form

#: Largest loop gain solved in single precision; rounding grows as 1 / (1 - gain).
SINGLE_PRECISION_LIMIT = 0.98


class Parameters(NamedTuple):
    """The tensors of a batch of networks.

    Attributes
    ----------
    feedback_matrix : Tensor, shape (B, N, N)
        U, real; ``|U F| < 1`` at every frequency.
    loop_gain : Tensor, shape (B, N) or (B, N, K)
        F: real, the same gain at all frequencies; or complex, any filter, one value a line and bin.
    delays_samples : Tensor, shape (B, N)
        m, real, fractional delays allowed; may be in double beside single precision.
    input_gains : Tensor, shape (B, N, I)
        B.
    output_gains : Tensor, shape (B, O, N)
        C.
    direct_gains : Tensor, shape (B, O, I)
        D; not part of H.
    """

    feedback_matrix: Float[Tensor, "batch lines lines"]
    loop_gain: Float[Tensor, "batch lines"] | Complex[Tensor, "batch lines bins"]
    delays_samples: Float[Tensor, "batch lines"]
    input_gains: Float[Tensor, "batch lines inputs"]
    output_gains: Float[Tensor, "batch outputs lines"]
    direct_gains: Float[Tensor, "batch outputs inputs"]


@shapes_checked
def response(
    network: Parameters, n_fft: int, form: str | None = None
) -> Complex[Tensor, "batch outputs inputs bins"]:
    """Frequency response (B, O, I, K), without the direct gains.

    Parameters
    ----------
    network : Parameters
    n_fft : int
    form : str, optional
        Of `fdnlearn.ops.dispatch.FORMS`, in place of the device's own.

    Raises
    ------
    UsageError
        If there is no such form.
    """
    spectrum: Tensor = _form(form, *network).response(network, n_fft)
    return spectrum


@shapes_checked
def impulse_response(
    network: Parameters, n_fft: int, form: str | None = None
) -> Float[Tensor, "batch outputs inputs samples"]:
    """Periodic impulse response (B, O, I, n_fft); parameters as in `response`."""
    h: Tensor = _form(form, *network).impulse_response(network, n_fft)
    return h


@shapes_checked
def _form(
    name: str | None,
    feedback_matrix: Float[Tensor, "batch lines lines"],
    loop_gain: Float[Tensor, "batch lines"] | Complex[Tensor, "batch lines bins"],
    delays_samples: Float[Tensor, "batch lines"],
    input_gains: Float[Tensor, "batch lines inputs"],
    output_gains: Float[Tensor, "batch outputs lines"],
    direct_gains: Float[Tensor, "batch outputs inputs"],
) -> Any:
    """The form called `name`, or the device's own; a tuple is not checked when it is made, so its parts are here."""
    return get_form("response", name or form_name("response", feedback_matrix.device.type))
