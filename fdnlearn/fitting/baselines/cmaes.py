"""Fitting by CMA-ES over every parameter of the network: the strongest of the derivative-free rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from fdnlearn.base.types import Float64, FloatArray, Int64, IntArray, shapes_checked
from fdnlearn.fitting.baselines.genes import NetworkSearch
from fdnlearn.fitting.baselines.search import Optimiser, require
from fdnlearn.fitting.problem import Problem


class CmaEs:
    """Covariance matrix adaptation (Hansen, arXiv 1604.00772) with restarts.

    The first generation are the starts; the search begins at the best of them and, whenever it has converged, again
    at the next best with a population twice as large (Auger & Hansen, CEC 2005).

    Parameters
    ----------
    starts : ndarray, shape (S, P)
    sigma : float
        First step size, in units of a gene.
    seed : int
    axes : ndarray, shape (P, P), optional
        Steps are taken along ``axes @ z``, z standard normal at first; the unit matrix by default.
    """

    @shapes_checked
    def __init__(
        self,
        starts: Float64[FloatArray, "starts genes"],
        sigma: float,
        seed: int,
        population: int | None = None,
        axes: Float64[FloatArray, "genes genes"] | None = None,
    ) -> None:
        self._cma = require("cma", "cmaes")
        self._starts, self._sigma = starts, sigma
        self._axes = np.eye(starts.shape[1]) if axes is None else axes
        self._random = np.random.default_rng(seed)
        self._order: IntArray | None = None
        self._runs = 0
        self._population = population
        self._strategy: Any = None
        self._asked: list[FloatArray] = []

    @shapes_checked
    def covariance(self) -> Float64[FloatArray, "genes genes"]:
        """Of the candidates that it would ask for next, shape (P, P)."""
        if self._strategy is None:
            inner = self._sigma**2 * np.eye(self._starts.shape[1])
        else:
            es = self._strategy
            scale = es.sigma * es.sigma_vec.scaling * np.ones(es.N)
            inner = scale[:, None] * es.C * scale
        covariance: FloatArray = self._axes @ inner @ self._axes.T
        return covariance

    @shapes_checked
    def ask(self) -> Float64[FloatArray, "candidates genes"]:
        """The starts, then what the strategy samples."""
        if self._order is None:
            return self._starts
        if self._strategy is None or self._strategy.stop():
            self._restart()
        self._asked = self._strategy.ask()
        points: FloatArray = self._origin + np.stack(self._asked) @ self._axes.T
        return points

    @shapes_checked
    def tell(self, losses: Float64[FloatArray, " candidates"]) -> None:
        """Rank the starts, or adapt."""
        if self._order is None:
            self._order = losses.argsort(kind="stable")
        else:
            self._strategy.tell(self._asked, losses.tolist())

    def _restart(self) -> None:
        assert self._order is not None
        self._origin = self._starts[self._order[self._runs % len(self._order)]]
        count = self._origin.size
        population = self._population or 4 + int(3 * np.log(count))
        options = {
            "popsize": population * 2**self._runs,
            "randn": lambda *shape: self._random.standard_normal(shape),
            "seed": np.nan,
            "CMA_eigenmethod": _eigen,
            "verbose": -9,
        }
        self._strategy = self._cma.CMAEvolutionStrategy(np.zeros(count), self._sigma, options)
        self._runs += 1


def _eigen(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues and vectors on one thread: NumPy's would spin on every core between the kernels."""
    values, vectors = torch.linalg.eigh(torch.from_numpy(matrix))
    return values.numpy(), vectors.numpy()


@dataclass(frozen=True)
class CmaEsStrategy:
    """Settings of the CMA-ES fit; docs/tuning.md says how they were found."""

    sigma: float = 0.3
    population: int | None = None
    search_share: float = 0.5
    more_starts: int = 0

    def begin(self, starts: Float64[FloatArray, "starts genes"], seed: int) -> Optimiser:
        """Search from `starts` (S, P)."""
        return CmaEs(starts, self.sigma, seed, self.population)

    def settle(
        self, before: Optimiser, kept: Int64[IntArray, " kept"], best: Float64[FloatArray, " kept"], seed: int
    ) -> Optimiser:
        """Go on from the best in the shape that the search had found, given that the delays stay where they are."""
        assert isinstance(before, CmaEs)
        covariance = before.covariance()
        gone = np.setdiff1d(np.arange(len(covariance)), kept)
        across = covariance[np.ix_(kept, gone)]
        given = covariance[np.ix_(kept, kept)] - across @ np.linalg.solve(
            covariance[np.ix_(gone, gone)], across.T
        )
        values, vectors = np.linalg.eigh((given + given.T) / 2)
        axes = vectors * np.sqrt(np.maximum(values, 1e-12))
        return CmaEs(best[None], 1.0, seed, self.population, axes)


def solver(problem: Problem) -> NetworkSearch:
    """The fit by CMA-ES.

    Raises
    ------
    UsageError
        If cma is not installed.
    """
    require("cma", "cmaes")
    return NetworkSearch(problem, CmaEsStrategy())
