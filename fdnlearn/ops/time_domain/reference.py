"""The loop one sample at a time in stock operations of torch: slow, obvious, any dtype and device."""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.ops.response import Parameters
from fdnlearn.ops.time_domain import SLOPES


def run(network: Parameters, loop_sos: Tensor | None, signals: Tensor, length_samples: int) -> Tensor:
    """What leaves the lines (B, R, O, T); see `fdnlearn.ops.time_domain`."""
    slopes = None
    if network.delays_samples.requires_grad:
        with torch.no_grad():
            slopes = _slopes(_leaving(network, loop_sos, signals, length_samples, more=len(SLOPES)))
    left = _leaving(network, loop_sos, signals, length_samples, slopes=slopes)
    h: Tensor = left @ network.output_gains.double().mT[:, None]
    return h.transpose(-1, -2).to(network.feedback_matrix.dtype)


def _slopes(left: Tensor) -> Tensor:
    """Central differences along the samples of (B, R, T, N), what comes before the first being silence."""
    reach = len(SLOPES)
    around = torch.nn.functional.pad(left, (0, 0, reach, 0))
    middle = slice(reach, around.shape[2] - reach)
    total = torch.zeros_like(around[:, :, middle])
    for k, weight in enumerate(SLOPES, start=1):
        ahead = around[:, :, middle.start + k : middle.stop + k]
        total += weight * (ahead - around[:, :, middle.start - k : middle.stop - k])
    return total


def _leaving(
    network: Parameters,
    loop_sos: Tensor | None,
    signals: Tensor,
    length: int,
    *,
    slopes: Tensor | None = None,
    more: int = 0,
) -> Tensor:
    """What leaves each line (B, R, T, N); given its slopes, that has a gradient with respect to the delays.

    And what leaves it in some samples `more` while silence enters.
    """
    matrix, loop_gain, delays_samples, input_gains, _, _ = network
    batch, lines = loop_gain.shape
    signals = signals.expand(batch, -1, -1, -1)
    delays = delays_samples.round().long()
    # Zero, and moves with the delays.
    moved = (delays_samples - delays_samples.detach()).double()[:, None]
    runs, row = signals.shape[1], torch.arange(lines, device=matrix.device)
    entered: list[Tensor] = []
    left: list[Tensor] = []
    sections = [] if loop_sos is None else list(loop_sos.unbind(2))
    silence = torch.zeros(batch, runs, lines, dtype=torch.float64, device=matrix.device)
    past = [[silence, silence, silence, silence] for _ in sections]
    for t in range(length + more):
        y = silence
        if entered:
            known = torch.stack(entered)  # (t, B, R, N)
            at = t - delays  # (B, N)
            read = known[
                at.clamp_min(0)[:, None], torch.arange(batch)[:, None, None], torch.arange(runs)[:, None], row
            ]
            y = torch.where(at[:, None] >= 0, read, 0.0)
        if slopes is not None:
            y = y - moved * slopes[:, :, t]
        left.append(y)
        v = y * loop_gain.double()[:, None]
        for sos, memory in zip(sections, past, strict=True):
            b0, b1, b2, _, a1, a2 = (c[:, None] for c in sos.double().unbind(-1))
            x1, x2, y1, y2 = memory
            q = b0 * v + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            memory[:] = [v, x1, q, y1]
            v = q
        x = v @ matrix.double().mT
        if t < signals.shape[-1]:
            x = x + signals[..., t].double() @ input_gains.double().mT
        entered.append(x if t < length else silence)
    return torch.stack(left, dim=-1).transpose(-1, -2)
