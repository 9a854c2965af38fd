"""``fdnlearn schema``: the JSON Schema of ``fdn.json``."""

from __future__ import annotations

import click

from fdnlearn.cli.common import every_command, print_json


@click.command("schema", short_help="Print the JSON Schema of fdn.json.")
@every_command
def command(as_json: bool) -> None:
    """Print the JSON Schema of fdn.json, which is JSON with or without --json."""
    from fdnlearn.fdn import json_schema

    print_json(json_schema())
