"""Physical parameters of a batch of networks and the impulse response they produce."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fdnlearn.base.types import Float, Shaped, shapes_checked
from fdnlearn.model.tiling import tiled
from fdnlearn.ops.filters import filter_response
from fdnlearn.ops.fourier import irfft
from fdnlearn.ops.response import Parameters, impulse_response, response
from fdnlearn.ops.time_domain import SHORTEST_DELAY_SAMPLES, run

#: Name of the kernel that runs a network sample by sample where it can.
TIME_DOMAIN = "time_domain"

#: Samples after which an equaliser is silent: its slowest section, a third of an octave at 50 Hz, has then fallen by
#: 60 dB and more at 48 kHz.
_TONE_SAMPLES = 8192


@shapes_checked
@dataclass(frozen=True)
class Network:
    """Parameters of B feedback delay networks with N lines, I inputs and O outputs, all differentiable.

    Attributes
    ----------
    feedback_matrix : Tensor, shape (B, N, N)
        U, orthogonal: row i feeds line i.
    loop_gain : Tensor, shape (B, N), real
        Absorption of each line, after the output tap and before U.
    delays_samples : Tensor, shape (B, N)
    input_gains : Tensor, shape (B, N, I)
    output_gains : Tensor, shape (B, O, N)
    direct_gains : Tensor, shape (B, O, I)
    loop_sos : Tensor, shape (B, N, S, 6), optional
        Sections ``b0 b1 b2 1 a1 a2`` in series with `loop_gain`.
    tone_sos : Tensor, shape (B, T, 6), optional
        Sections on the late part of every output.
    late_delays_samples : tuple of int, length R
        By how much the late part comes later than its network says; of network b it is number ``b % R``.
    tap_gains : Tensor, shape (B, O, P), optional
        Early taps of every output, from every input.
    tap_positions : Tensor, shape (B, O, P), optional
        Samples after the direct sound; of a tap between two samples both have their share.
    whole : bool
        Whether delays and taps are on whole samples and not learned.
    rounding : bool
        Whether delays that are learned may be rounded where the network is run sample by sample.
    """

    feedback_matrix: Float[Tensor, "batch lines lines"]
    loop_gain: Float[Tensor, "batch lines"]
    delays_samples: Float[Tensor, "batch lines"]
    input_gains: Float[Tensor, "batch lines inputs"]
    output_gains: Float[Tensor, "batch outputs lines"]
    direct_gains: Float[Tensor, "batch outputs inputs"]
    loop_sos: Float[Tensor, "batch lines sections 6"] | None = None
    tone_sos: Float[Tensor, "batch tone_sections 6"] | None = None
    late_delays_samples: tuple[int, ...] = (0,)
    tap_gains: Float[Tensor, "batch outputs taps"] | None = None
    tap_positions: Shaped[Tensor, "batch outputs taps"] | None = None
    whole: bool = False
    rounding: bool = False

    @shapes_checked
    def impulse_response(
        self, n_fft: int, kernel: str | None = None
    ) -> Float[Tensor, "batch outputs inputs samples"]:
        """Impulse responses by frequency sampling: the inverse transform of H on ``n_fft // 2 + 1`` bins.

        The response is periodic with `n_fft`, so `n_fft` must hold its decay: what is left folds back. `kernel` names a
        form of `fdnlearn.ops.response` in place of the device's own, or is `TIME_DOMAIN`: where delays are whole or may
        be rounded, the first `n_fft` samples of the response are then computed one by one (`fdnlearn.ops.time_domain`).

        Returns
        -------
        Tensor, shape (B, O, I, n_fft)
        """
        plain = Parameters(
            self.feedback_matrix,
            self.loop_gain,
            self.delays_samples,
            self.input_gains,
            self.output_gains,
            self.direct_gains,
        )
        if kernel == TIME_DOMAIN:
            possible = float(self.delays_samples.detach().min()) >= SHORTEST_DELAY_SAMPLES
            if possible and (self.whole or self.rounding):
                return self._with_early(self._late(plain, n_fft))
            kernel = None
        if self.loop_sos is None and self.tone_sos is None:
            return impulse_response(plain, n_fft, kernel)
        kind = torch.complex64 if self.feedback_matrix.dtype == torch.float32 else torch.complex128
        loop = self.loop_gain
        if self.loop_sos is not None:
            loop = filter_response(loop, self.loop_sos, n_fft, kind)
        late = response(plain._replace(loop_gain=loop), n_fft, kernel)
        if self.tone_sos is not None:
            unity = torch.ones_like(self.tone_sos[:, 0, 0])
            late = late * filter_response(unity, self.tone_sos, n_fft, kind)[:, None, None]
        if any(self.late_delays_samples):
            delays = _delays(self.late_delays_samples, n_fft, kind, late.device)
            late = late * tiled(delays, len(late))[:, None, None]
        return self._with_early(irfft(late, n_fft))

    def _late(self, plain: Parameters, length: int) -> Tensor:
        """The late part (B, O, I, length), sample by sample.

        The equaliser is the same for all outputs, so that what comes behind the network may as well come before it: in
        the place of an impulse its response goes in.
        """
        batch, inputs = len(self.feedback_matrix), self.input_gains.shape[2]
        impulse = torch.eye(inputs, dtype=self.feedback_matrix.dtype)[None, :, :, None]
        if self.tone_sos is not None:
            kind = torch.complex64 if impulse.dtype == torch.float32 else torch.complex128
            unity = torch.ones_like(self.tone_sos[:, 0, 0])
            shaped = irfft(filter_response(unity, self.tone_sos, 2 * _TONE_SAMPLES, kind), 2 * _TONE_SAMPLES)
            impulse = impulse * shaped[:, None, None, :_TONE_SAMPLES].to(impulse.dtype)
        delays = tiled(torch.tensor(self.late_delays_samples), batch)
        shortest = int(delays.min())
        h = run(plain, self.loop_sos, impulse, length - shortest).transpose(1, 2)
        if shortest == int(delays.max()):
            return torch.nn.functional.pad(h, (shortest, 0))
        rows = [
            torch.nn.functional.pad(row, (late, length - row.shape[-1] - late))
            for row, late in zip(h, delays.tolist(), strict=True)
        ]
        return torch.stack(rows)

    def _with_early(self, late: Tensor) -> Tensor:
        """Direct sound and taps in front of the late part."""
        h = torch.cat((late[..., :1] + self.direct_gains[..., None], late[..., 1:]), dim=-1)
        if self.tap_gains is not None and self.tap_positions is not None:
            h = _with_taps(h, self.tap_positions, self.tap_gains)
        return h


def _with_taps(h: Tensor, positions: Tensor, gains: Tensor) -> Tensor:
    """Responses (B, O, I, n) with taps (B, O, P) added to every input's."""

    def added(h: Tensor, where: Tensor, gains: Tensor) -> Tensor:
        places = where[:, :, None].expand(-1, -1, h.shape[2], -1)
        return h.scatter_add(3, places, gains[:, :, None].expand_as(places))

    if not positions.is_floating_point():
        return added(h, positions, gains)
    below = positions.detach().floor()
    share = positions - below
    return added(added(h, below.long(), gains * (1 - share)), below.long() + 1, gains * share)


@functools.lru_cache(maxsize=4)
def _delays(samples: tuple[int, ...], n_fft: int, kind: torch.dtype, device: torch.device) -> Tensor:
    """Spectra (R, K) of delays by whole samples; their phase is reduced to whole turns in integers."""
    k = torch.arange(n_fft // 2 + 1, device=device)
    turns = (torch.tensor(samples, device=device)[:, None] * k) % n_fft
    angle = turns.double() * (-2 * math.pi / n_fft)
    return torch.polar(torch.ones_like(angle), angle).to(kind)
