"""A feedback delay network on whole delays, sample by sample, with its exact adjoint.

With x what enters the N lines, y what leaves them and u the signals at the inputs,

    y_i[t] = x_i[t - m_i]        v_i = F_i(g_i y_i)        x[t] = U v[t] + B u[t]        h[t] = C y[t]

F_i being the sections of a line. It is the loop that every renderer plays, so what is trained is what is heard: no
bins, no aliasing, and a cost of N^2 + S N a sample, where frequency sampling takes N^3 a bin. The adjoint is the
transposed network run backwards in time.

Delays are rounded, and have the gradient of the rounded ones: with y' the slope of what leaves a line,
``dL/dm_i = -sum_t yb_i[t] y_i'[t]``, yb being the gradient of y. A fit that learns them goes straight through the
rounding (Y. Bengio et al., arXiv 1308.3432), and the network it evaluates is at every step one that can be played.
"""

from __future__ import annotations

from torch import Tensor

from fdnlearn.ops.dispatch import form_name, get_form
from fdnlearn.ops.response import Parameters

#: The shortest delay with which blocks are long enough for the loop to be worth it.
SHORTEST_DELAY_SAMPLES = 32

#: Central differences of eighth order: ``y' = sum_k SLOPES[k - 1] (y[t + k] - y[t - k])``, within 1 % of the slope up
#: to 0.29 of the rate (B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids", Mathematics
#: of Computation 51, 1988, table 1).
SLOPES = (4 / 5, -1 / 5, 4 / 105, -1 / 280)


def run(
    network: Parameters,
    loop_sos: Tensor | None,
    signals: Tensor,
    length_samples: int,
    form: str | None = None,
) -> Tensor:
    """What leaves the lines of networks while signals go into them; without the direct gains.

    Parameters
    ----------
    network : Parameters
        Of B networks; `loop_gain` (B, N) is real, `delays_samples` are rounded, to at least 1.
    loop_sos : Tensor, shape (B, N, S, 6), optional
        Sections ``b0 b1 b2 1 a1 a2`` of every line, best in double: near a pole at one a rounded coefficient is another
        filter.
    signals : Tensor, shape (B or 1, R, I, T')
        What enters in each of R runs; nothing does after T'. For responses one run an input, each an impulse.
    length_samples : int
    form : str, optional
        Of `fdnlearn.ops.dispatch.FORMS`, in place of the device's own.

    Returns
    -------
    Tensor, shape (B, R, O, length_samples)
        Differentiable in signals, matrix, gains, sections and, straight through the rounding, delays; for the slopes of
        the last samples, silence enters the lines after the end.

    Raises
    ------
    UsageError
        If there is no such form.
    """
    own = form or form_name("time_domain", network.feedback_matrix.device.type)
    h: Tensor = get_form("time_domain", own).run(network, loop_sos, signals, length_samples)
    return h
