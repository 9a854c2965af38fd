"""The ``fdnlearn`` command: finds subcommands, and turns every failure into one line and an exit code.

Exit codes: 0 success, 1 refused or failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from fdnlearn.base.errors import UsageError, suggest
from fdnlearn.base.version import __version__
from fdnlearn.cli.common import DEBUG, JSON, PRINTED, print_json
from fdnlearn.cli.failures import EXIT_USAGE, failure_of
from fdnlearn.cli.interrupt import Interruptible
from fdnlearn.cli.streams import prepare_streams

#: Subcommands, each ``fdnlearn/cli/NAME.py`` holding ``command``, imported when it is asked for.
COMMANDS = ("fit", "batch", "analyze", "compare", "render", "export", "audition", "schema")


class Program(click.Group):
    """The group of all subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a session: fit first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one subcommand."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"fdnlearn.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a subcommand, or say which one was meant."""
        word = args[0]
        if word not in COMMANDS and not word.startswith("-"):
            raise UsageError(word, "no such command", suggest(word, COMMANDS, "see fdnlearn --help"))
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run one command line and exit with its code."""
        prog_name = prog_name or "fdnlearn"
        if f"_{prog_name}_COMPLETE".upper() in os.environ:
            super().main(args, prog_name, **extra)
        sys.exit(self._run(list(sys.argv[1:] if args is None else args), prog_name))

    def _run(self, args: list[str], prog_name: str) -> int:
        debug = DEBUG in args
        context: click.Context | None = None
        try:
            # click takes from the list what it understands.
            with (
                Interruptible() as interruptible,
                self.make_context(prog_name, list(args), obj=interruptible) as context,
            ):
                self.invoke(context)
            sys.stdout.flush()
            return 0
        except click.exceptions.Exit as request:
            return request.exit_code
        except click.exceptions.NoArgsIsHelpError as request:
            click.echo(request.ctx.get_help() if request.ctx else "", err=True)
            return EXIT_USAGE
        except BrokenPipeError:  # of click's own texts, some of which go past our streams
            return 0
        except (Exception, KeyboardInterrupt) as error:
            failure = failure_of(error)
            if debug:
                click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
            click.echo(f"fdnlearn: {failure.line}", err=True)
            # A command that printed its document before it failed has said in it what failed.
            if JSON in args and not (context and PRINTED in context.meta):
                print_json(failure.to_json())
            return failure.exit_code


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 success, 1 refused or failed, 2 wrong usage, 130 interrupted.",
)
@click.version_option(__version__, prog_name="fdnlearn", message="%(prog)s %(version)s")
def cli() -> None:
    """Turn a measured room into a small, stable reverb.

    A room impulse response goes in as a WAV, W64, FLAC, AIFF, CAF, AU or SOFA file;
    a Feedback Delay Network comes out as numbers that any plugin can run.
    """


def main() -> NoReturn:
    """Entry point of the ``fdnlearn`` command."""
    if DEBUG not in sys.argv:
        # Remarks of libraries about themselves are for developers; what a user should know is told by us.
        warnings.simplefilter("ignore")
    prepare_streams()
    # Importing makes half a million objects that stay: not to be looked through again and again, nor at the end.
    gc.set_threshold(50_000, 20, 20)
    try:
        cli.main()
    finally:
        gc.freeze()
