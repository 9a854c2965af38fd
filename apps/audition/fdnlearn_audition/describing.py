"""A recording before it is fitted: what it is, what its room does, what its noise leaves to be judged."""

from __future__ import annotations

from typing import Any

from fdnlearn_audition.limits import LONGEST_RECORDING_S
from fdnlearn_audition.tables import octave_rows


def ready() -> bool:
    """Import what nearly every task needs."""
    import fdnlearn.acoustics.parameters
    import fdnlearn.export
    import fdnlearn.render
    import fdnlearn.rir.preparation  # noqa: F401

    return True


def describe(path: str, channel: int = 1) -> dict[str, Any]:
    """Check a recording and measure it.

    Returns
    -------
    dict
        ``channels``, ``facts`` (label, value), ``warnings``, ``octaves`` (a table), ``curves``.

    Raises
    ------
    FdnlearnError
        If it is no impulse response.
    """
    from fdnlearn.acoustics import room_parameters
    from fdnlearn.acoustics.values import measurement_of
    from fdnlearn.report.formatting import format_number, format_time
    from fdnlearn.rir import prepare_target, read_recording
    from fdnlearn_audition.curves import room_curves

    recording = read_recording(path, longest_s=LONGEST_RECORDING_S)
    channels = len(recording.samples)
    target = prepare_target(
        recording, sample_rate_hz=recording.sample_rate_hz, channel=channel, subject=recording.name
    )
    room = room_parameters(recording.samples[channel - 1], recording.sample_rate_hz)
    values = room.broadband.values()
    usable_s = target.length_samples / target.sample_rate_hz
    facts = [
        ("Format", f"{recording.encoding.replace('_', ' ')}, {recording.sample_rate_hz / 1000:g} kHz"),
        ("Length", format_number(recording.samples.shape[1] / recording.sample_rate_hz, 2, "s")),
        ("Channels", str(channels)),
        ("Usable range", f"{format_number(target.range_db, 0, 'dB')}, {format_time(usable_s)}"),
        ("T30", format_number(values.get("t30_s"), 2, "s")),
        ("EDT", format_number(values.get("edt_s"), 2, "s")),
        ("C80", format_number(values.get("c80_db"), 1, "dB")),
        ("DRR", format_number(values.get("drr_db"), 1, "dB")),
    ]
    return {
        "channels": channels,
        "facts": facts,
        "warnings": list(target.warnings),
        "octaves": octave_rows(measurement_of(room)),
        "curves": room_curves(target),
        "sample_rate_hz": recording.sample_rate_hz,
    }
