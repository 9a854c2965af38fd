"""The genetic design of 2016, so that history has its row (Coggin & Pirkle, AES 141, 2016).

As published: 16 lines, a fixed Hadamard matrix, the reverberation time built into the lines; delays (whole samples
between 1 and 250 ms) and input and output gains (between -1 and 1) are the genes; a few hundred individuals; the
fitness is the largest difference between the temporal envelopes of room and network, from the network's first echo
on. Not taken over, because the network has no place for them: the measured early reflections in front, and the
filters in the loop and behind it. The direct sound is the room's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.signal
import torch
from torch import Tensor

from fdnlearn.base.types import Float32, Float64, FloatArray, shapes_checked
from fdnlearn.fdn import FDN
from fdnlearn.fitting.baselines.genes import rows_at_once
from fdnlearn.fitting.baselines.genetic import GeneticOptimiser, GeneticStrategy
from fdnlearn.fitting.baselines.search import DIVERGED, Best, Phase, Search
from fdnlearn.fitting.loop import Run
from fdnlearn.fitting.problem import Problem
from fdnlearn.fitting.solution import Solution
from fdnlearn.model import Network
from fdnlearn.rir.target import Target

LINES = 16
POPULATION = 200
_DELAYS_S = (0.001, 0.25)
_ENVELOPE_S = 0.007


class ClassicSearch(Search):
    """The fit of 16 lines as Coggin & Pirkle made it; the loss is the difference of envelopes.

    What the configuration says of lines and delays does not apply.
    """

    def __init__(self, problem: Problem) -> None:
        problem = problem.with_lines(LINES)
        self._range = _range(problem.target)
        low, high = self._range
        self._initial = low + (high - low) * np.random.default_rng(problem.config.seed).random(
            (POPULATION, low.size)
        )
        self._fitness = _Fitness.of(problem, self._initial)
        super().__init__(problem)

    def phase(self, index: int, before: Best | None) -> Phase | None:
        """One alone."""
        if index > 0:
            return None
        settings = GeneticStrategy()
        optimiser = GeneticOptimiser(
            self._initial,
            *self._range,
            self.problem.config.seed,
            crossover_eta=settings.crossover_eta,
            mutation_eta=settings.mutation_eta,
            mutation_rate=settings.mutation_rate,
        )
        return Phase("evolve", optimiser, self._fitness.evaluate, 1.0, self._network)

    def _network(self, genes: FloatArray) -> FDN:
        return self.problem.to_fdn(self._fitness.network(genes[None], torch.float64))

    def solution(self, room: int, run: Run) -> Solution:
        """The best network as every method returns it."""
        best, history = self.bests[0], tuple(run.histories[room])
        return self.problem.solution(
            fdn=self._network(best.known),
            unsnapped=None,
            status=run.status,
            loss=best.loss,
            iterations=len(history),
            seconds=history[-1].seconds,
            history=history,
        )


@shapes_checked
@dataclass(frozen=True)
class _Fitness:
    """Genes to networks, and envelopes to fitness.

    Attributes
    ----------
    problem : Problem
    direct : ndarray, shape (outputs, 1)
    level : ndarray, shape (outputs, 1)
        What an output gain of 1 stands for: with it the first generation has the room's reverberant energy.
    envelope : ndarray, shape (outputs, length), float32
        Of the target.
    """

    problem: Problem
    direct: Float64[FloatArray, "outputs 1"]
    level: Float64[FloatArray, "outputs 1"]
    envelope: Float32[npt.NDArray[np.float32], "outputs samples"]

    @classmethod
    def of(cls, problem: Problem, initial: FloatArray) -> _Fitness:
        """The fitness for `problem`, its scale set by some of the first generation."""
        target = problem.target
        heard = target.samples[:, : target.length_samples].astype(np.float32)
        envelope = _envelope(heard, target.sample_rate_hz)
        direct = target.samples[:, :1]
        raw = cls(problem, direct, np.ones_like(direct), envelope)
        few = initial[: min(20, rows_at_once(problem))]
        wet = np.square(raw.responses(few)).sum(axis=-1) - direct[:, 0] ** 2
        late = np.maximum(target.energy_decay[:, :1] - direct**2, 1e-6)
        return replace(raw, level=np.sqrt(late / np.median(wet, axis=0)[:, None]))

    @shapes_checked
    def network(self, genes: Float64[FloatArray, "candidates genes"], dtype: torch.dtype) -> Network:
        """Networks of genes (B, P)."""
        count, target = len(genes), self.problem.target
        delays = np.round(genes[:, :LINES])
        decay = -3.0 / (target.sample_rate_hz * target.reverberation_time_s)
        hadamard = np.asarray(scipy.linalg.hadamard(LINES) / math.sqrt(LINES))

        def tensor(array: FloatArray) -> Tensor:
            return torch.from_numpy(np.array(array)).to(self.problem.device, dtype)

        return Network(
            feedback_matrix=tensor(np.broadcast_to(hadamard, (count, LINES, LINES))),
            loop_gain=tensor(10.0 ** (decay * delays)),
            delays_samples=tensor(delays),
            input_gains=tensor(genes[:, LINES : 2 * LINES, None]),
            output_gains=tensor(self.level * genes[:, 2 * LINES :].reshape(count, -1, LINES)),
            direct_gains=tensor(np.broadcast_to(self.direct, (count, *self.direct.shape))),
        )

    @shapes_checked
    def evaluate(
        self, genes: Float64[FloatArray, "candidates genes"]
    ) -> tuple[Float64[FloatArray, " candidates"], Mapping[str, Float64[FloatArray, " candidates"]]]:
        """Largest differences of envelopes (B,), averaged over channels."""
        calls = -(-len(genes) // rows_at_once(self.problem))
        losses = np.concatenate([self._differences(part) for part in np.array_split(genes, calls)])
        return losses, {"envelope": losses}

    @torch.no_grad()
    @shapes_checked
    def responses(
        self, genes: Float64[FloatArray, "candidates genes"]
    ) -> Float32[npt.NDArray[np.float32], "candidates outputs samples"]:
        """Impulse responses (B, outputs, n_fft)."""
        network = self.network(genes, torch.float32)
        h = network.impulse_response(self.problem.n_fft, self.problem.kernel)
        responses: npt.NDArray[np.float32] = h[:, :, 0].cpu().numpy()
        return responses

    def _differences(self, genes: FloatArray) -> FloatArray:
        length = self.envelope.shape[1]
        heard = _envelope(self.responses(genes)[..., :length], self.problem.target.sample_rate_hz)
        first_echo = np.round(genes[:, :LINES]).min(axis=1)
        late = np.arange(length) >= first_echo[:, None, None]
        largest: FloatArray = (
            (np.abs(heard - self.envelope) * late).max(axis=-1).mean(axis=-1).astype(np.float64)
        )
        return np.nan_to_num(largest, nan=DIVERGED, posinf=DIVERGED)


def _range(target: Target) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest value of delays, input and output gains."""
    low, high = (t * target.sample_rate_hz for t in _DELAYS_S)
    gains = np.ones(LINES * (1 + len(target.samples)))
    return (
        np.concatenate((np.full(LINES, max(round(low), 2)), -gains)),
        np.concatenate((np.full(LINES, round(high)), gains)),
    )


def _envelope(h: npt.NDArray[np.float32], sample_rate_hz: float) -> npt.NDArray[np.float32]:
    """Rectified and smoothed by one pole of 7 ms."""
    keep = np.float32(math.exp(-1.0 / (_ENVELOPE_S * sample_rate_hz)))
    smooth = scipy.signal.lfilter(np.array([1 - keep]), np.array([1, -keep], np.float32), np.abs(h))
    return np.asarray(smooth, np.float32)
