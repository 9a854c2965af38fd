"""The loop one sample at a time in stock operations of torch: slow, obvious, any dtype and device."""

from __future__ import annotations

import torch
from torch import Tensor

from fdnlearn.ops.response import Parameters


def run(network: Parameters, loop_sos: Tensor | None, signals: Tensor, length_samples: int) -> Tensor:
    """What leaves the lines (B, R, O, T); see `fdnlearn.ops.time_domain`."""
    matrix, loop_gain, delays_samples, input_gains, output_gains, _ = network
    kind = matrix.dtype
    batch, lines = loop_gain.shape
    signals = signals.expand(batch, -1, -1, -1)
    delays = delays_samples.round().long()
    runs, row = signals.shape[1], torch.arange(lines, device=matrix.device)
    entered: list[Tensor] = []
    left: list[Tensor] = []
    sections = [] if loop_sos is None else list(loop_sos.unbind(2))
    silence = torch.zeros(batch, runs, lines, dtype=torch.float64, device=matrix.device)
    past = [[silence, silence, silence, silence] for _ in sections]
    for t in range(length_samples):
        y = silence
        if entered:
            known = torch.stack(entered)  # (t, B, R, N)
            at = t - delays  # (B, N)
            read = known[
                at.clamp_min(0)[:, None], torch.arange(batch)[:, None, None], torch.arange(runs)[:, None], row
            ]
            y = torch.where(at[:, None] >= 0, read, 0.0)
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
        entered.append(x)
    h: Tensor = torch.stack(left, dim=-1).transpose(-1, -2) @ output_gains.double().mT[:, None]
    return h.transpose(-1, -2).to(kind)
