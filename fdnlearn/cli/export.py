"""``fdnlearn export``: write a network as plugin presets, source code and patches, and play them in their hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fdnlearn import registry
from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.cli.common import every_command, print_json, sample_rate_option, say, warn
from fdnlearn.cli.memory import RUNNING, require_memory
from fdnlearn.cli.names import export_name

if TYPE_CHECKING:
    from fdnlearn.export import Check, Export


@click.command("export", short_help="Write a network as presets, source code and patches.")
@click.argument("network", metavar="FDN.json", required=False)
@click.option(
    "--to", "targets", metavar="TARGETS", help=f"One or several of {', '.join(registry.TARGETS)}, or all."
)
@click.option(
    "-o", "folder", metavar="DIR", help="Folder for the files; those of the same names are replaced."
)
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the room in the files.  [default: that of FDN.json; if in DIR it is another recording's, that of its "
    "folder]",
)
@sample_rate_option("Rate that the export runs at.  [default: that of the fit]")
@click.option("--check", "checked", is_flag=True, help="Play every export in its host and print the error.")
@click.option("--list", "listed", is_flag=True, help="Print the targets, what for and how each was proved.")
@every_command
def command(
    network: str | None,
    targets: str | None,
    folder: str | None,
    name: str | None,
    sample_rate_hz: int | None,
    checked: bool,
    listed: bool,
    as_json: bool,
) -> None:
    """Write FDN.json for one or several TARGETS (a,b,c) into DIR, a certificate beside each."""
    if listed:
        _list(as_json)
        return
    if network is None:
        raise UsageError("FDN.json", "is missing", "name a network, or see fdnlearn export --list")
    if targets is None:
        raise UsageError("--to", "is missing", "name a target, see fdnlearn export --list")
    if folder is None:
        raise UsageError("-o", "is missing", "name a folder for the files")
    require_memory(RUNNING)
    from fdnlearn.export import check, export, get_targets
    from fdnlearn.fdn import load_fdn
    from fdnlearn.render import tail_warnings

    get_targets(targets)  # wrong usage is told before files are read
    fdn = load_fdn(network)
    stem = name or export_name(Path(network), fdn, targets, Path(folder))
    exports = export(fdn, targets, folder, name=stem, sample_rate_hz=sample_rate_hz)
    checks = [check(one) if checked else None for one in exports]
    if as_json:
        print_json([_document(one, outcome) for one, outcome in zip(exports, checks, strict=True)])
    else:
        for one, outcome in zip(exports, checks, strict=True):
            say(_line(one, outcome))
            if one.target.about is not None:
                say(f"{'':14} {one.target.about()}")
    warn(network, *tail_warnings(exports[0].network.realisation))
    failed = [outcome for outcome in checks if outcome is not None and outcome.passed is False]
    if failed:
        worst = ", ".join(f"{c.target} {c.error_db:.1f} dB" for c in failed)
        raise FdnlearnError(folder, f"these exports differ from the network: {worst}", "report it")
    if checked and all(outcome is None or outcome.passed is None for outcome in checks):
        reasons = ", ".join(dict.fromkeys(outcome.reason for outcome in checks if outcome is not None))
        raise FdnlearnError(
            folder, f"nothing was checked: {reasons}", "the files are written, none is proved"
        )


def _list(as_json: bool) -> None:
    from fdnlearn.export import get_targets

    rows = [target.as_row() for target in get_targets("all")]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(f"{row['target']:14} {row['purpose']}")
        proof = (
            f"in {row['verified_in']}: {row['measured_db']} dB re peak"
            if row["verified"]
            else (f"unverified: {row['verified_in']}")
        )
        say(f"{'':14} {proof}")


def _line(one: Export, outcome: Check | None) -> str:
    names = ", ".join(str(path) for path in one.files)
    if outcome is None:
        return f"{one.target.name:14} {names}"
    if outcome.error_db is None:
        return f"{one.target.name:14} {names}  not checked ({outcome.reason})"
    verdict = "ok" if outcome.passed else "FAILED"
    return (
        f"{one.target.name:14} {names}  {outcome.error_db:.1f} dB in {outcome.host} "
        f"(at most {outcome.tolerance_db:.0f}): {verdict}"
    )


def _document(one: Export, outcome: Check | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "target": one.target.name,
        "files": [str(path) for path in one.files],
        "certificate": str(one.certificate),
        "sample_rate_hz": one.network.sample_rate_hz,
    }
    if one.target.about is not None:
        document["player"] = one.target.about()
    if outcome is not None:
        document["check"] = {
            "host": outcome.host,
            "error_db": outcome.error_db,
            "tolerance_db": outcome.tolerance_db,
            "passed": outcome.passed,
            "reason": outcome.reason,
        }
    return document
