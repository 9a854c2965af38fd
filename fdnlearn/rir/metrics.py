"""How far a fit is from its target, by the same estimators on both."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fdnlearn.acoustics.coherence import coherence_json, late_part
from fdnlearn.acoustics.echo_density import echo_density
from fdnlearn.acoustics.energy_decay import schroeder
from fdnlearn.acoustics.onset import find_onset
from fdnlearn.acoustics.parameters import QUANTITIES, Judgement, RoomParameters, room_parameters
from fdnlearn.acoustics.ringing import Line, ringing, windows_s
from fdnlearn.base.types import FloatArray

if TYPE_CHECKING:
    from fdnlearn.rir.target import Target

Values = Mapping[str, float | None]

#: Error keys: from which quantity, and relative (in per cent) or by which factor absolute.
_ERRORS = {
    "t20_percent": ("t20_s", None),
    "t30_percent": ("t30_s", None),
    "edt_percent": ("edt_s", None),
    "edt_ms": ("edt_s", 1e3),
    "c50_db": ("c50_db", 1.0),
    "c80_db": ("c80_db", 1.0),
    "d50_pp": ("d50_percent", 1.0),
    "ts_ms": ("ts_ms", 1.0),
    "drr_db": ("drr_db", 1.0),
}
#: Lower end of the range over which decay curves are compared.
EDC_RANGE_DB = 35.0


@dataclass(frozen=True)
class BandComparison:
    """Target, fit and error of one band, and what of it counts."""

    target: Values
    fitted: Values
    error: Values
    measurable: Mapping[str, Judgement]


@dataclass(frozen=True)
class Comparison:
    """A fit held against its target.

    Attributes
    ----------
    broadband : BandComparison
        Its `error` also holds ``edc_rms_db`` and ``edp_rms``.
    octave : mapping of int to BandComparison
        By nominal centre frequency.
    ringing : tuple of Line
        What stands out of the fit's late spectrum and not of the target's, of all channels.
    coherence : mapping or None
        As `coherence.coherence_json` returns it; None for a single channel.
    """

    broadband: BandComparison
    octave: Mapping[int, BandComparison]
    ringing: tuple[Line, ...]
    coherence: Mapping[str, Mapping[str, list[float]]] | None

    def to_json(self) -> dict[str, Any]:
        """``target``, ``fitted``, ``error`` and ``measurable``, each by band; ``ringing`` and ``coherence``.

        Returns
        -------
        dict
            Ready for `json.dumps`: finite numbers, or None where there is no value.
        """
        document: dict[str, Any] = {}
        for part in ("target", "fitted", "error"):
            document[part] = {
                "broadband": dict(getattr(self.broadband, part)),
                "octave": {str(hz): dict(getattr(band, part)) for hz, band in self.octave.items()},
            }
        document["measurable"] = {
            "broadband": _judgements_json(self.broadband),
            "octave": {str(hz): _judgements_json(band) for hz, band in self.octave.items()},
        }
        document["ringing"] = [dataclasses.asdict(line) for line in self.ringing]
        document["coherence"] = self.coherence
        return document


def compare(target: Target, fitted_ir: FloatArray, fitted_rate_hz: float) -> Comparison:
    """Measure target and fit alike and take the differences.

    The target is measured on `Target.samples` with its noise taken out; the fit, which has none, by plain
    Schroeder integration. Onset rule, filters and regression ranges are the same. With several channels every
    quantity is the mean over channels (the spatial average of ISO 3382-1), its error the mean of the
    channels' absolute errors, and it counts if it does on every channel.

    Parameters
    ----------
    target : Target
    fitted_ir : ndarray, shape (channels, n) or (n,)
        Noiseless response at the target's rate, long enough to have decayed completely (1.5 reverberation
        times will do). Its level and polarity do not matter.
    fitted_rate_hz : float

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If rate or number of channels differ.
    """
    fitted = np.atleast_2d(np.asarray(fitted_ir, dtype=np.float64))
    if fitted_rate_hz != target.sample_rate_hz:
        raise ValueError(f"fit at {fitted_rate_hz} Hz, target at {target.sample_rate_hz} Hz")
    if fitted.shape[0] != target.samples.shape[0]:
        raise ValueError(f"fit has {fitted.shape[0]} channels, target {target.samples.shape[0]}")
    rate = target.sample_rate_hz
    pairs = [
        (room_parameters(t, rate, "auto"), room_parameters(f, rate, "none"))
        for t, f in zip(target.samples, fitted, strict=True)
    ]
    broadband = _compare_band(pairs, None)
    curves = list(zip(target.samples, target.energy_decay, fitted, strict=True))
    whole = {
        "edc_rms_db": _mean([edc_rms_db(edc, f) for _, edc, f in curves]),
        "edp_rms": _mean([edp_rms(target, t, f) for t, _, f in curves]),
    }
    broadband = BandComparison(
        broadband.target, broadband.fitted, {**broadband.error, **whole}, broadband.measurable
    )
    mixing_time_s = target.mixing_time_s
    usable_s = target.length_samples / rate
    rings = [
        line
        for t, edc, f in curves
        for line in ringing(t, f, rate, windows_s(edc, rate, mixing_time_s, usable_s))
    ]
    late = late_part(target.energy_decay[0], rate, mixing_time_s, target.length_samples, len(fitted))
    return Comparison(
        broadband,
        {hz: _compare_band(pairs, hz) for hz in pairs[0][0].octave},
        tuple(rings),
        None if late is None else coherence_json(target.samples, fitted, late),
    )


def edc_rms_db(target_decay: FloatArray, fitted_ir: FloatArray) -> float | None:
    """Rms distance of two decay curves, each in dB re its start, from 0 to -35 dB or the target's knee.

    Parameters
    ----------
    target_decay : ndarray, shape (length,)
        Noise-compensated, from the direct sound to the knee.
    fitted_ir : ndarray, shape (n,)

    Returns
    -------
    float or None
        None if one of the curves ends or is empty within the range.
    """
    fitted_decay = schroeder(fitted_ir[find_onset(fitted_ir) :])
    if not (fitted_decay[0] > 0.0 and target_decay[0] > 0.0):
        return None
    target_db = 10.0 * np.log10(target_decay / target_decay[0])
    stop = int(np.searchsorted(-target_db, EDC_RANGE_DB))
    if not 0 < stop <= fitted_decay.size or fitted_decay[stop - 1] <= 0.0:
        return None
    difference = target_db[:stop] - 10.0 * np.log10(fitted_decay[:stop] / fitted_decay[0])
    return float(np.sqrt(np.mean(np.square(difference))))


def edp_rms(target: Target, samples: FloatArray, fitted_ir: FloatArray) -> float | None:
    """Rms distance of two hard echo density profiles from the onset to min(reverberation time, knee).

    Parameters
    ----------
    target : Target
        For its rate, usable length and reverberation time.
    samples : ndarray, shape (total_samples,)
        One channel of the target.
    fitted_ir : ndarray, shape (n,)

    Returns
    -------
    float or None
        None if less than one window is left.
    """
    stop = min(target.length_samples, round(target.reverberation_time_s * target.sample_rate_hz))
    cut = [h[find_onset(h) :][:stop] for h in (samples, fitted_ir)]
    profiles = [echo_density(h, target.sample_rate_hz) for h in cut]
    frames = min(profile.size for profile in profiles)
    if not frames:
        return None
    return float(np.sqrt(np.mean(np.square(profiles[0][:frames] - profiles[1][:frames]))))


def _compare_band(pairs: list[tuple[RoomParameters, RoomParameters]], hz: int | None) -> BandComparison:
    """One band (None: broadband), averaged over channels."""
    bands = [tuple(p.broadband if hz is None else p.octave[hz] for p in pair) for pair in pairs]
    target = [t.values() for t, _ in bands]
    fitted = [f.values() for _, f in bands]
    return BandComparison(
        target={name: _mean([values[name] for values in target]) for name in QUANTITIES},
        fitted={name: _mean([values[name] for values in fitted]) for name in QUANTITIES},
        error={
            key: _mean([_error(key, t, f) for t, f in zip(target, fitted, strict=True)]) for key in _ERRORS
        },
        measurable={name: _all_count([t.judgements[name] for t, _ in bands]) for name in QUANTITIES},
    )


def _error(key: str, target: Values, fitted: Values) -> float | None:
    """Absolute error of one quantity."""
    name, factor = _ERRORS[key]
    t, f = target[name], fitted[name]
    if t is None or f is None:
        return None
    return 100.0 * abs(f / t - 1.0) if factor is None else factor * abs(f - t)


def _mean(values: list[float | None]) -> float | None:
    """Mean, None if any value is missing."""
    present = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(present)) if len(present) == len(values) else None


def _all_count(judgements: list[Judgement]) -> Judgement:
    """The first that does not count, or the first."""
    return next((judgement for judgement in judgements if not judgement.counts), judgements[0])


def _judgements_json(band: BandComparison) -> dict[str, dict[str, bool | str]]:
    """Judgements by the quantity's name without its unit."""
    return {
        name.split("_")[0]: {"counts": judgement.counts, "reason": judgement.reason}
        for name, judgement in band.measurable.items()
    }
