"""A reverb as a layer: feedback delay networks inside anything that is trained with torch, on the CPU.

===================  ================================================================================================
NetworkTensors       the physical parameters of a batch of networks, checked
network_response     their impulse responses
process_audio        audio through them, ``(batch, channels, time)``
absorption           loop filters of given reverberation times
equaliser            an output equaliser of given levels
tap_response         an early part of given taps
random_network       a network to start from, as an `FDN`
FeedbackDelayNetwork one network as an `nn.Module`, stable whatever it learns, from an `FDN` and back to one
===================  ================================================================================================

Everything is computed sample by sample with an exact adjoint (`fdnlearn.ops.time_domain`): what is trained is what a
renderer plays. There are gradients, of first order, to every real parameter and to the audio. Delays are whole numbers
of samples and are not learned. `docs/layer.md` shows it at work.
"""

from __future__ import annotations

from fdnlearn.layer.design import absorption, equaliser, tap_response
from fdnlearn.layer.module import FeedbackDelayNetwork
from fdnlearn.layer.processing import network_response, process_audio
from fdnlearn.layer.start import random_network
from fdnlearn.layer.tensors import NetworkTensors

__all__ = [
    "FeedbackDelayNetwork",
    "NetworkTensors",
    "absorption",
    "equaliser",
    "network_response",
    "process_audio",
    "random_network",
    "tap_response",
]
