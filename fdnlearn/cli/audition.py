"""``fdnlearn audition``: the listening room, a page in the browser."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import click

from fdnlearn.base.errors import FdnlearnError, UsageError
from fdnlearn.cli.common import DEBUG, WholeNumber, say
from fdnlearn.cli.interrupt import Interruptible
from fdnlearn.cli.memory import LEARNING, require_memory

_PACKAGE = "fdnlearn_audition"
_NEEDED = ("gradio", "fastapi", "uvicorn")


@click.command("audition", short_help="Fit, hear and compare in the browser.")
@click.argument("result", metavar="[FDN.json|DIR]", required=False)
@click.option(
    "--host",
    metavar="ADDR",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; any other than this machine's own needs a password in the environment "
    "variable FDNLEARN_AUDITION_PASSWORD.",
)
@click.option(
    "--port",
    metavar="N",
    type=WholeNumber(0, 65535),
    default=7860,
    show_default=True,
    help="0: any free one.",
)
@click.option(DEBUG, is_flag=True, expose_value=False, help="Show tracebacks and warnings of libraries.")
@click.pass_obj
def command(interruptible: Interruptible, result: str | None, host: str, port: int) -> None:
    """Open the listening room, with an earlier result if one is named.

    Fits, gapless comparison, blind tests and exports in the browser; nothing leaves this machine. Ctrl-C ends it.
    """
    require_memory(LEARNING)
    opened = _opened(result)
    _require()
    from fdnlearn_audition.security import PASSWORD
    from fdnlearn_audition.server import serve

    def announce(address: str) -> None:
        interruptible.begun("closing the listening room")
        say(f"listening room at {address} (Ctrl-C ends it)")

    serve(host, port, opened, os.environ.get(PASSWORD), announce)


def _opened(result: str | None) -> Path | None:
    """The folder of results, or the network, that was named: checked before anything is started."""
    if result is None:
        return None
    path = Path(result)
    if path.is_dir() and not (path / "fdn.json").is_file():
        raise FdnlearnError(result, "holds no fdn.json", "name a folder that fdnlearn fit wrote")
    from fdnlearn.fdn import load_fdn

    load_fdn(path / "fdn.json" if path.is_dir() else path)
    # Beside its results a network is more than itself.
    return path.parent if path.name == "fdn.json" else path


def _require() -> None:
    """See that the room and what it needs are there.

    Raises
    ------
    UsageError
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            "audition", f"needs {missing[0]}, which is not installed", 'pip install "fdnlearn[audition]"'
        )
    # A wheel carries the room beside this package, a checkout in its folder of apps.
    checkout = Path(__file__).resolve().parents[2] / "apps" / "audition"
    if (checkout / _PACKAGE).is_dir() and str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
