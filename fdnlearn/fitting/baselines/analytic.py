"""A design in closed form from what was measured of the room: what learning has to beat.

========  ==========================================================================================================
delays    pairwise co-prime, log-spaced, such that the network has mixed when the room has
matrix    Hadamard where the number of lines is a power of two, else random orthogonal
gains     direct sound and reverberant energy of the target: its level and direct-to-reverberant ratio
decay     ``10^(-3 m_i / (fs T60))`` on line i
========  ==========================================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.optimize
import torch
from torch import Tensor

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.fdn import FDN
from fdnlearn.fitting.baselines.orthogonal_designs import orthogonal_matrix
from fdnlearn.fitting.loop import Run, Step
from fdnlearn.fitting.problem import Problem
from fdnlearn.fitting.rounding import coprime
from fdnlearn.fitting.solution import Solution, Status
from fdnlearn.model import Network
from fdnlearn.model.homogeneous import LONGEST_DELAY_S, SHORTEST_DELAY_S
from fdnlearn.registry import MODELS, load

#: Direct sound and everything that belongs to it, as the direct-to-reverberant ratio has it.
_DIRECT_S = 0.0025

#: Echoes per sample at which a network counts as mixed; 4 to 40 in trials with 4 to 16 lines of 100 to 400 samples.
_MIXED_ECHOES_PER_SAMPLE = 10.0

#: The longest delay over the shortest.
_DELAY_RATIO = 3.0


class Design:
    """The design as a `Solver` of one step: one evaluation, milliseconds, no search; delays are whole in any case.

    A budget does not apply.

    Parameters
    ----------
    problem : Problem
    """

    rooms, total_iterations, stage = 1, 1, "design"

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._fdn: FDN | None = None

    def stage_over(self, run: Run) -> Status | None:
        """Over once there is a network."""
        return None if self._fdn is None else Status.COMPLETED

    def next_stage(self) -> bool:
        """There is no other."""
        return False

    @torch.no_grad()
    def step(self, run: Run) -> Sequence[Step]:
        """Design the network, and see how good it is."""
        problem = self.problem
        network, fields = load(MODELS[problem.config.model.name].design)(problem)
        loss, terms = problem.objective(_responses(problem, network).float().to(problem.device))
        self._fdn = problem.to_fdn(network, **fields)
        parts = {name: float(value[0]) for name, value in terms.items()}
        return [Step(float(loss[0]), float(loss[0]), parts, 1)]

    def network(self) -> FDN:
        """The network."""
        assert self._fdn is not None
        return self._fdn

    def state(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """Nothing: a design is made again as fast as it is read."""
        return {}, {}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Design the network again."""
        network, fields = load(MODELS[self.problem.config.model.name].design)(self.problem)
        self._fdn = self.problem.to_fdn(network, **fields)

    def solution(self, room: int, run: Run) -> Solution:
        """The network as every method returns it."""
        history = tuple(run.histories[room])
        return self.problem.solution(
            fdn=self.network(),
            unsnapped=None,
            status=run.status,
            loss=history[-1].loss,
            iterations=1,
            seconds=history[-1].seconds,
            history=history,
        )


def design(problem: Problem) -> tuple[Network, Mapping[str, Any]]:
    """The network (a batch of one, float64), and the contract's fields beyond delays, matrix and gains: none."""
    target, lines = problem.target, problem.model.lines
    fs, outputs = target.sample_rate_hz, target.samples.shape[0]
    rng = np.random.default_rng(problem.config.seed)
    delays = coprime_delays(mean_delay_samples(target.mixing_time_s * fs, lines), lines, fs)
    late = target.energy_decay[:, min(round(_DIRECT_S * fs), target.length_samples - 1)]
    direct = np.sqrt(np.maximum(target.energy_decay[:, 0] - late, 0.0))
    wet = Network(
        feedback_matrix=_batch(orthogonal_matrix(lines, rng)),
        loop_gain=_batch(10.0 ** (-3.0 * delays / (fs * target.reverberation_time_s))),
        delays_samples=_batch(delays),
        input_gains=_batch(rng.choice([-1.0, 1.0], (lines, 1)) / math.sqrt(lines)),
        output_gains=_batch(rng.choice([-1.0, 1.0], (outputs, lines)) / math.sqrt(lines)),
        direct_gains=_batch(np.zeros((outputs, 1))),
    )
    energy = _responses(problem, wet).square().sum(-1)
    level = torch.sqrt(torch.from_numpy(late) / energy.clamp_min(1e-12))
    done = replace(
        wet,
        output_gains=wet.output_gains * level[..., None],
        direct_gains=_batch((direct * np.where(target.samples[:, 0] < 0.0, -1.0, 1.0))[:, None]),
    )
    return done, {}


def mean_delay_samples(mixing_samples: float, lines: int) -> float:
    """Mean delay m of N lines that have mixed after t samples.

    Until then ``(t + N m / 2)^N / (N! m^N)`` different echoes have arrived, as many as there are ways to go through
    the lines: points of a simplex, half a step added on each axis. Its derivative is the density that is asked for.
    """

    def excess(log_mean: float) -> float:
        mean = math.exp(log_mean)
        passed = (lines - 1) * math.log(mixing_samples + lines * mean / 2)
        return passed - math.lgamma(lines) - lines * log_mean - math.log(_MIXED_ECHOES_PER_SAMPLE)

    return math.exp(scipy.optimize.brentq(excess, -20.0, 20.0))


@shapes_checked
def coprime_delays(mean_samples: float, lines: int, sample_rate_hz: float) -> Float64[FloatArray, " lines"]:
    """Ascending, log-spaced around `mean_samples`, each the nearest that shares no factor with those before it.

    Raises
    ------
    ValueError
        If `lines` is not positive.
    """
    if lines < 1:
        raise ValueError(f"{lines} lines")
    shortest = max(2.0, SHORTEST_DELAY_S * sample_rate_hz)
    longest = max(LONGEST_DELAY_S * sample_rate_hz, shortest * _DELAY_RATIO)
    half = math.sqrt(_DELAY_RATIO)
    mean = min(max(mean_samples, shortest * half), longest / half)
    wanted = mean * _DELAY_RATIO ** (np.linspace(-0.5, 0.5, lines) if lines > 1 else np.zeros(1))
    return np.sort(np.array(coprime(wanted.tolist())))


def _batch(array: FloatArray) -> Tensor:
    return torch.from_numpy(array)[None]


def _responses(problem: Problem, network: Network) -> Tensor:
    """Impulse responses (1, channels, n_fft), on the CPU, in double."""
    return network.impulse_response(problem.n_fft, "cpu")[:, :, 0]
