"""``fdnlearn schema``: the JSON Schema of ``fdn.json`` or of ``metrics.json``."""

from __future__ import annotations

import click

from fdnlearn.cli.common import Word, every_command, print_json


@click.command("schema", short_help="Print the JSON Schema of fdn.json or metrics.json.")
@click.argument("document", type=Word(["fdn", "metrics"]), default="fdn")
@every_command
def command(document: str, as_json: bool) -> None:
    """Print the JSON Schema of fdn.json, or of metrics.json, which is JSON with or without --json."""
    if document == "fdn":
        from fdnlearn.fdn import json_schema
    else:
        from fdnlearn.rir.metrics_document import json_schema

    print_json(json_schema())
