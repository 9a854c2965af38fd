"""The free parameters of a network as a vector of genes, and the search over all of them that ends on whole delays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.types import Float, Float64, FloatArray, Int64, IntArray, shapes_checked
from fdnlearn.config import FitConfig
from fdnlearn.fdn import FDN
from fdnlearn.fitting.baselines.search import DIVERGED, Best, Optimiser, Phase, Search
from fdnlearn.fitting.columns import join, split, widths
from fdnlearn.fitting.loop import Run
from fdnlearn.fitting.problem import Free, Problem
from fdnlearn.fitting.rounding import UNADAPTED, roundings
from fdnlearn.fitting.solution import Solution
from fdnlearn.options import FromStarts
from fdnlearn.registry import MODELS

#: Spread of the groups that all starts have in common.
_COMMON_SPREADS = {"decay": 0.3, "direct": 0.1, "tone": 0.1, "early": 0.01, "place": 0.5}

#: Memory for the responses of candidates that are evaluated together.
_BATCH_BYTES = 1 << 28


@shapes_checked
@dataclass(frozen=True)
class Genes:
    """Which columns of the free parameters are searched, and on which scale.

    The group ``matrix`` counts with its strictly upper triangle: the rest of it does nothing.

    Attributes
    ----------
    like : mapping of str to Tensor
        The groups; their batch size does not matter.
    columns : ndarray of int, shape (P,)
        Genes among all free parameters, the groups flattened side by side.
    owner : tuple of str
        Group of each gene.
    mean, spread : ndarray, shape (P,)
        A gene of 0 stands for `mean`, a gene of 1 for `mean` + `spread`.
    """

    like: Free
    columns: Int64[IntArray, " genes"]
    owner: tuple[str, ...]
    mean: Float64[FloatArray, " genes"]
    spread: Float64[FloatArray, " genes"]

    @classmethod
    def around(cls, starts: Free) -> Genes:
        """Every parameter that does something, on the scale on which the starts (B, ...) differ."""
        columns, owner, mean, spread = [], [], [], []
        offset = 0
        for name, tensor in starts.items():
            values = tensor.detach().cpu().double().numpy()
            size = math.prod(values.shape[1:])
            used = np.arange(size)
            if name == "matrix":
                used = used.reshape(values.shape[1:])[np.triu_indices(values.shape[1], 1)]
            columns.append(offset + used)
            owner += [name] * used.size
            offset += size
            if name in _COMMON_SPREADS:
                mean.append(values.reshape(len(values), -1).mean(axis=0))
                spread.append(np.full(used.size, _COMMON_SPREADS[name]))
            else:
                mean.append(np.full(used.size, values.mean()))
                spread.append(np.full(used.size, values.std()))
        return cls(
            starts, np.concatenate(columns), tuple(owner), np.concatenate(mean), np.concatenate(spread)
        )

    @shapes_checked
    def encode(self, free: Free) -> Float64[FloatArray, "batch genes"]:
        """Genes (B, P) of free parameters."""
        genes: FloatArray = (join(free).cpu().double().numpy()[:, self.columns] - self.mean) / self.spread
        return genes

    @shapes_checked
    def decode(self, genes: Float64[FloatArray, "batch genes"], device: torch.device) -> Free:
        """Free parameters of genes (B, P), as the gradient fit holds them."""
        rows = np.zeros((len(genes), sum(widths(self.like))))
        rows[:, self.columns] = self.mean + self.spread * genes
        return split(torch.from_numpy(rows.astype("float32")).to(device), self.like)


class Strategy(Protocol):
    """A derivative-free method as the search over a network uses it: settings, and what makes its optimisers."""

    @property
    def more_starts(self) -> int:
        """Networks that it wants to begin with, beyond those of the gradient fit."""

    @property
    def search_share(self) -> float:
        """Share of a fit after which the delays are rounded and the other genes searched on."""

    def begin(self, starts: Float64[FloatArray, "starts genes"], seed: int) -> Optimiser:
        """Search from `starts` (S, P)."""

    def settle(
        self, before: Optimiser, kept: Int64[IntArray, " kept"], best: Float64[FloatArray, " kept"], seed: int
    ) -> Optimiser:
        """Search on among the genes `kept` of the optimiser `before`, from `best` (P',)."""


class NetworkSearch(Search):
    """A search over every parameter of the network, then with rounded delays over all others.

    Parameters
    ----------
    problem : Problem
    strategy : Strategy
    """

    def __init__(self, problem: Problem, strategy: Strategy) -> None:
        method = problem.config.method
        assert isinstance(method, FromStarts)
        self.strategy = strategy
        starts = problem.draw(max(1, method.restarts), problem.config.seed)
        if strategy.more_starts > 0:
            more = problem.draw(strategy.more_starts, _seed(problem.config, 1))
            starts = {name: torch.cat([starts[name], more[name]]) for name in starts}
        self.starts, self.genes = starts, Genes.around(starts)
        #: Genes that are searched on when the delays are whole.
        self.kept = np.flatnonzero(np.array(self.genes.owner) != "delay")
        self.ends_whole = problem.config.delays == "integer"
        super().__init__(problem)

    def phase(self, index: int, before: Best | None) -> Phase | None:
        """All genes, then, with the best delays rounded, the others."""
        config = self.problem.config
        if before is None:
            optimiser = self.strategy.begin(self.genes.encode(self.starts), _seed(config, 2))
            share = self.strategy.search_share if self.ends_whole else 1.0
            return Phase(
                "search", optimiser, lambda x: evaluate(self.problem, self._decode(x)), share, self._network
            )
        if index == 2 or not self.ends_whole:
            return None
        best, kept = before.known, self.kept
        delays = self._rounded(best)

        def settled(x: FloatArray) -> tuple[FloatArray, Mapping[str, FloatArray]]:
            return evaluate(self.problem, self._decode(widen(best, kept, x)), delays)

        optimiser = self.strategy.settle(before.phase.optimiser, kept, best[kept], _seed(config, 3))
        return Phase(
            "settle", optimiser, settled, 1.0, lambda x: self._network(widen(best, kept, x[None])[0], delays)
        )

    def _decode(self, genes: FloatArray) -> Free:
        return self.genes.decode(genes, self.problem.device)

    def _network(self, genes: FloatArray, delays_samples: Tensor | None = None) -> FDN:
        return self.problem.network_to_fdn(self._decode(genes[None]), delays_samples)

    def _rounded(self, genes: FloatArray) -> Tensor:
        return roundings(self.problem, self._decode(genes[None]), 1)

    def solution(self, room: int, run: Run) -> Solution:
        """The best network as every method returns it."""
        problem, searched, last = self.problem, self.bests[0], self.bests[-1]
        free = self._decode(searched.known[None])
        unsnapped, delays, loss, warnings = None, None, last.loss, []
        if self.ends_whole:
            unsnapped = problem.network_to_fdn(free, None)
            delays = self._rounded(searched.known)
            if last is not searched and last.point is not None:
                free = self._decode(widen(searched.known, self.kept, last.point[None]))
            else:
                warnings.append(UNADAPTED)
                loss = float(evaluate(problem, free, delays)[0][0])
        history = tuple(run.histories[room])
        return problem.solution(
            fdn=problem.network_to_fdn(free, delays),
            unsnapped=unsnapped,
            status=run.status,
            loss=loss,
            iterations=len(history),
            seconds=history[-1].seconds,
            history=history,
            warnings=tuple(warnings),
        )


def _seed(config: FitConfig, purpose: int) -> int:
    """A seed for one purpose that no other seed of a fit shares."""
    return int(np.random.SeedSequence([config.seed, purpose]).generate_state(1)[0])


@shapes_checked
def widen(
    best: Float64[FloatArray, " genes"],
    kept: Int64[IntArray, " kept"],
    genes: Float64[FloatArray, "batch kept"],
) -> Float64[FloatArray, "batch genes"]:
    """All genes (B, P): those `kept` from `genes` (B, P'), the others from `best` (P,)."""
    rows = np.repeat(best[None], len(genes), axis=0)
    rows[:, kept] = genes
    return rows


@torch.no_grad()
@shapes_checked
def evaluate(
    problem: Problem, free: Free, delays_samples: Float[Tensor, "1 lines"] | None = None
) -> tuple[Float64[FloatArray, " candidates"], Mapping[str, Float64[FloatArray, " candidates"]]]:
    """Losses (B,) and terms of a population, in one batched call unless memory asks for several."""
    rows = rows_at_once(problem)
    count = next(iter(free.values())).shape[0]
    losses, terms = [], []
    for first in range(0, count, rows):
        part = {name: tensor[first : first + rows] for name, tensor in free.items()}
        size = next(iter(part.values())).shape[0]
        delays = None if delays_samples is None else delays_samples.expand(size, -1)
        loss, parts = problem.loss(part, delays)
        losses.append(loss.cpu().double().numpy())
        terms.append({name: value.cpu().double().numpy() for name, value in parts.items()})
    finite = np.nan_to_num(np.concatenate(losses), nan=DIVERGED, posinf=DIVERGED, neginf=DIVERGED)
    return finite, {name: np.concatenate([t[name] for t in terms]) for name in terms[0]}


def rows_at_once(problem: Problem) -> int:
    """How many candidates memory allows in one call."""
    outputs: int = problem.target.samples.shape[0]
    held = MODELS[problem.config.model.name].held
    return max(1, _BATCH_BYTES // (16 * outputs * problem.n_fft * held))
