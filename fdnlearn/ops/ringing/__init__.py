"""Ringing of late parts of responses: lines of their spectra that stand out.

Of every line that counts, with power p and the mean m of the powers of the third of an octave around it,

    sum over lines of max(10 log10(p / m) - FREE_DB, 0)^2 / 100,

averaged over the parts of a room.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fdnlearn.base.types import Float, Int64, shapes_checked
from fdnlearn.ops.dispatch import form_for
from fdnlearn.ops.late_windows import LateWindows

#: Lines below this are those of any reverberation; those above are pulled down before they are heard.
FREE_DB = 10.0

#: Keeps logarithms finite.
TINY = 1e-20


@shapes_checked
@dataclass(frozen=True, eq=False)
class RingingTarget:
    """P late parts of R rooms, and the L lines of their spectra that count.

    Attributes
    ----------
    windows : LateWindows
    own, low, high : Tensor of int64, shape (P, L)
        Bin of every line; first bin, and the one after the last, of the third of an octave around it.
    begin, end : Tensor of int64, shape (P, bins)
        First line, and the one after the last, in whose third of an octave a bin is.
    counts : Tensor, shape (P, L)
        One where a line counts, zero where the target itself rings and where a part has no such line.
    share : Tensor, shape (P, R)
        Weight of a part in the loss of its room, a hundredth included, zero for the others.
    """

    windows: LateWindows
    own: Int64[Tensor, "parts late_lines"]
    low: Int64[Tensor, "parts late_lines"]
    high: Int64[Tensor, "parts late_lines"]
    begin: Int64[Tensor, "parts bins"]
    end: Int64[Tensor, "parts bins"]
    counts: Float[Tensor, "parts late_lines"]
    share: Float[Tensor, "parts rooms"]


@shapes_checked
def distance(
    h: Float[Tensor, "batch channels samples"], target: RingingTarget
) -> Float[Tensor, "batch rooms"]:
    """How far lines stand out, (S, rooms), of responses h (S, channels, n), the channels of all rooms room by room."""
    excess: Tensor = form_for("ringing", h.device.type).distance(h, target)
    return excess
