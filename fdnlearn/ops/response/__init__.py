"""Frequency and impulse response of a feedback delay network.

On K = n_fft // 2 + 1 bins, 0 to the Nyquist frequency, the network is (N lines, I inputs, O outputs, a batch of B)

    H = C (diag(e^{+jwm}) - U diag(F))^{-1} B        (B, O, I, K), complex

and its impulse response the inverse real transform (B, O, I, n_fft) of H, with the direct gains D added at the first
sample. It is periodic with `n_fft`, which must hold its decay: what is left folds back. Both functions are
differentiable in all tensors that they use.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

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

    feedback_matrix: Tensor
    loop_gain: Tensor
    delays_samples: Tensor
    input_gains: Tensor
    output_gains: Tensor
    direct_gains: Tensor


def response(network: Parameters, n_fft: int, form: str | None = None) -> Tensor:
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
    spectrum: Tensor = get_form("response", form or _own(network)).response(network, n_fft)
    return spectrum


def impulse_response(network: Parameters, n_fft: int, form: str | None = None) -> Tensor:
    """Periodic impulse response (B, O, I, n_fft); parameters as in `response`."""
    h: Tensor = get_form("response", form or _own(network)).impulse_response(network, n_fft)
    return h


def _own(network: Parameters) -> str:
    return form_name("response", network.feedback_matrix.device.type)
