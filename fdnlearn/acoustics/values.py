"""Room-acoustic values as documents hold them: of a room, of a fit, and how far the two are apart, band by band."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from pydantic import BeforeValidator, Field

from fdnlearn.acoustics.parameters import Measurability
from fdnlearn.fdn.fields import Number, Part

if TYPE_CHECKING:
    from fdnlearn.acoustics.parameters import BandParameters, RoomParameters

#: A measured value; None where nothing could be measured.
Value = Number | None


def _band_hz(key: Any) -> Any:
    """A key of a JSON object as a number; what is written in another way stays text, and is refused as such."""
    return int(key) if isinstance(key, str) and re.fullmatch("[1-9][0-9]{0,5}", key) else key


#: Nominal centre frequency of an octave; in JSON, where it is a key, the digits of it.
Band = Annotated[int, BeforeValidator(_band_hz), Field(strict=True, gt=0, lt=10**6)]
#: What the JSON Schema says of the keys of an object by band.
BAND_KEYS: dict[str, Any] = {"propertyNames": {"pattern": "^[1-9][0-9]{0,5}$"}}
Content = TypeVar("Content")


class BandValues(Part):
    """Parameters of one band: times in seconds, energy ratios in dB, and so on, as their names say."""

    t20_s: Value
    t30_s: Value
    edt_s: Value
    c50_db: Value
    c80_db: Value
    d50_percent: Value
    ts_ms: Value
    drr_db: Value


class BandErrors(Part):
    """Absolute errors of a fit in one band, relative ones in per cent; ``pp`` are percentage points."""

    t20_percent: Value
    t30_percent: Value
    edt_percent: Value
    edt_ms: Value
    c50_db: Value
    c80_db: Value
    d50_pp: Value
    ts_ms: Value
    drr_db: Value


class BroadbandErrors(BandErrors):
    """Errors over all frequencies, with the distances between whole curves.

    Attributes
    ----------
    edc_rms_db : float or None
        Rms distance of the energy decay curves.
    edp_rms : float or None
        Rms distance of the echo density profiles.
    """

    edc_rms_db: Value
    edp_rms: Value


class BandMeasurability(Part):
    """Whether each quantity of one band counts in a comparison, and why not."""

    t20: Measurability
    t30: Measurability
    edt: Measurability
    c50: Measurability
    c80: Measurability
    d50: Measurability
    ts: Measurability
    drr: Measurability


class ByBand(Part, Generic[Content]):
    """The same of the whole signal and of its octaves, by nominal centre frequency."""

    broadband: Content
    octave: Annotated[dict[Band, Content], Field(json_schema_extra=BAND_KEYS)]

    def at(self, band_hz: int | None) -> Content | None:
        """Content of one octave, of the whole signal for None; None if there is no such octave."""
        return self.broadband if band_hz is None else self.octave.get(band_hz)


class ErrorsByBand(Part):
    """Errors over all frequencies and by octave."""

    broadband: BroadbandErrors
    octave: Annotated[dict[Band, BandErrors], Field(json_schema_extra=BAND_KEYS)]

    def at(self, band_hz: int | None) -> BandErrors | None:
        """Errors of one octave, of the whole signal for None; None if there is no such octave."""
        return self.broadband if band_hz is None else self.octave.get(band_hz)


class Measurement(Part):
    """What has been measured of a room, and of a fit where there is one.

    Attributes
    ----------
    target, fitted : ByBand of BandValues
        Values of both; `fitted` is None for a room alone.
    error : ErrorsByBand or None
        Their differences.
    measurable : ByBand of BandMeasurability
        Which quantities the recording is good enough for.
    """

    target: ByBand[BandValues]
    fitted: ByBand[BandValues] | None = None
    error: ErrorsByBand | None = None
    measurable: ByBand[BandMeasurability]

    @property
    def octaves_hz(self) -> tuple[int, ...]:
        """Centre frequencies of the octaves in any part, lowest first."""
        parts = (self.target, self.fitted, self.error, self.measurable)
        return tuple(sorted({hz for part in parts if part is not None for hz in part.octave}))


def measurement_of(room: RoomParameters) -> Measurement:
    """The measurement of a room alone."""
    return Measurement(
        target=ByBand(
            broadband=values_of(room.broadband),
            octave={hz: values_of(band) for hz, band in room.octave.items()},
        ),
        measurable=ByBand(
            broadband=measurability_of(room.broadband.measurability),
            octave={hz: measurability_of(band.measurability) for hz, band in room.octave.items()},
        ),
    )


def values_of(band: BandParameters) -> BandValues:
    """Values of one band."""
    return BandValues(**band.values())


def measurability_of(quantities: Mapping[str, Measurability]) -> BandMeasurability:
    """The same by the quantity's name without its unit."""
    return BandMeasurability(**{name.split("_")[0]: value for name, value in quantities.items()})
