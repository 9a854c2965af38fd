"""Fitting by a genetic algorithm over every parameter of the network: the baseline with the longest history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, Int64, IntArray, shapes_checked
from fdnlearn.fitting.baselines.genes import NetworkSearch
from fdnlearn.fitting.baselines.search import Optimiser, require
from fdnlearn.fitting.problem import Problem
from fdnlearn.options import Homogeneous
from fdnlearn.registry import MODELS

#: Genes lie within this many units of the starts' mean, or where the starts are; a unit is the spread of the starts.
_REACH = 4.0


class GeneticOptimiser:
    """A real-coded genetic algorithm: binary tournament, simulated binary crossover, polynomial mutation, elitism.

    Parents and offspring compete for the places of the next generation (mu + lambda), so the best is never lost.

    Parameters
    ----------
    initial : ndarray, shape (population, P)
        First generation.
    low, high : ndarray, shape (P,)
        Range of each gene.
    seed : int
    crossover_eta, mutation_eta : float
        Distribution indices: the larger, the closer offspring stay to their parents.
    mutation_rate : float
        Expected number of genes that mutate in an offspring.
    """

    @shapes_checked
    def __init__(
        self,
        initial: Float64[FloatArray, "population genes"],
        low: Float64[FloatArray, " genes"],
        high: Float64[FloatArray, " genes"],
        seed: int,
        *,
        crossover_eta: float,
        mutation_eta: float,
        mutation_rate: float,
    ) -> None:
        ga = require("pymoo.algorithms.soo.nonconvex.ga", "genetic")
        sbx = require("pymoo.operators.crossover.sbx", "genetic")
        pm = require("pymoo.operators.mutation.pm", "genetic")
        core = require("pymoo.core.problem", "genetic")
        termination = require("pymoo.core.termination", "genetic")
        count = initial.shape[1]
        self._algorithm = ga.GA(
            pop_size=len(initial),
            sampling=initial,
            crossover=sbx.SBX(eta=crossover_eta),
            mutation=pm.PM(prob=1.0, prob_var=min(1.0, mutation_rate / count), eta=mutation_eta),
            eliminate_duplicates=False,
        )
        problem = core.Problem(n_var=count, n_obj=1, xl=low, xu=high)
        self._algorithm.setup(problem, seed=seed, termination=termination.NoTermination())
        self._asked: Any = None

    @property
    @shapes_checked
    def population(self) -> Float64[FloatArray, "population genes"]:
        """Genes (population, P) of the survivors."""
        genes: FloatArray = self._algorithm.pop.get("X")
        return genes

    @shapes_checked
    def ask(self) -> Float64[FloatArray, "candidates genes"]:
        """The first generation, or the offspring of the last."""
        self._asked = self._algorithm.ask()
        points: FloatArray = self._asked.get("X")
        return points

    @shapes_checked
    def tell(self, losses: Float64[FloatArray, " candidates"]) -> None:
        """Let parents and offspring compete."""
        self._asked.set("F", losses[:, None])
        self._algorithm.tell(infills=self._asked)


@dataclass(frozen=True)
class GeneticStrategy:
    """Settings of the genetic fit; docs/tuning.md says how they were found."""

    population: int = 70
    crossover_eta: float = 15.0
    mutation_eta: float = 20.0
    mutation_rate: float = 1.0
    search_share: float = 0.6

    @property
    def more_starts(self) -> int:
        """The rest of the population, if the starts are as many as the homogeneous model usually has."""
        return self.population - MODELS[Homogeneous.name].restarts

    def _optimiser(self, initial: FloatArray, seed: int) -> GeneticOptimiser:
        return GeneticOptimiser(
            initial,
            np.minimum(initial.min(axis=0), -_REACH),
            np.maximum(initial.max(axis=0), _REACH),
            seed,
            crossover_eta=self.crossover_eta,
            mutation_eta=self.mutation_eta,
            mutation_rate=self.mutation_rate,
        )

    def begin(self, starts: Float64[FloatArray, "starts genes"], seed: int) -> Optimiser:
        """Search from `starts` (S, P)."""
        return self._optimiser(starts, seed)

    def settle(
        self, before: Optimiser, kept: Int64[IntArray, " kept"], best: Float64[FloatArray, " kept"], seed: int
    ) -> Optimiser:
        """Go on with the same population, less its delays."""
        assert isinstance(before, GeneticOptimiser)
        initial = before.population[:, kept].copy()
        initial[0] = best
        return self._optimiser(initial, seed)


def solver(problem: Problem) -> NetworkSearch:
    """The fit by a genetic algorithm.

    Raises
    ------
    UsageError
        If pymoo is not installed.
    """
    require("pymoo", "genetic")
    return NetworkSearch(problem, GeneticStrategy())
