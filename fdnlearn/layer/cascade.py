"""Second-order sections on signals, differentiable, by the loop that runs networks.

A network of two lines, the first fed by the signal and feeding the second, which is heard and feeds nothing: what is
heard has gone through the sections of the first line, later by both delays.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.ops.response import Parameters
from fdnlearn.ops.time_domain import run

#: Of each line: as long as the blocks in which the loop works.
_DELAY_SAMPLES = 64
#: By how much sections have fallen when they count as silent.
_SILENT_DB = 200.0


@shapes_checked
def filtered(
    sos: Float[Tensor, "networks sections 6"],
    signals: Float[Tensor, "batch runs channels samples"],
    length_samples: int,
) -> Float[Tensor, "filtered runs channels length"]:
    """Signals (B or 1, R, C, T'), each channel by itself, through sections (B or 1, S, 6) in series."""
    batch = max(len(sos), len(signals))
    channels = signals.expand(batch, -1, -1, -1).flatten(1, 2)[:, :, None]
    one = torch.ones(batch, dtype=signals.dtype)
    zero = torch.zeros_like(one)
    idle = sos.new_zeros(len(sos), 1, sos.shape[1], 6) + sos.new_tensor([1.0, 0, 0, 1, 0, 0])
    pair = Parameters(
        feedback_matrix=torch.stack((zero, zero, one, zero), dim=-1).unflatten(-1, (2, 2)),
        loop_gain=one[:, None].expand(-1, 2),
        delays_samples=torch.full((batch, 2), float(_DELAY_SAMPLES)),
        input_gains=torch.stack((one, zero), dim=-1)[..., None],
        output_gains=torch.stack((zero, one), dim=-1)[:, None],
        direct_gains=zero[:, None, None],
    )
    line_sos = torch.cat((sos[:, None], idle), dim=1).expand(batch, -1, -1, -1)
    late = run(pair, line_sos, channels, length_samples + 2 * _DELAY_SAMPLES)
    out: Tensor = late[..., 0, 2 * _DELAY_SAMPLES :].unflatten(1, signals.shape[1:3])
    return out


@shapes_checked
def ringing_samples(sos: Float[Tensor, "batch sections 6"]) -> int:
    """Samples after which sections are silent, by their slowest pole; those that never are may ring for ever."""
    if not sos.numel():
        return 0
    _, _, _, _, a1, a2 = sos.detach().double().unbind(-1)
    root = torch.sqrt(torch.complex(a1 * a1 - 4 * a2, torch.zeros_like(a1)))
    radius = float(torch.maximum((root - a1).abs(), (root + a1).abs()).max()) / 2
    if radius >= 1:
        return 1 << 62
    # Poles in several sections may coincide: a power of the time on top.
    return 64 + (
        math.ceil(_SILENT_DB / 20 * math.log(10) / -math.log(radius)) if radius > 0 else 2 * sos.shape[1]
    )
