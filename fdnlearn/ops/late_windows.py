"""Late parts of channels and their spectra: one part, or those of many rooms at once.

A part has lines of a spacing of its own, the rate over its `n_fft`, for rooms decay at different times. Several parts
therefore go through Bluestein's chirp transform (L. I. Bluestein, "A linear filtering approach to the computation of
discrete Fourier transform", IEEE Trans. Audio Electroacoust. 18, 1970), which gives lines of any spacing out of
transforms of one length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
import torch
from torch import Tensor

from fdnlearn.base.types import Complex, Float, shapes_checked
from fdnlearn.ops.fourier import rfft


@shapes_checked
@dataclass(frozen=True, eq=False)
class LateWindows:
    """Where P parts are, and how fine their spectra.

    Attributes
    ----------
    channel, start : tuple of int, length P
        Channel and first sample of each.
    taper : Tensor, shape (P, W)
        Zero where a part has ended.
    n_fft : tuple of int, length P
        Line k of a part is that of k cycles in so many samples.
    """

    channel: tuple[int, ...]
    start: tuple[int, ...]
    taper: Float[Tensor, "parts width"]
    n_fft: tuple[int, ...]

    @property
    def bins(self) -> int:
        """Lines that are computed of every part: all of the one with the most."""
        return max(self.n_fft) // 2 + 1

    @cached_property
    def _alike(self) -> bool:
        """Whether all parts are the same samples of neighbouring channels."""
        neighbours = range(self.channel[0], self.channel[0] + len(self.channel))
        return len({*self.start}) == len({*self.n_fft}) == 1 and self.channel == tuple(neighbours)

    @shapes_checked
    def power(self, h: Float[Tensor, "batch channels samples"]) -> Float[Tensor, "batch parts bins"]:
        """Power (S, P, bins) of every line of responses (S, channels, n)."""
        spectra = self.spectra(h)
        return spectra.real.square() + spectra.imag.square()

    @shapes_checked
    def spectra(self, h: Float[Tensor, "batch channels samples"]) -> Complex[Tensor, "batch parts bins"]:
        """Spectra (S, P, bins) of responses (S, channels, n); what they lack at the end is silence."""
        width = self.taper.shape[1]
        if self._alike:
            first, start = self.channel[0], self.start[0]
            late = h[:, first : first + len(self.channel), start : start + width]
            late = late * self.taper[:, : late.shape[-1]].to(h)
            return rfft(torch.nn.functional.pad(late, (0, self.n_fft[0] - late.shape[-1])))
        channel, samples = self._places
        h = torch.nn.functional.pad(h, (0, max(0, max(self.start) + width - h.shape[-1])))
        late = h.index_select(1, channel).gather(2, samples.expand(h.shape[0], -1, -1)) * self.taper.to(h)
        chirp, filters = self._chirps
        swept = torch.fft.fft(late * chirp[:, :width], filters.shape[-1])
        back: Tensor = torch.fft.ifft(swept * filters)[..., : self.bins]
        return back * chirp[:, : self.bins]

    @cached_property
    def _places(self) -> tuple[Tensor, Tensor]:
        device = self.taper.device
        start = torch.tensor(self.start, device=device)[:, None]
        return (
            torch.tensor(self.channel, device=device),
            start + torch.arange(self.taper.shape[1], device=device),
        )

    @cached_property
    def _chirps(self) -> tuple[Tensor, Tensor]:
        """``exp(-i pi k^2 / n_fft)`` of every part, and the transforms of the filters that they are inverted by."""
        width, bins = self.taper.shape[1], self.bins
        length = scipy.fft.next_fast_len(width + bins - 1)
        k = np.arange(max(width, bins), dtype=np.int64)
        # Whole turns go in integers: k^2 has more digits than a phase.
        turns = np.stack([(k * k) % (2 * n) / (2.0 * n) for n in self.n_fft])
        chirp = np.exp(-2j * np.pi * turns)
        filters = np.zeros((len(self.n_fft), length), dtype=complex)
        filters[:, :bins] = chirp[:, :bins].conj()
        filters[:, length - width + 1 :] = chirp[:, width - 1 : 0 : -1].conj()
        pair = (chirp, scipy.fft.fft(filters))
        return tuple(torch.from_numpy(x.astype(np.complex64)).to(self.taper.device) for x in pair)  # type: ignore[return-value]
