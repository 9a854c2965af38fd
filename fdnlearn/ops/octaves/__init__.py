"""Energy decay of the octaves of responses against a target's: the distances of `fdnlearn.ops.decay`, band by band.

An octave x of a response h is what the filters of `fdnlearn.acoustics.bands` leave of it. Next to nothing of it lies
beyond four times its upper edge, so that a lower one is looked at at a lower rate: D samples become one,

    X[k] = D^(-1/2) G(f_k) H[k] exp(-2 pi i k (lead - (D - 1) / 2) / N),        k < N / (2 D),

of which x is the inverse transform of length N / D. A sample stands in the middle of those that it stands for, and sums
of squares are those of the whole rate. Zero phase spreads a band to both sides of the onset: all signals are delayed by
a `lead`, less what comes before their onset. The whole spectrum goes through no transform.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import scipy.fft
import torch
from torch import Tensor

from fdnlearn.acoustics.bands import Octave, octave_magnitude
from fdnlearn.base.types import Array, Complex, Float, Float64, FloatArray, shapes_checked
from fdnlearn.ops.decay import DecayTarget
from fdnlearn.ops.dispatch import form_for

#: Most samples that become one; lower octaves would gain little more. Grids and leads are multiples of it.
LARGEST_DECIMATION = 8
#: A band's lines end at this many times its upper edge. Its square would be content with less; but a filter falls by no
#: more than 18 dB an octave, and late in a response a loud treble comes through.
_REACH = 4.0
#: Above this there is so little of a late response that lines may end here, if what they are squared to has place.
_TREBLE_HZ, _SHORTEST_REACH = 10e3, 1.9


@shapes_checked
@dataclass(frozen=True, eq=False)
class Bands:
    """Bands that are compared at one rate, of the channels of one room or of several, room by room.

    Attributes
    ----------
    octaves : tuple of Octave
        None of them: the whole spectrum.
    decimation : int
        Samples of a response that one of a band stands for.
    decay : DecayTarget
        A row for every channel and band, bands innermost; on a grid of the bands' own samples.
    scale : ndarray, shape (channels, bands)
        Factor that brings the target to unit energy.
    share : ndarray, shape (channels, bands)
        Weight of each in the distance of its channel.
    """

    octaves: tuple[Octave, ...]
    decimation: int
    decay: DecayTarget
    scale: Float64[FloatArray, "channels bands"]
    share: Float64[FloatArray, "channels bands"]

    @functools.lru_cache(maxsize=2)  # noqa: B019  (a target lives as long as its fit)
    @shapes_checked
    def tensors(
        self, device: torch.device
    ) -> tuple[Float64[Tensor, "channels bands"], Float64[Tensor, "channels bands"]]:
        """Scale and share, copied to a device once and not in every step."""
        return torch.from_numpy(self.scale).to(device), torch.from_numpy(self.share).to(device)


@dataclass(frozen=True, eq=False)
class OctaveTarget:
    """Target decays of every channel and band, and how a response is brought to them.

    Attributes
    ----------
    whole : Bands
        The whole spectrum.
    octaves : tuple of Bands
    lead : int
        Samples after which every onset comes.
    delays : tuple of int, of every channel
        Samples by which responses are delayed for that.
    length : int
        How long responses must be to have decayed.
    sample_rate_hz : float
    """

    whole: Bands
    octaves: tuple[Bands, ...]
    lead: int
    delays: tuple[int, ...]
    length: int
    sample_rate_hz: float

    @property
    def bands(self) -> tuple[Bands, ...]:
        """All of them, the whole spectrum first."""
        return (self.whole, *self.octaves)

    @functools.lru_cache(maxsize=2)  # noqa: B019  (a target lives as long as its fit)
    def filters(self, n_fft: int, device: torch.device) -> tuple[Complex[Tensor, "channels bands bins"], ...]:
        """What a spectrum is multiplied by, for each of `octaves`: filter, scale, rate and delay."""
        return tuple(
            torch.from_numpy(self._filters(bands, n_fft).astype(np.complex64)).to(device)
            for bands in self.octaves
        )

    def _filters(self, bands: Bands, n_fft: int) -> Array:
        k = np.arange(n_fft // bands.decimation // 2 + 1)
        # In half samples, whole turns taken out: the phase has more digits than its product.
        delay = ((2 * np.array(self.delays)[:, None, None] - bands.decimation + 1) * k) % (2 * n_fft)
        turned = np.exp(-1j * np.pi / n_fft * delay) / np.sqrt(bands.decimation)
        if bands.decimation > 1:
            turned[..., -1] = 0.0  # a line and its image in one
        frequency_hz = k.astype(np.float64) * (self.sample_rate_hz / n_fft)
        shapes = np.stack([octave_magnitude(octave, frequency_hz) for octave in bands.octaves])
        filters: Array = bands.scale[..., None] * (shapes * turned)
        return filters


def decimation_of(octave: Octave, sample_rate_hz: float) -> int:
    """How many samples of a response one of an octave stands for: a power of two up to `LARGEST_DECIMATION`."""
    edge = octave.edges_hz[1]
    needed = max(min(_REACH * edge, _TREBLE_HZ), _SHORTEST_REACH * edge)
    decimation = 1
    while decimation < LARGEST_DECIMATION and sample_rate_hz / (4 * decimation) >= needed:
        decimation *= 2
    return decimation


def transform_length(length: int) -> int:
    """Length of transforms of responses of `length` samples, which that of every band divides."""
    step = 2 * LARGEST_DECIMATION
    return step * int(scipy.fft.next_fast_len(-(-length // step), real=True))


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: OctaveTarget, weights: tuple[float, float, float]
) -> tuple[Float64[Tensor, "batch channels"], Float64[Tensor, "batch channels 3"]]:
    """Distances between the decays of responses and the target's, the bands of a channel summed by their shares.

    Parameters
    ----------
    h : Tensor, shape (S, channels, n)
    target : OctaveTarget
    weights : tuple of float
        Of the terms of `fdnlearn.ops.decay`.

    Returns
    -------
    total : Tensor of float64, shape (S, channels)
        Weighted sum of the terms, differentiable.
    terms : Tensor of float64, shape (S, channels, 3)
        Without gradient.

    Raises
    ------
    ValueError
        If the responses are shorter than the target's decay.
    """
    needed = target.whole.decay.length
    if h.shape[-1] < needed:
        raise ValueError(f"responses of {h.shape[-1]} samples are shorter than the target's {needed}")
    total, terms = form_for("octaves", h.device.type).distance(h, target, weights)
    return total, terms
