"""``fdnlearn analyze``: the room-acoustic parameters of a recording, and which of them can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fdnlearn.cli.common import every_command, print_json, print_table, say, warn
from fdnlearn.cli.memory import RUNNING, require_memory

if TYPE_CHECKING:
    from rich.table import Table

    from fdnlearn.acoustics.values import Measurement
    from fdnlearn.rir import Recording, Target


@click.command("analyze", short_help="Measure a recording.")
@click.argument("rir", metavar="RIR")
@every_command
def command(rir: str, as_json: bool) -> None:
    """Measure RIR at its own rate: reverberation time, clarity and more, broadband and per octave.

    A quantity counts when the recording's decay range above its noise is large enough for it.
    """
    require_memory(RUNNING)
    from fdnlearn.acoustics import room_parameters
    from fdnlearn.acoustics.values import measurement_of
    from fdnlearn.rir import prepare_target, read_recording

    recording = read_recording(rir)
    target = prepare_target(recording, sample_rate_hz=recording.sample_rate_hz, subject=rir)
    measurement = measurement_of(room_parameters(recording.samples[0], recording.sample_rate_hz))
    if as_json:
        print_json(_document(recording, target, measurement))
    else:
        _print_tables(target, measurement)
    warn(rir, *target.warnings)


def _document(recording: Recording, target: Target, measurement: Measurement) -> dict[str, Any]:
    return {
        "recording": {
            "name": target.name,
            "sha256": target.sha256,
            "sample_rate_hz": recording.sample_rate_hz,
            "onset_s": target.onset_s,
            "direct_s": target.direct_s,
            "usable_s": target.length_samples / target.sample_rate_hz,
            "range_db": target.range_db,
            "steps": {step.name: step.detail for step in target.steps},
        },
        **measurement.model_dump(mode="json", include={"target", "measurable"}),
        "warnings": list(target.warnings),
    }


def _print_tables(target: Target, measurement: Measurement) -> None:
    say(f"{target.name}, broadband and per octave (Hz)")
    for step in target.steps:
        say(f"  {step.name:<10} {step.detail}")
    table, reasons = _table(measurement)
    print_table(table)
    if reasons:
        say("In parentheses: does not count.")
    for reason, places in reasons.items():
        say(f"  {reason}: {', '.join(places)}")


def _table(measurement: Measurement) -> tuple[Table, dict[str, list[str]]]:
    """Quantities in rows, bands in columns, and why a value does not count: reason -> where."""
    from rich import box
    from rich.table import Table

    from fdnlearn.acoustics.grading import judge
    from fdnlearn.report.formatting import format_number

    octaves_hz = measurement.octaves_hz
    titles = ["all", *(f"{hz // 1000}k" if hz >= 1000 else str(hz) for hz in octaves_hz)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True)
    table.add_column("", no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    reasons: dict[str, list[str]] = {}
    for row in zip(*(judge(measurement, hz) for hz in (None, *octaves_hz)), strict=True):
        quantity = row[0].quantity
        cells = []
        for judgement, title in zip(row, titles, strict=True):
            text = format_number(judgement.target, quantity.decimals)
            cells.append(text if judgement.counts else f"({text})")
            if not judgement.counts:
                reasons.setdefault(judgement.reason, []).append(f"{quantity.symbol} {title}")
        table.add_row(f"{quantity.symbol}, {quantity.unit}", *cells)
    return table, reasons
