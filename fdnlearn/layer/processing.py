"""From networks to impulse responses, and from audio to audio."""

from __future__ import annotations

import scipy.fft
import torch
from torch import Tensor

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.layer.cascade import filtered, ringing_samples
from fdnlearn.layer.checks import check_count, check_same_precision, check_values
from fdnlearn.layer.tensors import NetworkTensors
from fdnlearn.ops.response import Parameters
from fdnlearn.ops.time_domain import run


def network_response(network: NetworkTensors, length_samples: int) -> Tensor:
    """Impulse responses of networks, their first `length_samples`, exact: nothing folds back.

    Parameters
    ----------
    network : NetworkTensors
    length_samples : int
        At least 1.

    Returns
    -------
    Tensor, shape (B, O, I, length_samples)
        In the precision of the network; differentiable once in each of its tensors but the delays.

    Raises
    ------
    FdnlearnError
        If the length is no whole number from 1 on, or the network is so unstable that its response is not finite.
    """
    check_count("length_samples", length_samples, 1)
    impulses = torch.eye(network.inputs, dtype=network.dtype)[None, :, :, None]
    return _heard(network, impulses, length_samples).transpose(1, 2)


def process_audio(network: NetworkTensors, audio: Tensor, tail_samples: int = 0) -> Tensor:
    """Audio through networks: one network for all items, one an item, or one item through all networks.

    The delay lines are empty at the start of each item. Memory is about ``8 N (time + longest delay)`` bytes an item in
    single precision, with gradients twice that.

    Parameters
    ----------
    network : NetworkTensors
        Of as many networks as the audio has items, or either of them 1.
    audio : Tensor, shape (batch, I, time)
        In the precision of the network, any layout, any level.
    tail_samples : int
        How long the network goes on after the audio has ended.

    Returns
    -------
    Tensor, shape (batch, O, time + tail_samples)
        Differentiable once in the audio and in each tensor of the network but the delays.

    Raises
    ------
    FdnlearnError
        If the audio has another number of channels, items or dimensions, is empty, not finite, in another precision or
        on another device, or the network is so unstable that its output is not finite.
    """
    check_values("audio", audio, axes=("batch", "channels", "time"))
    items, channels, samples = audio.shape
    shape = f"has shape {tuple(audio.shape)}"
    if not audio.numel():
        raise FdnlearnError(
            "audio", f"{shape}, which is empty", "give (batch, channels, time), each at least 1"
        )
    if channels != network.inputs:
        raise FdnlearnError("audio", f"{shape}: {channels} channels", f"give the network's {network.inputs}")
    if 1 != items != network.batch != 1:
        raise FdnlearnError(
            "audio", f"{shape}: {items} items for {network.batch} networks", "give as many, or one of either"
        )
    check_same_precision((("feedback_matrix", network.feedback_matrix), ("audio", audio)))
    check_count("tail_samples", tail_samples)
    length = samples + tail_samples
    if network.batch == 1:  # the items are runs of one network, whose gradient is summed on the way
        return _heard(network, audio[None], length)[0]
    return _heard(network, audio[:, None], length)[:, 0]


@shapes_checked
def _heard(
    network: NetworkTensors, signals: Float[Tensor, "batch runs inputs samples"], length: int
) -> Float[Tensor, "networks runs outputs length"]:
    """What R runs of every network give for signals (B or 1, R, I, T')."""
    early = torch.nn.functional.pad(network.direct_gains[..., None], (network.direct_delay_samples, 0))
    if network.early is not None and network.early.shape[-1]:
        longest = max(early.shape[-1], network.early.shape[-1])
        early, other = (
            torch.nn.functional.pad(x, (0, longest - x.shape[-1])) for x in (early, network.early)
        )
        early = early + other
    y = _placed(_convolved(early, signals), 0, length) + _late(network, signals, length)
    y = network.gain * _placed(y, network.pre_delay_samples, length)
    if not bool(torch.isfinite(y).all()):
        raise FdnlearnError(
            "network",
            "its output is not finite, for the loop is not stable",
            "keep the norm of the feedback matrix times the largest loop gain below 1",
        )
    return y


@shapes_checked
def _late(
    network: NetworkTensors, signals: Float[Tensor, "batch runs inputs samples"], length: int
) -> Float[Tensor, "networks runs outputs length"]:
    """What leaves the lines, through the equaliser, at its place."""
    batch, tone = network.batch, network.tone_sos
    own = max(1, length - network.late_delay_samples)
    # The equaliser is the same for all channels, so it may stand on the side that has fewer.
    before = network.inputs <= network.outputs
    if tone is not None and before:
        signals = filtered(tone, signals, min(own, signals.shape[-1] + ringing_samples(tone)))
    parameters = Parameters(
        feedback_matrix=network.feedback_matrix.expand(batch, -1, -1),
        loop_gain=network.line_gains.expand(batch, -1),
        delays_samples=network.delays_samples.double().expand(batch, -1),
        input_gains=network.input_gains.expand(batch, -1, -1),
        output_gains=network.output_gains.expand(batch, -1, -1),
        direct_gains=network.direct_gains.expand(batch, -1, -1),
    )
    sos = None if network.line_sos is None else network.line_sos.expand(batch, -1, -1, -1)
    late = run(parameters, sos, signals, own)
    if tone is not None and not before:
        late = filtered(tone, late, own)
    return _placed(late, network.late_delay_samples, length)


@shapes_checked
def _convolved(
    kernels: Float[Tensor, "networks outputs inputs taps"],
    signals: Float[Tensor, "batch runs inputs samples"],
) -> Float[Tensor, "heard runs outputs length"]:
    """Signals (B or 1, R, I, T') through responses (B or 1, O, I, L): (B, R, O, T' + L - 1)."""
    length = kernels.shape[-1] + signals.shape[-1] - 1
    if 1 in (kernels.shape[-1], signals.shape[-1]):
        return torch.einsum("boil,brit->brolt", kernels, signals).flatten(-2)
    n_fft = scipy.fft.next_fast_len(length, real=True)
    first, second = (torch.fft.rfft(x, n_fft) for x in (kernels, signals))
    out: Tensor = torch.fft.irfft(torch.einsum("boik,brik->brok", first, second), n_fft)
    return out[..., :length]


@shapes_checked
def _placed(
    h: Float[Tensor, "batch runs outputs samples"], delay_samples: int, length: int
) -> Float[Tensor, "batch runs outputs length"]:
    """Signals so much later, cut or filled up with silence to a length."""
    kept = h[..., : max(0, length - delay_samples)]
    before = min(delay_samples, length)
    return torch.nn.functional.pad(kept, (before, length - before - kept.shape[-1]))
