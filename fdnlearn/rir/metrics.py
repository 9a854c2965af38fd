"""How far a fit is from its recording, by the same estimators on both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fdnlearn.acoustics.coherence import coherence_json, late_part
from fdnlearn.acoustics.colour import LATE_S, Colour, colour, third_octave_decay_distance_db
from fdnlearn.acoustics.echo_density import echo_density
from fdnlearn.acoustics.energy_decay import schroeder
from fdnlearn.acoustics.onset import find_onset
from fdnlearn.acoustics.parameters import (
    QUANTITIES,
    BandParameters,
    Measurability,
    RoomParameters,
    room_parameters,
)
from fdnlearn.acoustics.ringing import ringing, windows_s
from fdnlearn.acoustics.values import (
    BandErrors,
    BandMeasurability,
    BandValues,
    BroadbandErrors,
    ByBand,
    ErrorsByBand,
    measurability_of,
)
from fdnlearn.base.types import FloatArray
from fdnlearn.rir.metrics_document import Coherence, ColourComparison, ColourDifference, FitComparison

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


def compare(target: Target, fitted_ir: FloatArray, fitted_rate_hz: float) -> FitComparison:
    """Measure recording and fit alike and take the differences.

    The recording is measured on `Target.samples`, in which nothing is moved, with its noise taken out; the fit, which
    has none, by plain Schroeder integration. Onset rule, filters and regression ranges are the same. With several
    channels every quantity is the mean over channels (the spatial average of ISO 3382-1), its error the mean of the
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
    FitComparison

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
        (room, room_parameters(f, rate, "none")) for room, f in zip(target.parameters, fitted, strict=True)
    ]
    onsets = [find_onset(t) for t in target.samples]
    decays = [edc[onset:] for edc, onset in zip(target.energy_decay, onsets, strict=True)]
    curves = list(zip(decays, fitted, strict=True))
    curve_errors = {
        "edc_rms_db": _mean([edc_rms_db(edc, f) for edc, f in curves]),
        "edp_rms": _mean([edp_rms(target, channel, f) for channel, f in enumerate(fitted)]),
    }
    mixing_time_s = target.mixing_time_s
    usable_s = target.length_samples / rate
    lines = [
        line
        for t, edc, f in zip(target.samples, target.energy_decay, fitted, strict=True)
        for line in ringing(t, f, rate, windows_s(edc, rate, mixing_time_s, usable_s))
    ]
    late = late_part(target.energy_decay[0], rate, mixing_time_s, target.length_samples, len(fitted))
    octaves_hz = tuple(pairs[0][0].octave)
    rooms, fits = [room for room, _ in pairs], [fit for _, fit in pairs]
    return FitComparison(
        target=ByBand(broadband=_values(rooms, None), octave={hz: _values(rooms, hz) for hz in octaves_hz}),
        fitted=ByBand(broadband=_values(fits, None), octave={hz: _values(fits, hz) for hz in octaves_hz}),
        error=ErrorsByBand(
            broadband=BroadbandErrors(**_errors(pairs, None), **curve_errors),
            octave={hz: BandErrors(**_errors(pairs, hz)) for hz in octaves_hz},
        ),
        measurable=ByBand(
            broadband=_measurability(rooms, None), octave={hz: _measurability(rooms, hz) for hz in octaves_hz}
        ),
        ringing=tuple(lines),
        colour=_colour(target, fitted),
        coherence=None
        if late is None
        else Coherence.model_validate(coherence_json(target.samples, fitted, late)),
    )


def _colour(target: Target, fitted: FloatArray) -> ColourComparison:
    """Colour and decay by third octave, each channel from its own onset on."""
    pairs = [(room, f[find_onset(f) :]) for room, f in zip(target.third_octaves, fitted, strict=True)]
    return ColourComparison(
        whole=_mean_colour([colour(room, f) for room, f in pairs]),
        late=_mean_colour([colour(room, f, LATE_S) for room, f in pairs]),
        decay_rms_db=_mean([third_octave_decay_distance_db(room, f) for room, f in pairs]),
    )


def _mean_colour(channels: list[Colour]) -> ColourDifference:
    """Means over channels, and the worst band of any."""
    bands = {int(hz) for one in channels for hz in one.by_band_db}
    worst = max(channels, key=lambda one: one.worst_db or 0.0)
    return ColourDifference(
        rms_db=_mean([one.rms_db for one in channels]),
        worst_db=worst.worst_db,
        worst_hz=worst.worst_hz,
        by_band_db={
            hz: float(np.mean([one.by_band_db[hz] for one in channels if hz in one.by_band_db]))
            for hz in sorted(bands)
        },
    )


def edc_rms_db(target_decay: FloatArray, fitted_ir: FloatArray) -> float | None:
    """Rms distance of two decay curves, each in dB re its start, from 0 to -35 dB or the target's knee.

    Parameters
    ----------
    target_decay : ndarray, shape (length,)
        Noise-compensated, from the onset to the knee.
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


def edp_rms(target: Target, channel: int, fitted_ir: FloatArray) -> float | None:
    """Rms distance of two hard echo density profiles from the onset to min(reverberation time, knee).

    Parameters
    ----------
    target : Target
    channel : int
        Of the target.
    fitted_ir : ndarray, shape (n,)

    Returns
    -------
    float or None
        None if less than one window is left.
    """
    room = target.echo_densities[channel]
    fit = echo_density(fitted_ir[find_onset(fitted_ir) :][: target.dense_samples], target.sample_rate_hz)
    frames = min(room.size, fit.size)
    if not frames:
        return None
    return float(np.sqrt(np.mean(np.square(room[:frames] - fit[:frames]))))


def _band(room: RoomParameters, hz: int | None) -> BandParameters:
    return room.broadband if hz is None else room.octave[hz]


def _values(channels: list[RoomParameters], hz: int | None) -> BandValues:
    """One band (None: broadband), averaged over channels."""
    values = [_band(room, hz).values() for room in channels]
    return BandValues(**{name: _mean([channel[name] for channel in values]) for name in QUANTITIES})


def _errors(pairs: list[tuple[RoomParameters, RoomParameters]], hz: int | None) -> Values:
    """Errors of one band, averaged over channels."""
    bands = [(_band(room, hz).values(), _band(fit, hz).values()) for room, fit in pairs]
    return {key: _mean([_error(key, target, fitted) for target, fitted in bands]) for key in _ERRORS}


def _measurability(channels: list[RoomParameters], hz: int | None) -> BandMeasurability:
    """Of one band: what counts on every channel."""
    bands = [_band(room, hz).measurability for room in channels]
    return measurability_of({name: _all_count([band[name] for band in bands]) for name in QUANTITIES})


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


def _all_count(channels: list[Measurability]) -> Measurability:
    """The first that does not count, or the first."""
    return next((channel for channel in channels if not channel.counts), channels[0])
