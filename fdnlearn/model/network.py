"""Physical parameters of a batch of networks and the impulse response they produce."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fdnlearn.kernels import Kernel


@dataclass(frozen=True)
class Network:
    """Parameters of B feedback delay networks with N lines, I inputs and O outputs, all differentiable.

    Attributes
    ----------
    feedback_matrix : Tensor, shape (B, N, N)
        U, orthogonal: row i feeds line i.
    loop_gain : Tensor, shape (B, N), real, or (B, N, K), complex
        Absorption of each line, after the output tap and before U.
    delays_samples : Tensor, shape (B, N)
    input_gains : Tensor, shape (B, N, I)
    output_gains : Tensor, shape (B, O, N)
    direct_gains : Tensor, shape (B, O, I)
    """

    feedback_matrix: Tensor
    loop_gain: Tensor
    delays_samples: Tensor
    input_gains: Tensor
    output_gains: Tensor
    direct_gains: Tensor

    def impulse_response(self, n_fft: int, kernel: Kernel) -> Tensor:
        """Impulse responses by frequency sampling: the inverse transform of H on ``n_fft // 2 + 1`` bins.

        The response is periodic with `n_fft`, so `n_fft` must hold its decay: what is left folds back.

        Returns
        -------
        Tensor, shape (B, O, I, n_fft)
        """
        h: Tensor = kernel.impulse_response(
            self.feedback_matrix,
            self.loop_gain,
            self.delays_samples,
            self.input_gains,
            self.output_gains,
            self.direct_gains,
            n_fft,
        )
        return h
