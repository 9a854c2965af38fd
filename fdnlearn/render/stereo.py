"""A second channel for a mono fit: left M + S, right M − S, so that their sum is the fit itself.

M is what was learned. S leaves the same lines with other output gains, chosen so that in every octave it is
uncorrelated with M and about as loud: a listener between two loudspeakers hears the same decay from everywhere. Direct
sound and early taps stay in the middle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from fdnlearn.acoustics.bands import octave_magnitude, octaves
from fdnlearn.acoustics.parameters import room_parameters
from fdnlearn.base.errors import UsageError
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.fdn import FDN
from fdnlearn.render import impulse_response, tail_length_s

#: Directions that are tried; the one whose octaves are nearest to those of M is taken.
_CANDIDATES = 64
#: What the lines sound like is known after this long; every line is an output of its own here.
_LONGEST_S = 30.0


def widened(fdn: FDN, seed: int) -> FDN:
    """The network with two outputs whose sum is twice the one it had.

    Raises
    ------
    UsageError
        If it has more than one input or output, or a single line.
    """
    if (fdn.inputs, fdn.outputs) != (1, 1) or fdn.lines < 2:
        raise UsageError(
            "--stereo", "needs a fit of one channel with two lines or more", "choose one with --channel"
        )
    middle = fdn.arrays.output_gains[0]
    side = side_gains(gram_matrices(fdn), middle, np.random.default_rng(seed))
    document = fdn.model_dump() | {
        "output_gains": [(middle + side).tolist(), (middle - side).tolist()],
        "direct_gains": [list(fdn.direct_gains[0])] * 2,
        **{
            name: [path.model_dump() | {"output": output} for path in getattr(fdn, name) for output in (0, 1)]
            for name in ("early", "head")
            if getattr(fdn, name)
        },
    }
    return FDN.model_validate(document)


@shapes_checked
def gram_matrices(fdn: FDN) -> Float64[FloatArray, "bands lines lines"]:
    """Energies and correlations of what each line sounds like, octave by octave, shape (bands, N, N)."""
    n = fdn.lines
    document = fdn.model_dump(exclude={"early", "head", "direct_peak_samples"}) | {
        "version": 1,
        "output_gains": np.eye(n).tolist(),
        "direct_gains": np.zeros((n, 1)).tolist(),
    }
    lines = impulse_response(FDN.model_validate(document), length_s=min(tail_length_s(fdn), _LONGEST_S))
    size = scipy.fft.next_fast_len(2 * lines.shape[1], real=True)
    spectra = scipy.fft.rfft(np.asarray(lines, dtype=np.float64), size)
    frequency_hz: FloatArray = np.arange(spectra.shape[1], dtype=np.float64) * (fdn.sample_rate_hz / size)
    weights = [np.square(octave_magnitude(band, frequency_hz)) for band in octaves(fdn.sample_rate_hz)]
    weights = weights or [np.ones(frequency_hz.size)]
    return np.stack([np.real((spectra * weight) @ spectra.conj().T) for weight in weights])


@shapes_checked
def side_gains(
    gram: Float64[FloatArray, "bands lines lines"],
    middle: Float64[FloatArray, " lines"],
    rng: np.random.Generator,
) -> Float64[FloatArray, " lines"]:
    """Output gains (N,) of S for those of M: uncorrelated in every octave as far as there are lines for it."""
    energy = np.einsum("i,bij,j->b", middle, gram, middle)
    crossed = (gram @ middle) / np.maximum(energy, 1e-300)[:, None]
    # Directions in the order of how much they correlate with M; at least half of them are free to choose from.
    _, _, directions = np.linalg.svd(crossed)
    free = directions[min(len(crossed), middle.size // 2) :]
    candidates = rng.standard_normal((_CANDIDATES, len(free))) @ free
    level = np.einsum("ci,bij,cj->cb", candidates, gram, candidates) / np.maximum(energy, 1e-300)
    candidates /= np.exp(np.log(level).mean(axis=1) / 2.0)[:, None]
    best: FloatArray = candidates[np.argmin(np.log(level).std(axis=1))]
    return best


def widening_effect(mono: FDN, stereo: FDN) -> dict[str, Any]:
    """What widening does: shift of DRR and C80 of each channel against M, and correlation of the channels per octave.

    Returns
    -------
    dict
        ``drr_shift_db`` and ``c80_shift_db``, (left, right), None where there is no value; ``correlation`` by octave.
    """
    rate = mono.sample_rate_hz
    middle, channels = impulse_response(mono), impulse_response(stereo)
    whole = [room_parameters(h, rate, "none").broadband for h in (middle[0], *channels)]

    def shifts(name: str) -> list[float | None]:
        first, *others = (getattr(parameters, name) for parameters in whole)
        return [None if first is None or other is None else other - first for other in others]

    gram, gains = gram_matrices(mono), stereo.arrays.output_gains
    cross = np.einsum("oi,bij,pj->bop", gains, gram, gains)
    correlation = cross[:, 0, 1] / np.sqrt(cross[:, 0, 0] * cross[:, 1, 1])
    return {
        "drr_shift_db": shifts("drr_db"),
        "c80_shift_db": shifts("c80_db"),
        "correlation": {
            str(band.nominal_hz): round(float(value), 4)
            for band, value in zip(octaves(rate), correlation, strict=False)
        },
    }
