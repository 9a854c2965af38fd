"""The contract of `metrics.json`: how close a fit comes to its recording, and how it was made."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, JsonValue, PlainValidator, WithJsonSchema, model_validator

from fdnlearn.acoustics.ringing import Line
from fdnlearn.acoustics.values import BAND_KEYS, Band, BandValues, ByBand, ErrorsByBand, Measurement, Value
from fdnlearn.base import documents
from fdnlearn.base.documents import DocumentKind
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.fdn.fields import Integer, Number, Part

FORMAT: Final = "fdnlearn.metrics"
#: Since version 2 a fit is held against the recording itself; before, against one whose direct sound was one sample.
VERSION: Final = 2
KIND = DocumentKind(
    FORMAT,
    VERSION,
    give="give the metrics.json that a fit wrote",
    none="this is not a metrics.json",
    damaged="fit again",
    # The first versions of the program wrote neither format nor version.
    headless=True,
)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("input should be a valid string")
    return value


#: Text that may hold lone surrogates, as the name of a file that is no UTF-8 does; pydantic's own does not admit them.
Text = Annotated[str, PlainValidator(_text), WithJsonSchema({"type": "string"})]

#: Two channels by their numbers from 0.
Pair = Annotated[str, Field(pattern="^[0-9]+-[0-9]+$", max_length=20)]


class RecordingFacts(Part):
    """What was fitted: the recording and what its preparation found.

    Attributes
    ----------
    name, sha256 : str
        File name, and hash of its content.
    sample_rate_hz : int
        Of the recording; the fit's own is among the settings.
    onset_s, direct_s : float
        Where onset and direct sound lie in the recording.
    range_db : float
        Usable decay range above the noise.
    reverberation_time_s : float
    steps : mapping of str to str
        What was done to the recording, in order.
    """

    name: Text
    sha256: Text
    sample_rate_hz: Integer
    onset_s: Number
    direct_s: Number
    range_db: Number
    reverberation_time_s: Number
    steps: dict[str, Text]


class Coherence(Part):
    """How alike the channels of the late part are: for every pair of channels (``"0-1"``) a value an octave."""

    target: dict[Pair, tuple[Number, ...]]
    fitted: dict[Pair, tuple[Number, ...]]
    error: dict[Pair, tuple[Number, ...]]

    @model_validator(mode="after")
    def _alike(self) -> Self:
        shapes = [
            {pair: len(row) for pair, row in part.items()} for part in (self.target, self.fitted, self.error)
        ]
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError("target, fitted and error should hold the same pairs and octaves")
        return self


class ColourDifference(Part):
    """Levels of a fit by third octave against its recording, their mean removed.

    Attributes
    ----------
    rms_db, worst_db, worst_hz : float or None
        Over the bands that count; None where none does.
    by_band_db : mapping of int to float
        By nominal centre frequency; positive where the fit is louder.
    """

    rms_db: Value
    worst_db: Value
    worst_hz: Value
    by_band_db: Annotated[dict[Band, Number], Field(json_schema_extra=BAND_KEYS)]


class ColourComparison(Part):
    """Colour and decay by third octave (`fdnlearn.acoustics.colour`), the mean over channels.

    Attributes
    ----------
    whole, late : ColourDifference
        Of the whole response, and from 50 ms on.
    decay_rms_db : float or None
        Rms distance of the decays.
    """

    whole: ColourDifference
    late: ColourDifference
    decay_rms_db: Value


class StereoChanges(Part):
    """What a second, decorrelated output changes: shifts of each channel (left, right) against the fit."""

    drr_shift_db: tuple[Value, Value]
    c80_shift_db: tuple[Value, Value]
    correlation: Annotated[dict[Band, Number], Field(json_schema_extra=BAND_KEYS)]


class FitComparison(Measurement):
    """A fit held against its recording.

    Attributes
    ----------
    target, fitted, error, measurable
        As in `Measurement`.
    ringing : tuple of Line or None
        What stands out of the fit's late spectrum and not of the target's, of all channels; None where it has not been
        looked for.
    colour : ColourComparison or None
        None where it has not been measured.
    coherence : Coherence or None
        None for a single channel.
    """

    fitted: ByBand[BandValues]
    error: ErrorsByBand
    ringing: tuple[Line, ...] | None = None
    colour: ColourComparison | None = None
    coherence: Coherence | None = None

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`: the fields in the order of the file."""
        return self.model_dump(mode="json")


class _Head(Part):
    """The fields with which the file begins; a class of their own because fields come in the order of the bases."""

    format: Literal["fdnlearn.metrics"] = FORMAT
    version: Literal[1, 2] = VERSION
    recording: RecordingFacts


class Metrics(FitComparison, _Head):
    """Everything that `metrics.json` holds.

    Attributes
    ----------
    format, version
        ``"fdnlearn.metrics"`` and 2; 1 in files of older programs.
    recording : RecordingFacts
    target, fitted, error, measurable, ringing, colour, coherence
        As in `FitComparison`, of the network as it is written.
    before_snapping : FitComparison or None
        The comparison before the delays were rounded, where they were.
    stereo : StereoChanges or None
        Where the network has been given a second output.
    loss : float or None
        Loss of the network; None where it is no finite number.
    seconds : float
        Wall-clock time of the fit.
    iterations : int
    status : str
        How the fit ended.
    settings : mapping
        Everything that decided it.
    warnings : tuple of str
        Of the recording, then of the fit.
    program : str
        Name and version of what wrote this.
    """

    before_snapping: FitComparison | None = None
    stereo: StereoChanges | None = None
    loss: Value
    seconds: Number
    iterations: Integer
    status: Text
    settings: dict[str, JsonValue]
    warnings: tuple[Text, ...]
    program: Text


def load_metrics(path: str | os.PathLike[str]) -> Metrics:
    """Read a `metrics.json`, of this version or of a program that wrote neither format nor version.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Metrics

    Raises
    ------
    FdnlearnError
        One line naming the file, the field, the problem and the remedy, whatever the file holds.
    """
    return loads_metrics(documents.read_bytes(path), str(path))


def loads_metrics(data: bytes | str, name: str = "metrics") -> Metrics:
    """Parse metrics from JSON text, or refuse it as `load_metrics` does; `name` is what an error calls it."""
    return documents.loads_document(data, Metrics, KIND, name)


def metrics_of(document: Any, name: str) -> Metrics:
    """Metrics that are part of another document; `name` is what an error calls them.

    Raises
    ------
    FdnlearnError
        If they are none.
    """
    with documents.within(name):
        if not isinstance(document, dict):
            raise FdnlearnError("", "are no JSON object", KIND.give)
        return documents.validated(document, Metrics, KIND)


def dumps_metrics(metrics: Metrics) -> str:
    """JSON text of metrics, as a file holds it."""
    return json.dumps(metrics.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `metrics.json`."""
    return documents.json_schema(Metrics, "fdnlearn metrics of a fit")
