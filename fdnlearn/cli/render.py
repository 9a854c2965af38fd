"""``fdnlearn render``: play a dry recording through a fitted network."""

from __future__ import annotations

import click

from fdnlearn.cli.common import (
    NumberType,
    every_command,
    number_option,
    print_json,
    sample_rate_option,
    say,
    warn,
)
from fdnlearn.cli.memory import RUNNING, require_memory

_LEVEL_DB, _FACTOR = NumberType(-200, 60), NumberType(0.01, 100)


@click.command("render", short_help="Play a recording through a network.")
@click.argument("network", metavar="FDN.json")
@click.argument("dry_file", metavar="DRY.wav")
@click.option(
    "-o", "output", metavar="WET.wav", required=True, help="Float WAV, or 24-bit FLAC or AIFF, by its suffix."
)
@number_option(
    "--wet",
    "wet_db",
    "DB",
    _LEVEL_DB,
    "Level of the room, direct sound included.",
    show_default=True,
    default=0.0,
)
@number_option("--dry", "dry_db", "DB", _LEVEL_DB, "Level of the dry recording mixed to it.  [default: none]")
@number_option(
    "--decay", "decay", "X", _FACTOR, "Factor on the reverberation time.", show_default=True, default=1.0
)
@number_option(
    "--size", "size", "X", _FACTOR, "Factor on the length of the delay lines.", show_default=True, default=1.0
)
@sample_rate_option("Rate of the output.  [default: that of DRY.wav]")
@every_command
def command(
    network: str,
    dry_file: str,
    output: str,
    wet_db: float,
    dry_db: float | None,
    decay: float,
    size: float,
    sample_rate_hz: int | None,
    as_json: bool,
) -> None:
    """Play DRY.wav through FDN.json and write the result with its tail."""
    require_memory(RUNNING)
    from fdnlearn.runs.rendering import render_file

    done = render_file(
        network,
        dry_file,
        output,
        wet_db=wet_db,
        dry_db=dry_db,
        decay=decay,
        size=size,
        sample_rate_hz=sample_rate_hz,
    )
    seconds = done.samples / done.sample_rate_hz
    if as_json:
        print_json(
            {
                "output": str(done.path),
                "sample_rate_hz": done.sample_rate_hz,
                "channels": done.channels,
                "seconds": seconds,
                "peak": done.peak,
                "warnings": list(done.warnings),
            }
        )
    else:
        say(f"{done.path}  {seconds:.2f} s, {done.channels} channel(s), {done.sample_rate_hz} Hz")
    warn(output, *done.warnings)
