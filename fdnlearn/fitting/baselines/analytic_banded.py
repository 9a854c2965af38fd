"""The closed-form design of a banded network: what `fitting.analytic` does, octave by octave.

========  ==========================================================================================================
delays    pairwise co-prime, log-spaced over the range that the model searches
matrix    Hadamard where the number of lines is a power of two, else random orthogonal
decay     the measured reverberation time of every octave
early     the strongest reflections, as they were recorded
tone      the energy that each octave of the late part has, over what the network without it has
========  ==========================================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdnlearn.acoustics.bands import filter_octaves, octaves
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn.families.equaliser import equaliser
from fdnlearn.fitting.baselines.orthogonal_designs import orthogonal_matrix
from fdnlearn.fitting.problem import Free, Problem
from fdnlearn.fitting.rounding import coprime
from fdnlearn.model import BandedModel, Network
from fdnlearn.model.banded_map import TONE_SPAN_DB

#: Most that the equaliser is asked for, in dB.
_MOST_DB = 0.8 * TONE_SPAN_DB


def design(problem: Problem) -> tuple[Network, Mapping[str, Any]]:
    """The network (a batch of one, float64), and the contract's fields beyond delays, matrix and gains."""
    model = problem.model
    assert isinstance(model, BandedModel)
    rng = np.random.default_rng(problem.config.seed)
    low, high = model.delay_range_samples
    delays = torch.tensor([coprime(np.geomspace(low, high, model.lines).tolist())], dtype=torch.float64)
    matrix = torch.from_numpy(orthogonal_matrix(model.lines, rng))[None]
    generator = torch.Generator().manual_seed(problem.config.seed)
    direct = torch.from_numpy(problem.target.samples[:, :1].astype("float32")).abs()
    free = {name: x.double() for name, x in model.draw(generator, direct, 1).items()}

    def network(free: Free) -> Network:
        return replace(model.network(free, delays), feedback_matrix=matrix)

    wanted_db = _wanted_db(problem, network(free))
    free["output"] = free["output"] * 10.0 ** (float(wanted_db.mean()) / 20.0)
    eq = equaliser(tuple(model.tone_hz.tolist()), model.sample_rate_hz)
    gains_db = np.clip(eq.commands @ (wanted_db - wanted_db.mean()), -_MOST_DB, _MOST_DB)
    free["tone"] = torch.atanh(torch.from_numpy(gains_db)[None] / TONE_SPAN_DB)
    done = network(free)
    return done, model.fdn_fields(free, done)


def _wanted_db(problem: Problem, network: Network) -> FloatArray:
    """What the late part lacks at every knot: target over network, from where the early part ends."""
    target, model = problem.target, problem.model
    assert isinstance(model, BandedModel)
    fs = target.sample_rate_hz
    start = int(model.early.positions.max(initial=0)) + 1
    stop = max(target.length_samples, start + 1)
    silent = replace(
        network,
        direct_gains=torch.zeros_like(network.direct_gains),
        tap_gains=None if network.tap_gains is None else torch.zeros_like(network.tap_gains),
    )
    wet = _response(silent, problem.n_fft)[:, start:stop]
    noise = target.noise_power.sum()
    found = {}
    for band in octaves(fs):
        share = band.bandwidth_hz / (fs / 2)
        energy = [_energy(h, fs, band) for h in (target.samples[:, start:stop], wet)]
        energy[0] = max(energy[0] - noise * share * (stop - start), 1e-3 * energy[0])
        if min(energy) > 0.0:
            found[band.centre_hz] = 10.0 * np.log10(energy[0] / energy[1])
    if not found:
        return np.zeros(model.tone_hz.size)
    levels: FloatArray = np.interp(np.log2(model.tone_hz), np.log2(list(found)), list(found.values()))
    return levels


def _energy(channels: FloatArray, fs: float, band: Any) -> float:
    return sum(float(np.square(filter_octaves(h, fs, (band,))[0][0]).sum()) for h in channels)


def _response(network: Network, n_fft: int) -> FloatArray:
    h: Tensor = network.impulse_response(n_fft, "cpu")[0, :, 0]
    return h.numpy()
