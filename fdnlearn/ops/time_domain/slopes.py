"""Gradients of delays: what leaves a line, moved by a little, is itself and a bit of its slope.

    dm_i = -sum_t yb_i[t] y_i'[t]

with y what leaves a line, yb its gradient and y' its slope by central differences of eighth order.
"""

from __future__ import annotations

from fdnlearn.base.jit import FAST, jit
from fdnlearn.base.parallel import parallel
from fdnlearn.ops.time_domain import SLOPES

#: Samples on either side that a slope looks at.
REACH = len(SLOPES)

#: Samples that are summed in the type of the signals.
_TOGETHER = 256


@jit(fastmath=FAST, error_model="numpy")
def _product(y, bar):
    """``sum bar y'``, y beginning `REACH` samples before `bar`."""
    dtype = y.dtype.type
    one, two, three, four = dtype(SLOPES[0]), dtype(SLOPES[1]), dtype(SLOPES[2]), dtype(SLOPES[3])
    total = dtype(0)
    for t in range(bar.shape[0]):
        slope = one * (y[t + REACH + 1] - y[t + REACH - 1]) + two * (y[t + REACH + 2] - y[t + REACH - 2])
        slope += three * (y[t + REACH + 3] - y[t + REACH - 3]) + four * (y[t + REACH + 4] - y[t + REACH - 4])
        total += slope * bar[t]
    return total


@parallel(error_model="numpy")
def delay_gradients(first, stop, delays, lines, bars, pad, length, gradients):
    """Fill gradients (B R, W) of the delays (B, W) of every run's lines, which are the iterations.

    `lines` and `bars` are those of `fdnlearn.ops.time_domain.forward` and `backward`.
    """
    width = delays.shape[1]
    each, stride = gradients.shape[0] // delays.shape[0], lines.size // gradients.size
    for index in range(first, stop):
        run, i = index // width, index % width
        y = lines[index * stride + pad - delays[run // each, i] - REACH : (index + 1) * stride]
        bar = bars[index * stride : index * stride + length]
        total = 0.0
        for t in range(0, length, _TOGETHER):
            many = min(_TOGETHER, length - t)
            total -= _product(y[t : t + many + 2 * REACH], bar[t : t + many])
        gradients[run, i] = total
