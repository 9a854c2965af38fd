"""pyFDN's own training of a network against a measured room, on another recording.

As `example_train_fdn_to_rir` of pyFDN 0.5 does it: sixteen co-prime delays, a shelf a line whose reverberation times
are learned, a shelf behind the network, cumulative energy of the spectrogram as loss, 300 steps of Adam. The only
difference is the recording: it is given at its rate, begins with its direct sound, and the response is rendered as long
as it is. pyFDN and flamo are imported here alone.
"""

from __future__ import annotations

import time
import warnings

import numpy as np

from fdnlearn.base.types import FloatArray

LINES = 16
#: Of the example: samples of a step's response, and steps.
TRAINED_SAMPLES, STEPS = 2**16, 300
#: Five of each second-order section, one of every gain: shelves in the loop and behind it, matrix, gains in and out.
MULTIPLICATIONS = LINES * LINES + 5 * (LINES + 1) + 2 * LINES + 1


def fit(rir: FloatArray, rate_hz: int, *, steps: int = STEPS) -> tuple[FloatArray, float]:
    """Train on a recording (n,) that begins with its direct sound; the response (m,) and seconds of training."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _fit(rir, rate_hz, steps)


def _fit(rir: FloatArray, rate_hz: int, steps: int) -> tuple[FloatArray, float]:
    import pyFDN
    import torch

    began = time.perf_counter()
    rir = rir / np.linalg.norm(rir)
    rendered = 2 ** max(17, int(np.ceil(np.log2(rir.size))))
    trained = min(TRAINED_SAMPLES, rendered)
    start = pyFDN.fdn_build_gallery(
        N=LINES, fs=rate_hz, delay_range=(700, 2500), delay_distribution="geometric", coprime=True,
        sort_delays=True, io_type="normalized", direct_gain=0.0, rt=1.0, rt_nyquist=1.0, rng=2,
    )  # fmt: skip
    common = {"nfft": rendered, "device": "cpu", "dtype": torch.float32}
    shelf = {"design": "first_order_shelf"} | common
    model = pyFDN.trainable_from_build(
        start,
        trainable=pyFDN.Trainable(direct=True),
        post_delay=pyFDN.AttenuationFilter(1.0, start.delays, rate_hz, **shelf),
        post_output=pyFDN.OutputEQ(0.0, 1, rate_hz, **shelf),
        **common,
    )
    before = pyFDN.flamo_time_response(model, fs=rate_hz).squeeze().astype(float)[: rir.size]
    with torch.no_grad():
        level = np.linalg.norm(rir[:rendered]) / np.linalg.norm(before)
        pyFDN.param(model, "output_gain").raw().mul_(float(level))
    loss = pyFDN.MatchCumulativeEnergy(rir, window=1024, power=0.5, frequency="both")
    model.set_nfft(trained)
    pyFDN.train_fdn(model, loss, max_steps=steps, lr=3e-2, patience=100, device="cpu", rng=0)
    model.set_nfft(rendered)
    response = pyFDN.flamo_time_response(model, fs=rate_hz).squeeze().astype(np.float64)
    return response, time.perf_counter() - began
